import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { TaskId } from "@gam/core";
import type { Node, Service } from "@gam/state";
import { Rig } from "../testing/rig.ts";

let rig: Rig;
before(async () => {
  rig = await Rig.start(1);
});
after(() => rig.stop());

const Labels = {
  "gam.autoscale.min": "2",
  "gam.autoscale.max": "9",
  "gam.autoscale.cpu": "70",
};
const spec = (Name: string, more: object) => ({
  Name,
  TaskTemplate: { ContainerSpec: { Image: "tiny:1" } },
  ...more,
});

test("GET /gam/v1/autoscale shows services that are scaled by their load", async () => {
  await rig.call("POST", "/services/create", spec("plain", {}));
  const made = await rig.call("POST", "/services/create", spec("web", { Labels }));
  assert.equal(made.status, 201);
  const { status, body } = await rig.call("GET", "/gam/v1/autoscale");
  assert.equal(status, 200);
  const { id, running, ...web } = body.services[0];
  assert.equal(body.services.length, 1);
  assert.equal(id, made.body.ID);
  assert.deepEqual(web, {
    name: "web",
    replicas: 2,
    min: 2,
    max: 9,
    targets: [{ metric: "cpu", target: "70%", now: "" }],
    advised: null,
    decisions: [],
  });
  const one = await rig.call("GET", "/gam/v1/autoscale?service=web");
  assert.deepEqual(one.body, body);
});

test("GET /gam/v1/autoscale of another service says what is missing", async () => {
  const plain = await rig.call("GET", "/gam/v1/autoscale?service=plain");
  assert.equal(plain.status, 404);
  assert.match(plain.body.message, /^service plain is not scaled by its load\. The labels/);
  assert.equal((await rig.call("GET", "/gam/v1/autoscale?service=none")).status, 404);
});

test("labels that do not go together are refused when the service is created", async () => {
  const { status, body } = await rig.call(
    "POST",
    "/services/create",
    spec("bad", { Labels: { ...Labels, "gam.autoscale.min": "10" } }),
  );
  assert.equal(status, 400);
  assert.match(body.message, /"gam.autoscale.min" has the value "10", which is more than/);
});

test("GET and POST /gam/v1/rebalance", async () => {
  const [{ ID: from, Description }] = rig.door.view().nodes() as [Node];
  const [{ ID: service }] = rig.door.view().services() as [Service];
  const task = "t".repeat(25) as TaskId;
  rig.door.moves = [{ task, service, from, to: from, reason: "it is fuller" }];
  const { body } = await rig.call("GET", "/gam/v1/rebalance");
  const { Hostname } = Description;
  const planned = { service: "plain", slot: 0, from: Hostname, to: Hostname };
  assert.deepEqual(body.planned, [{ ...planned, reason: "it is fuller" }]);
  assert.deepEqual([body.auto, body.isAsked, body.stopped], [false, false, ""]);
  const asked = await rig.call("POST", "/gam/v1/rebalance", { run: true, auto: true });
  assert.equal(asked.status, 200);
  const now = (await rig.call("GET", "/gam/v1/rebalance")).body;
  assert.deepEqual([now.auto, now.isAsked], [true, true]);
  for (const wrong of [{}, { run: "yes" }, { other: true }]) {
    assert.equal((await rig.call("POST", "/gam/v1/rebalance", wrong)).status, 400);
  }
});
