import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Rig } from "../testing/rig.ts";

let rig: Rig;

before(async () => {
  rig = await Rig.start(1);
});
after(() => rig.stop());

async function call(body?: object): Promise<{ status: number; body: unknown }> {
  const path = "/gam/v1/policy";
  const method = body === undefined ? "GET" : "POST";
  const { status, body: answer } = await rig.call(method, path, body);
  return { status, body: answer };
}

const rows = (change: Record<string, string[]> = {}): object[] =>
  [
    ["privileged", []],
    ["devices", []],
    ["host-namespaces", []],
    ["host-network", ["*"]],
    ["host-paths", ["*"]],
  ].map(([power, services]) => ({ power, services: change[power as string] ?? services }));

test("the policy is as in Swarm until somebody changes it", async () => {
  assert.deepEqual(await call(), { status: 200, body: { powers: rows(), breaches: [] } });
});

test("names are added and removed", async () => {
  const added = await call({ power: "privileged", allow: ["shop_*", "mon"] });
  assert.deepEqual(added.body, { powers: rows({ privileged: ["mon", "shop_*"] }), breaches: [] });
  const removed = await call({ power: "privileged", deny: ["mon"] });
  assert.deepEqual(removed.body, { powers: rows({ privileged: ["shop_*"] }), breaches: [] });
  const none = await call({ power: "privileged", deny: [] });
  assert.deepEqual(none.body, { powers: rows(), breaches: [] });
});

const refusals: readonly (readonly [body: object, want: RegExp])[] = [
  [{ power: "root", allow: ["x"] }, /"root" is no power: use privileged, devices, /],
  [{ power: "devices", allow: ["a b"] }, /"a b" is no name of services: use the name/],
  [
    { power: "devices", deny: ["x"] },
    /the policy allows devices to no service: "x" is none of these/,
  ],
  [{ power: "host-paths", deny: ["x"] }, /the policy allows host-paths to \*: "x" is none/],
  [{ allow: ["x"] }, /power/],
];

for (const [body, want] of refusals) {
  test(`the policy refuses ${JSON.stringify(body)}`, async () => {
    const answer = await call(body);
    assert.equal(answer.status, 400);
    assert.match(JSON.stringify(answer.body), new RegExp(want.source.replaceAll('"', '\\\\"')));
  });
}
