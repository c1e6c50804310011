/**
 * Stacks on real hosts: removed and deployed again at once, again and again, by the real docker client.
 *
 * Swarm's oldest race: networks of the removed stack are still in use, or not found. Each round goes on before
 * the tasks of the round before have ended. In the end nothing may be left over.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { checkPlanReport } from "@gam/state/answers";
import { type Host, Lab, labUnavailable } from "../clusters/lab.ts";
import { LabMesh } from "../clusters/lab-mesh.ts";
import { mustDocker } from "../clusters/must-docker.ts";
import { deadlineMs } from "../hosts/machine.ts";

const skip = labUnavailable() ?? false;
const number = 29;
/** More for a measurement: GAM_STACK_ROUNDS=100. */
const rounds = Number(process.env.GAM_STACK_ROUNDS ?? 10);
const stack = "again";
const label = `label=com.docker.stack.namespace=${stack}`;
const file = `
services:
  web:
    image: "gam/test:1"
    command: serve
    ports: ["8080:80"]
    networks: [front, back]
    secrets: [key]
    configs: [conf]
    deploy: {replicas: 3}
  api: {image: "gam/test:1", command: serve, networks: [back], deploy: {replicas: 2, endpoint_mode: dnsrr}}
  all: {image: "gam/test:1", networks: [front], deploy: {mode: global}}
networks:
  front: {}
  back: {attachable: true, ipam: {config: [{subnet: 10.77.0.0/24}]}}
secrets: {key: {file: again.yml}}
configs: {conf: {file: again.yml, name: conf-v1}}
`;

describe("a stack that is removed and deployed again at once", { skip }, () => {
  let lab: Lab;
  let mesh: LabMesh;
  let patienceMs: number;

  before(async () => {
    lab = await Lab.up({ hosts: 3, number, agents: true, measure: true });
    patienceMs = deadlineMs(lab.machine, 60_000, { containers: 60 });
    mesh = await LabMesh.form(lab);
    for (const host of lab.hosts) writeFileSync(fileOf(host), file);
  });
  after(async () => {
    await Lab.down(number);
  });

  const fileOf = (host: Host): string => join(host.folder, "home", "again.yml");
  const deployment = (host: Host): string[] => [
    ...["--resolve-image", "never", "-c", fileOf(host), stack],
  ];
  const deploy = (host: Host): Promise<string> =>
    mustDocker(host, ["stack", "deploy", ...deployment(host)]);

  test(`${rounds} rounds by the docker client, without a pause`, async () => {
    await deploy(lab.host(2));
    for (let round = 1; round <= rounds; round += 1) {
      // Another host each time, so that no round sees only its own writes.
      const host = lab.host((round % 3) + 1);
      await mustDocker(host, ["stack", "rm", stack]);
      await deploy(host);
    }
    const first = lab.host(1);
    await mesh.until("all tasks run", patienceMs, async () => {
      const states = await tasksOf(first, "--filter", "desired-state=running");
      return states.length === 8 && states.every((state) => state.startsWith("Running"));
    });
  });

  test("the same by gam stack", async () => {
    const gam = async (host: Host, ...words: string[]): Promise<void> => {
      const { code, stdout, stderr } = await host.gam(["stack", ...words], {
        timeoutMs: patienceMs,
      });
      assert.equal(code, 0, `${words.join(" ")}: ${stdout}${stderr}`);
    };
    const host = lab.host(3);
    for (let round = 1; round <= 2; round += 1) {
      await gam(host, "rm", stack);
      await gam(host, "deploy", "--detach", ...deployment(host));
    }
    await gam(host, "deploy", ...deployment(host));
  });

  test("a plan and a difference of the same files are empty", async () => {
    const host = lab.host(2);
    const plan = await host.gam(["stack", "deploy", "--plan", "--json", ...deployment(host)]);
    assert.equal(plan.code, 0, plan.stderr);
    assert.deepEqual(checkPlanReport(JSON.parse(plan.stdout), "plan").objects, []);
    const diff = await host.gam(["diff", "-c", fileOf(host), stack]);
    assert.equal(diff.code, 0, diff.stdout + diff.stderr);
  });

  test("nothing is left over", async () => {
    await mustDocker(lab.host(1), ["stack", "rm", stack]);
    await mesh.until("nothing is left over", patienceMs, async () => {
      const left = await Promise.all(lab.hosts.map(leftOver));
      return left.flat().length === 0;
    });
  });

  /** Services, tasks and networks in the state, and containers and networks of the engine. */
  async function leftOver(host: Host): Promise<string[]> {
    const answers = [
      await mustDocker(host, ["service", "ls", "-q"]),
      await mustDocker(host, ["network", "ls", "-q", "--filter", label]),
      await mustDocker(host, ["secret", "ls", "-q"]),
      await mustDocker(host, ["config", "ls", "-q"]),
      await mustDocker(host, ["ps", "-aq"], { engine: true }),
      await mustDocker(host, ["network", "ls", "-q", "--filter", "name=back"], { engine: true }),
      await mustDocker(host, ["network", "ls", "-q", "--filter", "name=front"], { engine: true }),
      (await tasksOf(host)).join("\n"),
    ];
    return answers.flatMap((answer) => answer.split("\n")).filter((line) => line !== "");
  }

  /** The states of the stack's tasks. */
  async function tasksOf(host: Host, ...filter: string[]): Promise<string[]> {
    const words = ["stack", "ps", "--format", "{{.CurrentState}}", ...filter, stack];
    const { code, stdout } = await host.docker(words);
    return code === 0 ? stdout.split("\n").filter((line) => line !== "") : [];
  }
});
