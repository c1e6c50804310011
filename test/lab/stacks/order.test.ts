/**
 * Services that wait for each other, on five hosts that all lose power. The first hosts to return have none of the
 * services that must start first.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type Host, Lab, labUnavailable } from "../clusters/lab.ts";
import { LabMesh } from "../clusters/lab-mesh.ts";
import { mustDocker } from "../clusters/must-docker.ts";
import { deadlineMs } from "../hosts/machine.ts";

const skip = labUnavailable() ?? false;
const number = 68;
const checkMs = 1000;
const on = (host: string): string => `{constraints: [node.hostname == ${host}]}`;
const file = `
services:
  web:
    image: "gam/test:1"
    depends_on: {api: {condition: service_healthy}, migrate: {condition: service_completed_successfully}}
    deploy: {replicas: 2, placement: {constraints: [node.hostname != host4, node.hostname != host5]}}
  api:
    image: "gam/test:1"
    healthcheck: {test: ["CMD", "true"], interval: ${checkMs}ms}
    depends_on: {db: {condition: service_healthy}}
    deploy: {placement: ${on("host4")}}
  db:
    image: "gam/test:1"
    healthcheck: {test: ["CMD", "true"], interval: ${checkMs}ms}
    deploy: {placement: ${on("host5")}}
  migrate:
    image: "gam/test:1"
    command: ["true"]
    depends_on: {db: {condition: service_healthy}}
    deploy: {mode: replicated-job, placement: ${on("host4")}}
`;

describe("services that wait for each other", { skip }, () => {
  let lab: Lab;
  let mesh: LabMesh;
  let patienceMs: number;

  before(async () => {
    lab = await Lab.up({ hosts: 5, number, agents: true, measure: true });
    patienceMs = deadlineMs(lab.machine, 120_000, { containers: 20 });
    mesh = await LabMesh.form(lab);
    for (const host of lab.hosts) writeFileSync(join(host.folder, "home", "order.yml"), file);
  });
  after(async () => {
    await Lab.down(number);
  });

  test("gam stack deploy starts them in order", async () => {
    const host = lab.host(1);
    const path = join(host.folder, "home", "order.yml");
    const words = ["stack", "deploy", "--resolve-image", "never", "-c", path, "shop"];
    const { code, stdout, stderr } = await host.gam(words, { timeoutMs: patienceMs });
    assert.equal(code, 0, `${stdout}${stderr}`);
    await inOrder(0);
  });

  test("a circle is refused with its path", async () => {
    const add = ["--label-add", "gam.depends_on=web"];
    const { code, stderr } = await lab.host(2).docker(["service", "update", ...add, "shop_db"]);
    assert.notEqual(code, 0);
    assert.match(stderr, /shop_db -> shop_web -> shop_api -> shop_db/);
  });

  test("a task that waits says for what", async () => {
    const label = "gam.depends_on=shop_db:healthy, nobody";
    const options = ["--detach", "--no-resolve-image", "--name", "late", "--label", label];
    await mustDocker(lab.host(3), ["service", "create", ...options, "gam/test:1"]);
    await mesh.until("its task is prepared", patienceMs, async () => {
      const format = ["--no-trunc", "--format", "{{.CurrentState}} {{.Error}}"];
      const line = await mustDocker(lab.host(3), ["service", "ps", ...format, "late"]);
      return /^Ready .*waits for nobody to start \(there is no such service\)/.test(line);
    });
    await mustDocker(lab.host(3), ["service", "rm", "late"]);
  });

  test("they start in order again when all hosts have lost power", async () => {
    await Promise.all(lab.hosts.map((host) => host.kill()));
    const atMs = Date.now();
    for (const n of [1, 2, 3]) await mesh.powerOn(lab.host(n));
    await mesh.until("the first three have a leader", patienceMs, async () => {
      const tasks = await waiting(lab.host(1));
      return tasks.length === 2;
    });
    const early = await startsOf("web", atMs, lab.hosts.slice(0, 3));
    assert.deepEqual(early, [], "web runs before what it needs");
    for (const n of [4, 5]) await mesh.powerOn(lab.host(n));
    await mesh.ready(lab.host(1), 5, patienceMs);
    await inOrder(atMs);
  });

  /** The tasks of web that are prepared and wait. */
  async function waiting(host: Host): Promise<string[]> {
    const words = ["service", "ps", "--no-trunc", "--format", "{{.CurrentState}} {{.Error}}"];
    const { code, stdout } = await host.docker([...words, "shop_web"]);
    return code === 0 ? stdout.split("\n").filter((line) => /^Ready .*waits for /.test(line)) : [];
  }

  /** Waits until all run again, and compares when their containers started. */
  async function inOrder(sinceMs: number): Promise<void> {
    const starts = { db: [0], api: [0], web: [0] };
    await mesh.until("all run", patienceMs, async () => {
      starts.db = await startsOf("db", sinceMs);
      starts.api = await startsOf("api", sinceMs);
      starts.web = await startsOf("web", sinceMs);
      return starts.db.length === 1 && starts.api.length === 1 && starts.web.length === 2;
    });
    const [db = 0] = starts.db;
    const [api = 0] = starts.api;
    console.log(
      `after db: api ${api - db} ms, web ${starts.web.map((ms) => ms - db).join(", ")} ms`,
    );
    assert.ok(api >= db + checkMs, "api has waited for the health check of db");
    for (const web of starts.web) assert.ok(web >= api + checkMs, "web has waited for api");
  }

  /** When the running containers of a service started, as milliseconds since 1970, if after that time. */
  async function startsOf(
    service: string,
    sinceMs: number,
    hosts: readonly Host[] = lab.hosts,
  ): Promise<number[]> {
    const found = await Promise.all(
      hosts.map(async (host) => {
        const filter = ["--filter", `label=com.docker.swarm.service.name=shop_${service}`];
        const { code, stdout } = await host.docker(["ps", "-q", ...filter], { engine: true });
        const ids = code === 0 ? stdout.split("\n").filter((line) => line !== "") : [];
        if (ids.length === 0) return [];
        const format = ["--format", "{{.State.StartedAt}}"];
        const times = await mustDocker(host, ["inspect", ...format, ...ids], { engine: true });
        return times.split("\n").map((time) => Date.parse(time));
      }),
    );
    return found.flat().filter((ms) => ms > sinceMs);
  }
});
