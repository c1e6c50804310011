/**
 * What the cluster does by itself: replicas that follow a real load, and tasks that move to a host that returns.
 *
 * Each request of the load costs a fixed time of the processor, and control groups count that time whatever else the
 * machine does. So the replicas that the load needs are the same on each machine.
 */
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
const loadLab = 61;
const returnLab = 63;
/** Only ends a test that would never end. */
const patienceMs = 300_000;
const most = 6;
/** A task is to use half of its tenth of a core: five requests a second of ten milliseconds each. */
const labels = {
  "gam.autoscale.min": "1",
  "gam.autoscale.max": String(most),
  "gam.autoscale.cpu": "50%",
  "gam.autoscale.down.window": "45s",
};
/** Four looks at the load, after the time in which a new task does not count. */
const steadyMs = 90_000;
const burnMs = 10;
const highPerSecond = 18;
const lowPerSecond = 2;

const replicas = 6;
const perSecondMax = 300;
const barePerSecond = 20;

interface Report {
  readonly services: readonly {
    readonly replicas: number;
    readonly running: number;
    readonly advised: number;
    readonly decisions: readonly { readonly from: number; readonly to: number }[];
  }[];
}

describe("a service that follows its load, on three hosts", { skip }, () => {
  let lab: Lab;
  let mesh: LabMesh;
  let asked: Host;
  before(async () => {
    lab = await Lab.up({ hosts: 3, number: loadLab, agents: true, echo: true });
    mesh = await LabMesh.form(lab);
    asked = lab.host(2);
  });
  after(async () => {
    await Lab.down(loadLab);
  });

  const look = async () => {
    const { services } = await mesh.call<Report>(asked, "GET", "/gam/v1/autoscale");
    const [service] = services;
    assert.ok(service !== undefined);
    return service;
  };

  test("replicas follow a load up and down, and each decision is shown", async () => {
    const words = Object.entries(labels).flatMap(([name, value]) => [
      "--label",
      `${name}=${value}`,
    ]);
    const create = ["service", "create", "--detach", "--name", "web", "--reserve-cpu", "0.1"];
    await mustDocker(asked, [...create, ...words, "-p", "8080:80", "gam/echo:1"]);
    await mesh.running(asked, "web", 1, [], patienceMs);
    const urls = [1, 2, 3].map((host) => `http://${lab.host(host).address}:8080/burn/${burnMs}`);

    const high = await Load.start(lab.host(1), { urls, perSecond: highPerSecond });
    await mesh.until("the replicas have followed the load", patienceMs, async () => {
      const { replicas, running, advised } = await look();
      return replicas >= 4 && running === replicas && advised === replicas;
    });
    await mesh.until("the load has stayed for a while", patienceMs, async () => {
      const tasks = await mesh.tasks(asked, "web");
      const sinceMs = tasks.map(({ Status }) => Date.now() - Date.parse(Status.Timestamp));
      return sinceMs.every((ms) => ms > steadyMs);
    });
    // A deploy of the same spec takes nothing away.
    const { replicas } = await look();
    await mesh.touch(asked, "web");
    assert.equal((await look()).replicas, replicas);
    high.end();
    const risen = await high.result();

    const low = await Load.start(lab.host(1), { urls, perSecond: lowPerSecond });
    await mesh.until("the replicas have followed the load down", patienceMs, async () => {
      const now = await look();
      return now.replicas === 1 && now.running === 1;
    });
    low.end();
    const fallen = await low.result();

    const { stdout } = await asked.gam(["autoscale", "web"]);
    console.log(stdout);
    console.log(`rising: ${JSON.stringify(risen)}\nfalling: ${JSON.stringify(fallen)}`);
    const { decisions } = await look();
    const signs = decisions.map(({ from, to }) => Math.sign(to - from));
    const sorted = [...signs].sort((a, b) => b - a);
    assert.deepEqual(signs, sorted, "first up, then down, and never back");
    assert.ok(decisions.every(({ to }) => to >= 1 && to <= most));
    assert.match(stdout, /cpu at \d+% of \d tasks?, target 50%/);
    assert.deepEqual([risen.failures, fallen.failures], [{}, {}]);
  });
});

describe("a host that returns, of three", { skip }, () => {
  let lab: Lab;
  let mesh: LabMesh;
  let asked: Host;
  let machine: Machine;
  before(async () => {
    lab = await Lab.up({ hosts: 3, number: returnLab, agents: true, echo: true, measure: true });
    assert.ok(lab.machine !== undefined);
    machine = lab.machine;
    mesh = await LabMesh.form(lab);
    asked = lab.host(2);
  });
  after(async () => {
    await Lab.down(returnLab);
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
