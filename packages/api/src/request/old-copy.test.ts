import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { json } from "@gam/engine/testing";
import { Rig } from "../testing/rig.ts";

let rig: Rig;
/** What the next reads find: whether this copy is new enough. */
let fresh: boolean[] = [];

before(async () => {
  rig = await Rig.start(2);
  rig.door.fresh = async () => {
    const found = fresh.shift() ?? true;
    await new Promise((settle) => setImmediate(settle));
    return found;
  };
});
after(() => rig.stop());

const warning = '110 gam "This host reaches no leader, so what it shows may be old"';
const spec = (name: string): object => ({
  Name: name,
  TaskTemplate: { ContainerSpec: { Image: "tiny:1" } },
});

const reads = [
  "/services",
  "/services/web",
  "/tasks",
  "/nodes",
  "/nodes/host2",
  "/networks",
  "/networks/ingress",
  "/swarm",
  "/secrets",
  "/configs",
  "/services/web/logs?stdout=1",
];

test("a read that no leader confirmed is answered with a warning, and only that one", async () => {
  await rig.call("POST", "/services/create", spec("web"));
  for (const path of reads) {
    fresh = [false];
    const answer = await rig.call("GET", path);
    assert.deepEqual([answer.status, answer.headers.warning], [200, warning], path);
    assert.equal((await rig.call("GET", path)).headers.warning, undefined, path);
  }
});

test("a refusal that may come from an old copy has the warning, too", async () => {
  fresh = [false];
  const answer = await rig.call("GET", "/services/nosuch");
  assert.deepEqual([answer.status, answer.headers.warning], [404, warning]);
});

test("answers that are read at the same time do not get each other's warning", async () => {
  fresh = Array.from({ length: 20 }, (_, at) => at % 2 === 0);
  const answers = await Promise.all(fresh.map(() => rig.call("GET", "/services")));
  const marked = answers.filter(({ headers }) => headers.warning === warning);
  assert.equal(marked.length, 10);
});

test("what the engine answers keeps its headers, and has the warning if the cluster was asked", async () => {
  rig.engine.on("GET /networks/own", (_call, answer) => {
    answer.setHeader("X-Own", "1");
    json(answer, { Name: "own" });
  });
  fresh = [false];
  const { status, headers } = await rig.call("GET", "/networks/own");
  assert.deepEqual([status, headers["x-own"], headers.warning], [200, "1", warning]);
});

test("a write is never judged by a copy that may be old", async () => {
  const message = 'Cannot write: this host reaches no leader. Run "gam status"';
  const node = { Role: "manager", Availability: "active" };
  const writes: readonly (readonly [method: string, path: string, body?: object])[] = [
    ["DELETE", "/services/nosuch"],
    ["DELETE", "/services/web"],
    ["POST", "/services/nosuch/update?version=1", spec("nosuch")],
    ["POST", "/services/create", spec("web")],
    ["DELETE", "/nodes/host2?force=1"],
    ["POST", "/nodes/host2/update?version=1", node],
    ["POST", "/swarm/update?version=1", {}],
    ["DELETE", "/secrets/nosuch"],
    ["DELETE", "/configs/nosuch"],
    ["POST", "/configs/nosuch/update?version=1", { Name: "nosuch" }],
  ];
  for (const [method, path, body] of writes) {
    fresh = [false];
    const answer = await rig.call(method, path, body);
    assert.deepEqual([answer.status, answer.body], [503, { message }], `${method} ${path}`);
  }
  assert.equal((await rig.call("GET", "/services/web")).status, 200);
});

test("info names a missing leader among its warnings", async () => {
  assert.equal((await rig.call("GET", "/info")).body.Warnings, null);
  rig.door.leader = () => undefined;
  const { Warnings } = (await rig.call("GET", "/info")).body;
  rig.door.leader = () => rig.door.self;
  assert.deepEqual(Warnings, ["WARNING: This host reaches no leader, so what it shows may be old"]);
});
