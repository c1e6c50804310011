import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { json } from "./testing/fake-engine.ts";
import { Rig } from "./testing/rig.ts";

let rig: Rig;

before(async () => {
  rig = await Rig.start(2);
});
after(() => rig.stop());

test("a network has one name, whichever side it is on", async () => {
  rig.engine.on("GET /networks", (_call, answer) =>
    json(answer, [
      { Id: "e1", Name: "mine", Labels: {} },
      { Id: "e2", Name: "ours", Labels: { "gam.network": "n1" } },
    ]),
  );
  const made = async (body: object): Promise<[number, string | undefined]> => {
    const answer = await rig.call("POST", "/networks/create", body);
    return [answer.status, answer.body.message];
  };
  const taken = (name: string): string => `network with name ${name} already exists`;
  assert.deepEqual(await made({ Name: "mine", Driver: "overlay" }), [409, taken("mine")]);
  assert.equal((await made({ Name: "ours", Driver: "overlay" }))[0], 201);
  assert.deepEqual(await made({ Name: "ours", Driver: "bridge" }), [409, taken("ours")]);
  assert.deepEqual(await made({ Name: "ours" }), [409, taken("ours")]);
  assert.equal((await rig.call("DELETE", "/networks/ours")).status, 204);
});
