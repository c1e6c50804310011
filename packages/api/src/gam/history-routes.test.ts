import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { checkServiceDifference, checkServiceHistory } from "@gam/state/answers";
import { Rig } from "../testing/rig.ts";

let rig: Rig;

before(async () => {
  rig = await Rig.start(2);
  await rig.call("POST", "/services/create", spec("app:1", 2));
  await update("app:2", 2);
  await update("app:2", 5);
});
after(() => rig.stop());

function spec(image: string, replicas: number): object {
  return {
    Name: "web",
    TaskTemplate: { ContainerSpec: { Image: image } },
    Mode: { Replicated: { Replicas: replicas } },
  };
}

async function update(image: string, replicas: number): Promise<void> {
  const { body } = await rig.call("GET", "/services/web");
  const path = `/services/web/update?version=${body.Version.Index}`;
  assert.equal((await rig.call("POST", path, spec(image, replicas))).status, 200);
}

const path = "/gam/v1/services/web";
const image = "TaskTemplate.ContainerSpec.Image";

test("a service's history, what was different, and the way back", async () => {
  const { body } = await rig.call("GET", `${path}/history`);
  const { revisions } = checkServiceHistory(body, "history");
  assert.deepEqual(
    revisions.map((one) => [one.number, one.image, one.changes.map((change) => change.path)]),
    [
      [1, "app:1", []],
      [2, "app:2", ["Mode.Replicated.Replicas", image].sort().reverse()],
    ],
  );
  const found = checkServiceDifference((await rig.call("GET", `${path}/diff`)).body, "diff");
  assert.deepEqual([found.from, found.to], [1, 2]);
  assert.ok(found.changes.some(({ before, after }) => before === '"app:1"' && after === '"app:2"'));
  assert.equal((await rig.call("POST", `${path}/rollback`, { to: 1 })).status, 200);
  const now = (await rig.call("GET", "/services/web")).body.Spec;
  assert.equal(now.TaskTemplate.ContainerSpec.Image, "app:1");
  assert.equal(now.Mode.Replicated.Replicas, 5, "as many as before");
  const later = checkServiceHistory((await rig.call("GET", `${path}/history`)).body, "history");
  assert.deepEqual(
    later.revisions.map(({ number }) => number),
    [1, 2, 3],
  );
});

for (const [name, method, url, body, status, message] of [
  [
    "a revision that is not kept",
    "GET",
    "/diff?from=9",
    undefined,
    404,
    /has no earlier revision 9: kept/,
  ],
  ["no number", "GET", "/diff?to=x", undefined, 400, /^Cannot read to: "x" is no revision/],
  ["a rollback to nowhere", "POST", "/rollback", { to: 99 }, 404, /has no earlier revision 99/],
  ["a rollback to the present", "POST", "/rollback", { to: 3 }, 404, /3 is the present one/],
  ["a rollback without a number", "POST", "/rollback", {}, 400, /body\.to/],
] as const) {
  test(`${name} is refused`, async () => {
    const answer = await rig.call(method, `${path}${url}`, body);
    assert.equal(answer.status, status);
    assert.match(answer.body.message, message);
  });
}

test("a service that was never updated has no earlier revision", async () => {
  await rig.call("POST", "/services/create", { ...spec("app:1", 1), Name: "new" });
  const { status, body } = await rig.call("GET", "/gam/v1/services/new/diff");
  assert.equal(status, 404);
  assert.match(body.message, /has no earlier revision 0: its only one is 1/);
});
