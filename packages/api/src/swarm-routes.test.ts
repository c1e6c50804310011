import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { GamError } from "@gam/core";
import { Rig } from "./testing/rig.ts";

let rig: Rig;

before(async () => {
  rig = await Rig.start(2);
});
after(() => rig.stop());

test("a worker shows nobody a token", async () => {
  const node = rig.door.store.node(rig.door.self);
  assert.ok(node);
  const spec = { ...node.Spec, Role: "worker" as const };
  rig.door.apply([{ kind: "updateNode", id: node.ID, spec, basedOn: node.Version.Index }]);
  for (const [method, path] of [
    ["GET", "/swarm"],
    ["POST", "/swarm/update?version=1&rotateManagerToken=true"],
    ["GET", "/gam/v1/token"],
    ["POST", "/gam/v1/token/rotate"],
  ] as const) {
    const answer = await rig.call(method, path, method === "POST" ? {} : undefined);
    assert.equal(answer.status, 503, path);
    assert.match(answer.body.message, /promote the current node to a manager\.$/);
    assert.doesNotMatch(answer.text, /gam-1-/);
  }
  assert.equal((await rig.call("GET", "/nodes")).body.length, 2);
});

test("who cannot tell the others that it leaves is told how to", async () => {
  rig.door.failure = new GamError(
    "NO_LEADER",
    "Cannot write: no leader took the write within 10 s",
  );
  const refused = await rig.call("POST", "/swarm/leave");
  assert.equal(refused.status, 503);
  assert.equal(
    refused.body.message,
    "Cannot write: no leader took the write within 10 s. Use `--force` to leave without telling the others.",
  );
  assert.equal((await rig.call("POST", "/swarm/leave?force=1")).status, 200);
});

test("Swarm's own port is nowhere that anybody listens, unless the client says so", async () => {
  for (const [ListenAddr, AdvertiseAddr, want] of [
    ["0.0.0.0:2377", "10.0.0.1:2377", "10.0.0.1"],
    ["0.0.0.0:2377", "eth0", "eth0"],
    ["0.0.0.0:2377", "10.0.0.1:7000", "10.0.0.1:7000"],
    ["10.0.0.1:2377", "10.0.0.1:2377", "10.0.0.1:2377"],
  ]) {
    await rig.call("POST", "/swarm/leave?force=1");
    const made = await rig.call("POST", "/swarm/init", { ListenAddr, AdvertiseAddr });
    assert.equal(made.status, 200, made.text);
    assert.equal(rig.door.begun.at(-1)?.advertiseAddr, want);
  }
});

test("pools of subnets and the port of the data path are what init said", async () => {
  await rig.call("POST", "/swarm/leave?force=1");
  const made = await rig.call("POST", "/swarm/init", {
    ListenAddr: "0.0.0.0:2377",
    DefaultAddrPool: ["10.20.0.0/16"],
    SubnetSize: 26,
    DataPathPort: 7777,
  });
  assert.equal(made.status, 200, made.text);
  for (const shown of [
    (await rig.call("GET", "/info")).body.Swarm.Cluster,
    (await rig.call("GET", "/swarm")).body,
  ]) {
    const { DefaultAddrPool, SubnetSize, DataPathPort } = shown;
    assert.deepEqual([DefaultAddrPool, SubnetSize, DataPathPort], [["10.20.0.0/16"], 26, 7777]);
  }
});

test("a data path of its own is refused, and one that is the advertised address is not", async () => {
  await rig.call("POST", "/swarm/leave?force=1");
  const body = { ListenAddr: "0.0.0.0:2377", AdvertiseAddr: "10.0.0.1" };
  const refused = await rig.call("POST", "/swarm/init", { ...body, DataPathAddr: "10.9.0.1" });
  assert.equal(refused.status, 501);
  assert.match(refused.body.message, /leave out --data-path-addr$/);
  const made = await rig.call("POST", "/swarm/init", { ...body, DataPathAddr: "10.0.0.1" });
  assert.equal(made.status, 200, made.text);
});
