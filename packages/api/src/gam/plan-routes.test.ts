import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Rig } from "../testing/rig.ts";

let rig: Rig;

before(async () => {
  rig = await Rig.start(2);
});
after(() => rig.stop());

const spec = (image: string): object => ({
  Name: "web",
  TaskTemplate: { ContainerSpec: { Image: image } },
});

async function begin(): Promise<string> {
  const { status, body } = await rig.call("POST", "/gam/v1/plans", {});
  assert.equal(status, 201);
  return `/gam/v1/plans/${body.ID}`;
}

test("calls of a plan see each other's writes, and nobody else does", async () => {
  const plan = await begin();
  const made = await rig.call("POST", `${plan}/services/create`, spec("app:1"));
  assert.equal(made.status, 201);
  const found = await rig.call("GET", `${plan}/services/web`);
  assert.equal(found.body.Spec.TaskTemplate.ContainerSpec.Image, "app:1");
  const update = `${plan}/services/web/update?version=${found.body.Version.Index}`;
  assert.equal((await rig.call("POST", update, spec("app:2"))).status, 200);
  const late = await rig.call("POST", update, spec("app:3"));
  assert.match(late.body.message, /out of sequence/, "refused as a real one");
  assert.equal((await rig.call("GET", "/services/web")).status, 404);
  assert.equal((await rig.call("DELETE", `${plan}/services/web`)).status, 200);
  assert.equal((await rig.call("GET", `${plan}/services/web`)).status, 404);
  rig.door.foreseen = { objects: [], tasks: [], isComplete: false };
  assert.deepEqual((await rig.call("GET", plan)).body, rig.door.foreseen);
  assert.equal((await rig.call("DELETE", plan)).status, 200);
  assert.match((await rig.call("GET", plan)).body.message, /not found: it may be too old/);
});

test("a plan changes nothing on an engine, and takes no other calls", async () => {
  const plan = await begin();
  const calls = rig.engine.calls.length;
  for (const [method, path, body] of [
    ["POST", "/networks/create", { Name: "n", Driver: "bridge" }],
    ["POST", "/swarm/leave", {}],
    ["POST", "/containers/create", {}],
    ["POST", "/services/../swarm/leave", {}],
    ["DELETE", "/nodes/host1", undefined],
  ] as const) {
    const answer = await rig.call(method, `${plan}${path}`, body);
    assert.ok(answer.status >= 400, `${method} ${path}: ${answer.status}`);
  }
  const written = rig.engine.calls.slice(calls).filter(({ method }) => method !== "GET");
  assert.deepEqual(
    written.filter(({ method }) => method !== "HEAD"),
    [],
  );
  await rig.call("DELETE", plan);
});

test("there are few plans at a time", async () => {
  const plans = [await begin(), await begin(), await begin(), await begin()];
  const { status, body } = await rig.call("POST", "/gam/v1/plans", {});
  assert.ok(status >= 400);
  assert.match(body.message, /^Cannot plan: other plans are under way/);
  for (const plan of plans) await rig.call("DELETE", plan);
  await rig.call("DELETE", await begin());
});
