import assert from "node:assert/strict";
import { after, before, test } from "node:test";
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
