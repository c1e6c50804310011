/**
 * Rolling updates that something disturbs: the leader's host loses power in the middle, and an image that does
 * not exist.
 *
 * One mesh of five serves all tests, in order. The service keeps off the host that will be lost, so that a
 * missing replica is the update's doing.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Host, Lab, labUnavailable } from "./clusters/lab.ts";
import type { TaskRow } from "./clusters/lab-cluster.ts";
import { LabMesh } from "./clusters/lab-mesh.ts";

const skip = labUnavailable() ?? false;
const number = 83;
/** Only ends a test that would never end. */
const patienceMs = 180_000;
const replicas = 20;
const parallelism = 2;
const second = 1_000_000_000;

interface Updated {
  readonly ID: string;
  readonly Version: { readonly Index: number };
  readonly Spec: { readonly TaskTemplate: { readonly ContainerSpec: object } };
  readonly UpdateStatus?: { readonly State: string; readonly Message: string };
}

interface ImageRow extends TaskRow {
  readonly Spec: { readonly ContainerSpec: { readonly Image: string; readonly Env?: string[] } };
}

describe("rolling updates that something disturbs", { skip }, () => {
  let lab: Lab;
  let mesh: LabMesh;
  before(async () => {
    lab = await Lab.up({ hosts: 5, number, agents: true });
    mesh = await LabMesh.form(lab);
  });
  after(async () => {
    await Lab.down(number);
  });

  test("the leader's host is lost: completed, at most a wave missing, no replica updated twice", async () => {
    const leader = await mesh.leader(lab.host(1));
    const asked = lab.hosts.find((host) => host.number !== leader);
    assert.ok(asked !== undefined);
    const UpdateConfig = { Parallelism: parallelism, Monitor: second };
    const TaskTemplate = {
      ContainerSpec: { Image: "gam/test:1" },
      Placement: { Constraints: [`node.id!=${mesh.ids.get(leader)}`] },
    };
    await mesh.createService(asked, "web", replicas, { TaskTemplate, UpdateConfig });
    await mesh.running(asked, "web", replicas, [], patienceMs);
    const before = new Set((await mesh.tasks(asked, "web")).map(({ ID }) => ID));

    await update(asked, "web", { Image: "gam/test:1", Env: ["VERSION=2"] });
    let fewest = replicas;
    let killed = false;
    await mesh.until("the update has ended", patienceMs, async () => {
      const tasks = await mesh.tasks(asked, "web");
      const running = tasks.filter(({ Status }) => Status.State === "running");
      fewest = Math.min(fewest, running.length);
      const renewed = running.filter(({ ID }) => !before.has(ID)).length;
      if (!killed && renewed >= replicas / 2) {
        killed = true;
        await lab.host(leader).kill();
      }
      return (await stateOf(asked, "web")) === "completed";
    });
    assert.ok(killed, "the update ended before the leader's host was lost");
    assert.ok(fewest >= replicas - parallelism, `${fewest} of ${replicas} ran at the least`);
    await mesh.running(asked, "web", replicas, [], patienceMs);
    const made = (await mesh.tasks(asked, "web")).filter(({ ID }) => !before.has(ID));
    assert.equal(made.length, replicas, "one new task for each replica");
    assert.equal(new Set(made.map(({ Slot }) => Slot)).size, replicas);
    await mesh.powerOn(lab.host(leader));
    await mesh.ready(asked, 5, patienceMs);
  });

  test("an image that does not exist, and failure action rollback: every replica is the old one", async () => {
    const asked = lab.host(1);
    const spec = await mesh.call<Updated>(asked, "GET", "/services/web");
    const kept = new Set(
      (await mesh.tasks(asked, "web"))
        .filter(({ Status }) => Status.State === "running")
        .map(({ ID }) => ID),
    );
    const UpdateConfig = { Parallelism: parallelism, Monitor: second, FailureAction: "rollback" };
    const path = `/services/${spec.ID}/update?version=${spec.Version.Index}`;
    await mesh.call(asked, "POST", path, { ...spec.Spec, UpdateConfig });
    await update(asked, "web", { Image: "gam/missing:1", Env: ["VERSION=2"] });
    await mesh.until("the update is rolled back", patienceMs, async () => {
      return (await stateOf(asked, "web")) === "rollback_completed";
    });
    await mesh.running(asked, "web", replicas, [], patienceMs);
    const running = (await mesh.tasks(asked, "web")).filter(
      ({ Status, DesiredState }) => Status.State === "running" && DesiredState === "running",
    ) as ImageRow[];
    assert.deepEqual(
      running.filter(({ Spec }) => !/^gam\/test:1(@|$)/.test(Spec.ContainerSpec.Image)),
      [],
    );
    const untouched = running.filter(({ ID }) => kept.has(ID)).length;
    assert.ok(untouched >= replicas - parallelism, `${untouched} of ${replicas} were left alone`);
  });

  async function update(host: Host, name: string, ContainerSpec: object): Promise<void> {
    const { ID, Version, Spec } = await mesh.call<Updated>(host, "GET", `/services/${name}`);
    const TaskTemplate = { ...Spec.TaskTemplate, ContainerSpec };
    const path = `/services/${ID}/update?version=${Version.Index}`;
    await mesh.call(host, "POST", path, { ...Spec, TaskTemplate });
  }

  async function stateOf(host: Host, name: string): Promise<string | undefined> {
    return (await mesh.call<Updated>(host, "GET", `/services/${name}`)).UpdateStatus?.State;
  }
});
