/**
 * Why, on real hosts: the faults that only an engine can make, and a plan against what then happens.
 *
 * Each fault is one service. `gam why` must name the cause, asked at a host that does not run the task.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { checkWhyReport, type WhyReport } from "@gam/state/answers";
import { type Host, Lab, labUnavailable } from "../clusters/lab.ts";
import { LabMesh } from "../clusters/lab-mesh.ts";
import { mustDocker } from "../clusters/must-docker.ts";

const skip = labUnavailable() ?? false;
const number = 76;
const patienceMs = 120_000;

const faults: readonly {
  readonly name: string;
  readonly create: readonly string[];
  readonly cause: RegExp;
  readonly log?: RegExp;
}[] = [
  {
    name: "image",
    create: ["registry.invalid/nowhere:1"],
    cause: /host2 could not run it: .*nowhere/,
  },
  {
    name: "command",
    create: ["gam/test:1", "/no/such/program"],
    cause: /(could not run it|failed on host2): .*no\/such\/program/,
  },
  {
    name: "exit",
    create: ["gam/test:1", "sh", "-c", "echo cannot open database; exit 3"],
    cause: /failed on host2: task: non-zero exit \(3\)/,
    log: /^cannot open database$/,
  },
  {
    name: "memory",
    create: [
      ...["--limit-memory", "16M", "gam/test:1", "sh", "-c"],
      "head -c 200000000 /dev/zero | tail",
    ],
    cause: /failed on host2: task: non-zero exit \(\d+\) \(killed: out of memory, limit 16 MiB\)/,
  },
  {
    name: "health",
    create: [
      ...["--health-cmd", "echo no answer at 8080; exit 1", "--health-interval", "1s"],
      ...["--health-retries", "1", "--stop-grace-period", "1s", "gam/test:1", "sleep", "600"],
    ],
    cause: /unhealthy container \(last health check: exit 1, "no answer at 8080"\)/,
  },
  {
    name: "bind",
    create: ["--mount", "type=bind,src=/no/such/folder,dst=/x", "gam/test:1", "sleep", "600"],
    cause: /host2 could not run it: .*no\/such\/folder/,
  },
];

describe("why and plan at two hosts", { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), "gam-lab-why-"));
  let lab: Lab;
  let mesh: LabMesh;
  let first: Host;

  before(async () => {
    lab = await Lab.up({ hosts: 2, number, agents: true });
    first = lab.host(1);
    await first.gam(["init"]);
    const token = await gam("token", "--role", "manager");
    const { code, stderr } = await lab.host(2).gam(["join", token]);
    assert.equal(code, 0, stderr);
    mesh = await LabMesh.of(lab);
  });
  after(async () => {
    await Lab.down(number);
    rmSync(folder, { recursive: true, force: true });
  });

  async function gam(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await first.gam(args);
    assert.equal(code, 0, `gam ${args.join(" ")}: ${stderr}`);
    return stdout.trim();
  }

  async function why(name: string): Promise<WhyReport> {
    return checkWhyReport(JSON.parse(await gam("why", "--json", name)), "report");
  }

  for (const { name, create, cause, log } of faults) {
    test(`gam why names the cause: ${name}`, async () => {
      const place = ["--constraint", "node.hostname == host2", "--restart-condition", "none"];
      const words = ["service", "create", "-d", "--name", name, "--no-resolve-image", ...place];
      await mustDocker(first, [...words, ...create]);
      const untilMs = performance.now() + patienceMs;
      let found = await why(name);
      while (!found.causes.some((one) => cause.test(one)) && performance.now() < untilMs) {
        await delay(500);
        found = await why(name);
      }
      assert.match(found.causes[0] ?? "", cause, JSON.stringify(found, undefined, 1));
      const lines = found.tasks.flatMap((task) => task.log);
      if (log !== undefined)
        assert.ok(
          lines.some((line) => log.test(line)),
          lines.join("\n"),
        );
      await mustDocker(first, ["service", "rm", name]);
    });
  }

  test("a deployment does what its plan says, and then nothing is different", async () => {
    const file = join(folder, "shop.yml");
    const web = "{image: 'gam/test:1', command: sleep 600, deploy: {replicas: 4}}";
    const big = "{image: 'gam/test:1', deploy: {resources: {reservations: {memory: 900G}}}}";
    writeFileSync(file, `services: {web: ${web}, big: ${big}}\n`);
    const options = ["stack", "deploy", "--resolve-image", "never", "-c", file];
    const plan = await gam(...options, "--plan", "shop");
    assert.match(plan, /\+ create service shop_web/);
    assert.match(plan, /shop_big\.1: no suitable node \(insufficient resources on 2 nodes\)/);
    assert.equal(await mustDocker(first, ["service", "ls", "-q"]), "");
    await gam(...options, "--detach=true", "shop");
    await mesh.running(first, "shop_web", 4);
    const hosts = (await mesh.places("shop_web")).map(({ host }) => host);
    const counted = [1, 2].map((host) => hosts.filter((one) => one === host).length);
    const shown = counted.map((count, at) =>
      count === 1 ? `host${at + 1}` : `host${at + 1} (${count})`,
    );
    assert.ok(plan.includes(`started on ${shown.join(", ")}`), `${plan}\nbut on ${shown}`);
    assert.equal(await gam("diff", "-c", file, "shop"), "Nothing is different");
  });

  test("a service returns to an earlier revision", async () => {
    await mustDocker(first, ["service", "update", "-d", "--env-add", "LEVEL=2", "shop_web"]);
    assert.match(await gam("service", "history", "shop_web"), /2 \*.*ContainerSpec\.Env/);
    await gam("service", "rollback", "--to", "1", "shop_web");
    const path = "{{json .Spec.TaskTemplate.ContainerSpec.Env}}";
    assert.equal(
      (await mustDocker(first, ["service", "inspect", "-f", path, "shop_web"])).trim(),
      "null",
    );
    assert.match(await gam("service", "history", "shop_web"), /^3 \*/m);
  });
});
