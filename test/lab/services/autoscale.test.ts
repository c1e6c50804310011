/**
 * A real load that rises and falls: the replicas follow, without a swing and without a failed request.
 *
 * Each request costs a fixed time of the processor, and control groups count that time whatever else the machine
 * does. So the replicas that the load needs are the same on each machine.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Host, Lab, labUnavailable } from "../clusters/lab.ts";
import { LabMesh } from "../clusters/lab-mesh.ts";
import { mustDocker } from "../clusters/must-docker.ts";
import { Load } from "../load/load.ts";

const skip = labUnavailable() ?? false;
const number = 61;
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
    lab = await Lab.up({ hosts: 3, number, agents: true, echo: true });
    mesh = await LabMesh.form(lab);
    asked = lab.host(2);
  });
  after(async () => {
    await Lab.down(number);
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
