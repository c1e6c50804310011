import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { GamError } from "@gam/core";
import { json } from "@gam/engine/testing";
import { type Answered, Rig } from "../testing/rig.ts";

let rig: Rig;

before(async () => {
  rig = await Rig.start(2);
});
after(() => rig.stop());

/** The host of the socket under test. */
function become(role: "manager" | "worker"): void {
  const node = rig.door.store.node(rig.door.self);
  assert.ok(node);
  const spec = { ...node.Spec, Role: role };
  rig.door.apply([{ kind: "updateNode", id: node.ID, spec, basedOn: node.Version.Index }]);
}

const managersCalls = [
  "GET /swarm",
  "POST /swarm/update?version=1&rotateManagerToken=true",
  "POST /swarm/update?version=1",
  "GET /swarm/unlockkey",
  "POST /swarm/unlock",
  "GET /nodes",
  "GET /v1.44/nodes/self",
  "GET /nodes/aaa0000000000000000000000",
  "POST /nodes/aaa0000000000000000000000/update?version=1",
  "DELETE /nodes/aaa0000000000000000000000?force=1",
  "GET /services",
  "POST /services/create",
  "GET /services/web",
  "POST /services/web/update?version=1",
  "DELETE /services/web",
  "GET /services/web/logs?stdout=1",
  "GET /tasks",
  "GET /tasks/t1",
  "GET /tasks/t1/logs?stdout=1",
  "GET /secrets",
  "POST /secrets/create",
  "GET /configs",
  "POST /configs/create",
  "GET /gam/v1/jobs",
  "GET /gam/v1/jobs/web",
  "GET /gam/v1/jobs/web/logs?stdout=1",
  "POST /gam/v1/jobs/web/run",
  "GET /gam/v1/token",
  "POST /gam/v1/token/rotate",
  "GET /%73ervices",
  "GET //tasks",
] as const;

