import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { checkServiceRollout } from "@gam/state/answers";
import { Rig } from "../testing/rig.ts";

let rig: Rig;

before(async () => {
  rig = await Rig.start(2);
  await rig.call("POST", "/services/create", spec("app:1"));
});
after(() => rig.stop());

function spec(image: string): object {
  return {
    Name: "web",
    Labels: { "gam.rollout": "canary", "gam.rollout.steps": "30%:1h, 60%" },
    TaskTemplate: { ContainerSpec: { Image: image } },
    Mode: { Replicated: { Replicas: 5 } },
  };
}

const path = "/gam/v1/services/web/rollout";

async function rollout() {
  return checkServiceRollout((await rig.call("GET", path)).body, "rollout");
}

async function steer(action: string) {
  const { status, body } = await rig.call("POST", path, { action });
  return `${status} ${body.message ?? ""}`;
}

test("a service without a rollout says so", async () => {
  assert.equal((await rollout()).rollout, null);
  assert.equal(await steer("abort"), "409 Cannot abort: service web is in no rollout");
});

test("a rollout is shown, paused, resumed and undone", async () => {
  const { body } = await rig.call("GET", "/services/web");
  const update = `/services/web/update?version=${body.Version.Index}`;
  assert.equal((await rig.call("POST", update, spec("app:2"))).status, 200);
  const begun = await rollout();
  assert.match(begun.status, /^updating: /);
  assert.deepEqual(begun.rollout?.steps, [
    { weight: 30, waitMs: 3_600_000, tasks: 2 },
    { weight: 60, waitMs: null, tasks: 3 },
    { weight: 100, waitMs: 0, tasks: 5 },
  ]);
  assert.deepEqual([begun.rollout?.old.image, begun.rollout?.fresh.image], ["app:1", "app:2"]);
  assert.equal(await steer("pause"), "200 ");
  assert.equal((await rollout()).rollout?.paused, "person");
  assert.match(await steer("pause"), /^\d+ .*the rollout of service web is paused already$/);
  const inspected = (await rig.call("GET", "/services/web")).body;
  assert.equal(inspected.UpdateStatus.State, "paused");
  assert.equal(await steer("resume"), "200 ");
  assert.equal(await steer("abort"), "200 ");
  const over = await rollout();
  assert.deepEqual([over.rollout?.end?.result, over.rollout?.weight], ["rolled back", 0]);
  assert.deepEqual([over.rollout?.old.image, over.rollout?.fresh.image], ["app:1", "app:2"]);
});

test("another word is refused", async () => {
  assert.match(await steer("stop"), /^400 .*action/);
});
