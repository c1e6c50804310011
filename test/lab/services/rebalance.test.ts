/** A host that returns gets its share of tasks, under a load, without a failed request. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Host, Lab, labUnavailable } from "../clusters/lab.ts";
import { LabMesh } from "../clusters/lab-mesh.ts";
import { mustDocker } from "../clusters/must-docker.ts";
import { healthFlags, overloaded, tasksOf } from "../clusters/rolling-update.ts";
import { loadPerSecond, type Machine } from "../hosts/machine.ts";
import { BareDnat } from "../load/bare-dnat.ts";
import { endingsOf } from "../load/ending.ts";
import { Load } from "../load/load.ts";

const skip = labUnavailable() ?? false;
const number = 63;
/** Only ends a test that would never end. */
const patienceMs = 300_000;
const replicas = 6;
const perSecondMax = 300;
const barePerSecond = 20;

describe("a host that returns, of three", { skip }, () => {
  let lab: Lab;
  let mesh: LabMesh;
  let asked: Host;
  let machine: Machine;
  before(async () => {
    lab = await Lab.up({ hosts: 3, number, agents: true, echo: true, measure: true });
    assert.ok(lab.machine !== undefined);
    machine = lab.machine;
    mesh = await LabMesh.form(lab);
    asked = lab.host(2);
  });
  after(async () => {
    await Lab.down(number);
  });

  test("tasks move to it one after the other, and no request fails", async (t) => {
    const lost = lab.host(3);
    const words = ["--detach", "--name", "web", "--replicas", String(replicas), "-p", "8080:80"];
    const flags = [...words, ...healthFlags(machine, replicas), "gam/echo:1"];
    await mustDocker(asked, ["service", "create", ...flags]);
    await mesh.running(asked, "web", replicas, [], patienceMs);
    await lost.kill();
    await mesh.running(asked, "web", replicas, [3], patienceMs);
    await mesh.powerOn(lost);
    await mesh.until("the host is back", patienceMs, async () => {
      const nodes = await mesh.call<{ Status: { State: string } }[]>(asked, "GET", "/nodes");
      return nodes.every(({ Status }) => Status.State === "ready");
    });

    const plan = await asked.gam(["rebalance", "--plan"]);
    console.log(plan.stdout);
    assert.equal(plan.stdout.match(/^web\.\d +host[12] +host3 /gm)?.length, 2);

    const urls = [1, 2].map((host) => `http://${lab.host(host).address}:8080/`);
    const dnat = await BareDnat.open(lab.host(2));
    const perSecond = loadPerSecond(machine, perSecondMax);
    const loads = [
      await Load.start(lab.host(1), { urls, perSecond }),
      await Load.start(lab.host(1), { urls: [dnat.url], perSecond: barePerSecond }),
    ] as const;
    await Promise.all(loads.map((one) => one.underWay()));
    const moved = await asked.gam(["rebalance"], { timeoutMs: patienceMs });
    for (const one of loads) one.end();
    const [load, bare] = [await loads[0].result(), await loads[1].result()];
    await dnat.close();
    console.log(`${moved.stdout}${moved.stderr}`);
    console.log(`${perSecond} requests a second: ${JSON.stringify(load)}`);

    assert.equal(moved.code, 0);
    assert.match(moved.stdout, /Done: nothing is left to move/);
    const hosts = (await tasksOf(mesh, "web")).map(({ host }) => host.number).sort();
    assert.deepEqual(hosts, [1, 1, 2, 2, 3, 3]);
    const { stdout: after } = await asked.gam(["rebalance", "--plan"]);
    assert.match(after, /^Nothing to move/);
    const busy = overloaded({ load, bare, endings: await endingsOf(lab.hosts, "web") });
    if (busy !== undefined) return t.skip(busy);
    assert.deepEqual(load.failures, {});
  });
});