test("a worker's socket refuses all calls about the cluster with Swarm's text", async () => {
  become("worker");
  for (const call of managersCalls) {
    const [method = "", path = ""] = call.split(" ");
    const answer = await rig.call(method, path, method === "POST" ? {} : undefined);
    assert.equal(answer.status, 503, call);
    assert.match(answer.body.message, /^This node is not a swarm manager\. Worker nodes can't/);
    assert.doesNotMatch(answer.text, /gam-1-/);
  }
  const overlay = { Name: "front", Driver: "overlay", Attachable: true };
  const made = await rig.call("POST", "/networks/create", overlay);
  assert.deepEqual(
    [made.status, made.body.message.slice(0, 34)],
    [503, "This node is not a swarm manager. "],
  );
  const ingress = await rig.call("DELETE", "/networks/ingress");
  assert.equal(ingress.status, 503);
  for (const path of ["/swarm/init", "/swarm/join"]) {
    const again = await rig.call("POST", path, {});
    assert.match(again.body.message, /^This node is already part of a swarm/);
  }
  become("manager");
});

test("a worker's socket passes on engine calls, and shows the node's own networks and its role", async () => {
  become("worker");
  const { Swarm } = (await rig.call("GET", "/info")).body;
  assert.deepEqual(Object.keys(Swarm), [
    "NodeID",
    "NodeAddr",
    "LocalNodeState",
    "ControlAvailable",
    "Error",
    "RemoteManagers",
  ]);
  assert.deepEqual([Swarm.LocalNodeState, Swarm.ControlAvailable], ["active", false]);
  assert.equal((await rig.call("HEAD", "/_ping")).headers.swarm, "active/worker");
  rig.engine.on("GET /containers/json", (_call, answer) => json(answer, [{ Id: "c" }]));
  assert.deepEqual((await rig.call("GET", "/containers/json")).body, [{ Id: "c" }]);
  assert.equal((await rig.call("GET", "/gam/v1/status")).status, 200);
  assert.equal((await rig.call("GET", "/gam/v1/doctor")).status, 200);
  const names = (body: { Name: string }[]): string[] => body.map(({ Name }) => Name);
  assert.deepEqual(names((await rig.call("GET", "/networks")).body), ["ingress"]);
  const { store, self } = rig.door;
  const [network] = store.networks();
  assert.ok(network);
  rig.door.apply([{ kind: "setGateways", id: network.Id, gateways: { [self]: "" } }]);
  assert.deepEqual(names((await rig.call("GET", "/networks")).body), []);
  become("manager");
  assert.equal((await rig.call("GET", "/info")).body.Swarm.ControlAvailable, true);
});

test("a worker shows no token", async () => {
  become("worker");
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
  become("manager");
  assert.equal((await rig.call("GET", "/nodes")).body.length, 2);
});

/** Reads the settings and sends them back, as the docker client does. */
async function update(query: string, AutoLockManagers: boolean): Promise<Answered> {
  const { Spec, Version } = (await rig.call("GET", "/swarm")).body;
  const spec = { ...Spec, EncryptionConfig: { AutoLockManagers } };
  return await rig.call("POST", `/swarm/update?version=${Version.Index}${query}`, spec);
}

const lockedText =
  'Swarm is encrypted and needs to be unlocked before it can be used. Please use "docker swarm unlock" to unlock it.';

test("autolock goes on and off, and its key is shown and replaced", async () => {
  const key = async (): Promise<string> =>
    (await rig.call("GET", "/swarm/unlockkey")).body.UnlockKey;
  assert.equal(await key(), "");
  assert.equal((await update("", true)).status, 200);
  const first = await key();
  assert.match(first, /^SWMKEY-1-/);
  assert.equal((await update("", true)).status, 200);
  assert.equal(await key(), first, "another update keeps it");
  assert.equal((await update("&rotateManagerUnlockKey=true", true)).status, 200);
  const second = await key();
  assert.notEqual(second, first);
  const unlocked = await rig.call("POST", "/swarm/unlock", { UnlockKey: second });
  assert.deepEqual([unlocked.status, unlocked.body.message], [409, "swarm is not locked"]);
  assert.equal((await update("", false)).status, 200);
  assert.equal(await key(), "");
});

test("a locked manager refuses all calls about the cluster in Swarm's words, until it is unlocked", async () => {
  await update("", true);
  const { UnlockKey } = (await rig.call("GET", "/swarm/unlockkey")).body;
  rig.door.lock();
  for (const call of [...managersCalls, "GET /gam/v1/doctor"]) {
    if (call === "POST /swarm/unlock") continue;
    const [method = "", path = ""] = call.split(" ");
    const answer = await rig.call(method, path, method === "POST" ? {} : undefined);
    assert.deepEqual([answer.status, answer.body.message], [503, lockedText], call);
  }
  const overlay = await rig.call("POST", "/networks/create", { Name: "n", Driver: "overlay" });
  assert.deepEqual([overlay.status, overlay.body.message], [503, lockedText]);
  assert.deepEqual((await rig.call("GET", "/info")).body.Swarm, {
    NodeID: "",
    NodeAddr: "",
    LocalNodeState: "locked",
    ControlAvailable: false,
    Error: lockedText,
    RemoteManagers: null,
  });
  assert.equal((await rig.call("HEAD", "/_ping")).headers.swarm, "locked");
  assert.equal((await rig.call("GET", "/gam/v1/status")).body.state, "locked");
  // A network that the engine does not have may be one of the cluster.
  rig.engine.on("GET /networks/local", (_call, answer) => json(answer, { Name: "local" }));
  const run = { Image: "x", HostConfig: { NetworkMode: "shop" } };
  for (const [method, path, body] of [
    ["POST", "/containers/create", run],
    ["POST", "/networks/shop/connect", { Container: "c" }],
    ["POST", "/networks/shop/disconnect", { Container: "c" }],
    ["GET", "/networks/shop", undefined],
    ["DELETE", "/networks/shop", undefined],
  ] as const) {
    const answer = await rig.call(method, path, body);
    assert.deepEqual([answer.status, answer.body.message], [503, lockedText], `${method} ${path}`);
  }
  assert.equal((await rig.call("GET", "/networks/local")).body.Name, "local");
  // Calls for the engine pass.
  rig.engine.on("GET /containers/json", (_call, answer) => json(answer, [{ Id: "c" }]));
  assert.deepEqual((await rig.call("GET", "/containers/json")).body, [{ Id: "c" }]);
  const leave = await rig.call("POST", "/swarm/leave");
  assert.deepEqual(
    [leave.status, leave.body.message],
    [
      503,
      "Swarm is encrypted and locked. Please unlock it first or use `--force` to ignore this message.",
    ],
  );
  for (const path of ["/swarm/init", "/swarm/join"]) {
    const again = await rig.call("POST", path, {});
    assert.match(again.body.message, /^This node is already part of a swarm/, path);
  }
  const wrong = await rig.call("POST", "/swarm/unlock", { UnlockKey: "SWMKEY-1-no" });
  assert.deepEqual(
    [wrong.status, wrong.body.message],
    [401, "swarm could not be unlocked: invalid key provided"],
  );
  assert.equal((await rig.call("POST", "/swarm/unlock", { UnlockKey })).status, 200);
  assert.equal((await rig.call("GET", "/nodes")).status, 200);
  rig.door.lock();
  assert.equal((await rig.call("POST", "/gam/v1/unlock", { key: UnlockKey })).status, 200);
  await update("", false);
});

test("a manager that no other one can replace leaves only by force", async () => {
  rig.door.reachable = () => false;
  const { length } = rig.door.store.nodes();
  const refused = await rig.call("POST", "/swarm/leave");
  assert.equal(refused.status, 503);
  assert.match(
    refused.body.message,
    new RegExp(`Removing this node leaves 0 managers out of ${length}\\. Without a Raft quorum`),
  );
  rig.door.reachable = () => true;
});

test("a node that cannot leave without a leader gets --force as advice", async () => {
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

test("Swarm's port is dropped from addresses, unless the client makes us listen there", async () => {
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

test("the subnet pools and the port of the data path are those of init", async () => {
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

test("a data path address is refused unless it is the advertised address", async () => {
  await rig.call("POST", "/swarm/leave?force=1");
  const body = { ListenAddr: "0.0.0.0:2377", AdvertiseAddr: "10.0.0.1" };
  const refused = await rig.call("POST", "/swarm/init", { ...body, DataPathAddr: "10.9.0.1" });
  assert.equal(refused.status, 501);
  assert.match(refused.body.message, /Leave out --data-path-addr$/);
  for (const more of [
    { DataPathAddr: "10.0.0.1" },
    { AdvertiseAddr: "10.0.0.1:7946", DataPathAddr: "10.0.0.1" },
    { AdvertiseAddr: "lo", DataPathAddr: "127.0.0.1" },
    { AdvertiseAddr: "127.0.0.1", DataPathAddr: "lo" },
  ]) {
    await rig.call("POST", "/swarm/leave?force=1");
    const made = await rig.call("POST", "/swarm/init", { ...body, ...more });
    assert.equal(made.status, 200, made.text);
  }
});

test("a forced new cluster is a recovery on a member, and a plain init elsewhere", async () => {
  const body = { ListenAddr: "0.0.0.0:2377", ForceNewCluster: true };
  const forced = await rig.call("POST", "/swarm/init", body);
  assert.deepEqual([forced.status, forced.body], [200, rig.door.self]);
  assert.deepEqual(rig.door.recovered, [true]);
  await rig.call("POST", "/swarm/leave?force=1");
  assert.equal((await rig.call("POST", "/swarm/init", body)).status, 200);
  assert.equal(rig.door.begun.at(-1)?.availability, "active");
});

test("a token that a member refuses is refused in Swarm's words, with the reason", async () => {
  await rig.call("POST", "/swarm/leave?force=1");
  rig.door.joinFailure = new GamError("NOT_MEMBER", "the token is wrong or was rotated");
  const join = { ListenAddr: "0.0.0.0:2377", JoinToken: "gam-1-x" };
  const refused = await rig.call("POST", "/swarm/join", join);
  rig.door.joinFailure = undefined;
  assert.deepEqual(
    [refused.status, refused.body.message],
    [
      400,
      "rpc error: code = InvalidArgument desc = A valid join token is necessary to join this cluster: the token is wrong or was rotated",
    ],
  );
});
