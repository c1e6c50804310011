import assert from "node:assert/strict";
import { appendFile, mkdir, open, readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { ClusterDoor } from "@gam/api";
import {
  type Check,
  encode,
  type NetworkId,
  type NodeId,
  type SecretId,
  type ServiceId,
} from "@gam/core";
import { freePort } from "@gam/core/testing";
import { type NewNetwork, type NodeRole, spokenDialect, type View } from "@gam/state";
import { checkJoinTokens, checkRecoverReport, checkStatus } from "@gam/state/answers";
import { aService } from "@gam/state/testing";
import { Agent } from "./agent.ts";
import { Disk } from "./disk/disk.ts";
import { HostKey } from "./disk/host-key.ts";
import { guard, init, joinAt, log, own, running, until } from "./testing/running-agent.ts";

/** Reads the agent's answers through JSON, like the gam command. */
function assertReadable<T>(check: Check<T>, answer: T): void {
  const sent = JSON.parse(JSON.stringify(answer));
  assert.deepEqual(check(sent, "answer"), sent);
}

function network(door: ClusterDoor, name: string): NewNetwork {
  return {
    Id: door.mint() as NetworkId,
    Name: name,
    Scope: "swarm",
    Driver: "overlay",
    EnableIPv6: false,
    IPAM: { Driver: "default", Options: null, Config: [] },
    Internal: false,
    Attachable: false,
    Ingress: false,
    ConfigFrom: { Network: "" },
    ConfigOnly: false,
    Options: null,
    Labels: {},
    Gam: { vni: 0, gateways: {}, attachments: {} },
  };
}

test(
  "agents join, write at any peer, leave, and come back from their journals",
  guard,
  async (t) => {
    const [a, b] = [await running(t), await running(t)];
    assert.equal(a.door.state(), "inactive");
    assertReadable(checkStatus, a.door.status());
    const first = await a.door.init(init);
    assert.equal(first, a.door.self);
    await assert.rejects(a.door.init(init), { code: "REFUSED" });
    const ghost = { ...a.door.tokens() }.manager.replace(/^gam-1-.{25}/, `gam-1-${"f".repeat(25)}`);
    assert.equal(await a.door.meet({ token: ghost, addresses: [] }), false);

    await joinAt(b.door, a.door.tokens().manager);
    const second = b.door.self;
    assert.equal(b.door.status().state, "active");
    assertReadable(checkStatus, b.door.status());
    assertReadable(checkJoinTokens, b.door.tokens());

    await b.door.propose([{ kind: "createNetwork", network: network(b.door, "inner") }]);
    const names = (view: View): string[] => view.networks().map(({ Name }) => Name);
    assert.deepEqual(
      names(b.door.view()),
      ["ingress", "inner"],
      "who wrote reads what was written",
    );
    await a.door.fresh();
    assert.deepEqual(
      names(a.door.view()),
      ["ingress", "inner"],
      "a fresh read holds what was acknowledged",
    );
    await assert.rejects(
      a.door.propose([{ kind: "createNetwork", network: network(a.door, "inner") }]),
      { code: "NAME_IN_USE" },
    );

    const again = await b.restart();
    assert.equal(again.self, second);
    // The restart listens at another port: a peer's identity does not depend on its address.
    await until("it knows again what it knew", () => again.view().networks().length === 2);

    await again.leave(false);
    assert.equal(again.state(), "inactive");
    assert.notEqual(again.self, second, "who has left is another peer from then on");
    await until("one node is left", () => a.door.view().nodes().length === 1);
    assert.ok(a.door.view().isRemoved(second));

    await joinAt(again, a.door.tokens().worker);
    assert.equal(again.view().node(again.self)?.Spec.Role, "worker");
  },
);

test("the only voter hands on its vote before it leaves", guard, async (t) => {
  const [a, b] = [await running(t), await running(t)];
  await a.door.init(init);
  await joinAt(b.door, a.door.tokens().manager);
  await a.door.leave(false);
  await until("the other one leads", () => b.door.leader() === b.door.self);
  await b.door.propose([{ kind: "createNetwork", network: network(b.door, "alone") }]);
  assert.equal(b.door.view().nodes().length, 1);
});

test("a wrong or rotated token is refused with the reason", guard, async (t) => {
  const [a, b] = [await running(t), await running(t)];
  await a.door.init(init);
  const old = a.door.tokens().manager;
  const { worker } = a.door.tokens();
  await a.door.rotateTokens(["manager"], []);
  assert.equal(a.door.tokens().worker, worker);
  await assert.rejects(joinAt(b.door, old), {
    code: "NOT_MEMBER",
    message: /token is wrong or was rotated/,
  });
  await assert.rejects(joinAt(b.door, "rubbish"), { code: "BAD_TOKEN" });
  assert.equal(b.door.state(), "inactive");
  assert.equal(a.door.view().nodes().length, 1);
  await joinAt(b.door, a.door.tokens().manager);
  assert.equal(b.door.view().nodes().length, 2);
});

async function turn(asked: ClusterDoor, id: NodeId, role: NodeRole): Promise<void> {
  await asked.fresh();
  const node = asked.view().node(id);
  assert.ok(node !== undefined);
  const basedOn = node.Version.Index;
  await asked.propose([{ kind: "updateNode", id, spec: { ...node.Spec, Role: role }, basedOn }]);
}

test("a worker cannot make itself a manager, and a manager can, both ways", guard, async (t) => {
  const [a, b, c] = [await running(t), await running(t), await running(t)];
  await a.door.init(init);
  await joinAt(b.door, a.door.tokens().manager);
  await joinAt(c.door, a.door.tokens().worker);
  const { self } = c.door;
  await assert.rejects(turn(c.door, self, "manager"), {
    code: "REFUSED",
    message: /updateNode is for managers/,
  });
  assert.throws(() => c.door.tokens(), { code: "NOT_SUPPORTED" });
  const showsTokens = (door: ClusterDoor): boolean => {
    try {
      return door.tokens().worker !== "";
    } catch {
      return false;
    }
  };
  await turn(b.door, self, "manager");
  await until("it has the root key", () => showsTokens(c.door));
  assert.deepEqual(secretsIn(c.door.tokens()), secretsIn(a.door.tokens()));
  await c.door.propose([{ kind: "createNetwork", network: network(c.door, "by-c") }]);

  // The leader votes, so its demotion waits until other managers vote.
  const deposed = a.door.self;
  await turn(b.door, deposed, "worker");
  await until("another leads", () => ![undefined, deposed].includes(b.door.leader()));
  assert.ok(!b.door.voters().includes(deposed));
  await until("it has forgotten the root key", () => !showsTokens(a.door));
  const more = { kind: "createNetwork", network: network(a.door, "by-a") } as const;
  await assert.rejects(a.door.propose([more]), { message: /createNetwork is for managers/ });
  // The role survives a restart, from the node's own disk.
  const again = await a.restart();
  await until("it is back", () => again.leader() !== undefined);
  assert.throws(() => again.tokens(), { code: "NOT_SUPPORTED" });
  await again.leave(false);
  await until("a worker may leave", () => b.door.view().nodes().length === 2);
});

test(
  "the log holds nothing to join with, and every manager shows the same tokens",
  guard,
  async (t) => {
    const [a, b, c] = [await running(t), await running(t), await running(t)];
    await a.door.init(init);
    await joinAt(b.door, a.door.tokens().manager);
    await joinAt(c.door, a.door.tokens().worker);
    assert.deepEqual(secretsIn(b.door.tokens()), secretsIn(a.door.tokens()));
    await b.door.rotateTokens(["worker", "manager"], []);
    await a.door.fresh();
    assert.deepEqual(secretsIn(a.door.tokens()), secretsIn(b.door.tokens()));
    assert.throws(() => c.door.tokens(), { code: "NOT_SUPPORTED" });
    await assert.rejects(c.door.rotateTokens(["manager"], []), { code: "NOT_SUPPORTED" });
    // Everything a worker has: its copy of the state and its data directory.
    const held = Buffer.from(JSON.stringify(c.door.view().cluster));
    const files = await readdir(c.agent.config.dataDir, { recursive: true, withFileTypes: true });
    const contents = await Promise.all(
      files
        .filter((file) => file.isFile())
        .map((file) => readFile(join(file.parentPath, file.name))),
    );
    for (const secret of secretsIn(a.door.tokens())) {
      assert.ok([held, ...contents].every((bytes) => !bytes.includes(secret)));
    }
  },
);

function secretsIn({ worker, manager }: { worker: string; manager: string }): string[] {
  return [worker, manager].map((token) => token.split("-")[3] ?? token);
}

test(
  "the root key is replaced once all have a certificate, and lasts over a restart",
  guard,
  async (t) => {
    const [a, b, c] = [await running(t), await running(t), await running(t)];
    await a.door.init(init);
    const rootOf = (door: ClusterDoor): string => door.view().cluster?.RootPublicKey ?? "";
    const first = rootOf(a.door);
    await a.door.rotateRoot([]);
    await until("a cluster of one has it", () => rootOf(a.door) !== first);
    await joinAt(b.door, a.door.tokens().manager);
    await joinAt(c.door, a.door.tokens().worker);
    await assert.rejects(c.door.rotateRoot([]), {
      code: "NOT_SUPPORTED",
      message: /only managers/,
    });

    const second = rootOf(a.door);
    const [, old] = [await c.agent.stop(), a.door.tokens()];
    await b.door.rotateRoot([]);
    const awaits = (): readonly unknown[] => a.door.status().rootAwaits ?? [];
    await until("only the worker is missing", () => awaits().length === 1);
    assert.deepEqual(awaits(), [c.door.self]);
    // Not the leader: the worker would not find it at another port.
    let again = await b.restart();
    await until("it is there again", () => again.leader() !== undefined);
    assert.equal(rootOf(again), second);
    const doors = [a.door, again, await c.restart()];
    await until("it is replaced", () =>
      doors.every((door) => ![second, ""].includes(rootOf(door))),
    );
    again = await b.restart();
    await until("it is among the others", () => again.leader() !== undefined);
    const late = await running(t);
    await assert.rejects(joinAt(late.door, old.worker), { message: /before its root key was/ });
    await joinAt(late.door, again.tokens().worker);
    assert.equal(late.door.view().nodes().length, 4);
  },
);

for (const name of ["place.json.tmp", "credentials.json.tmp"]) {
  test(
    `a disk that does not take ${name} is found before the cluster hears of the host`,
    guard,
    async (t) => {
      const [a, b] = [await running(t), await running(t)];
      await a.door.init(init);
      const token = a.door.tokens().manager;
      const inTheWay = join(b.agent.config.dataDir, name);
      await mkdir(inTheWay);
      await assert.rejects(joinAt(b.door, token), {
        code: "DISK_FAILED",
        message: /Cannot write to/,
      });
      assert.equal(b.door.state(), "inactive");
      await a.door.fresh();
      assert.equal(a.door.view().nodes().length, 1);
      await rm(inTheWay, { recursive: true, force: true });
      await joinAt(b.door, token);
      assert.equal(a.door.view().nodes().length, 2);
    },
  );
}

/** Returns: the files in a folder by path, with the time of their last change. */
async function contentOf(folder: string): Promise<unknown> {
  const names = (await readdir(folder, { recursive: true })).sort();
  return await Promise.all(
    names.map(async (name) => {
      const path = join(folder, name);
      const found = await stat(path);
      return [name, found.isFile() ? [await readFile(path), found.mtimeMs] : []];
    }),
  );
}

test(
  "a downgraded member does not start, says why, and leaves its disk as it was",
  guard,
  async (t) => {
    const a = await running(t);
    await a.door.init(init);
    const { dataDir } = a.agent.config;
    await a.agent.stop();
    const folder = join(dataDir, "journal");
    const [name = ""] = await readdir(folder);
    const { cipher } = await HostKey.open(dataDir);
    const { disk, recovered } = await Disk.open(folder, cipher);
    recovered.journal.speak(spokenDialect.newest + 1);
    const step = recovered.journal.take();
    assert.ok(step !== undefined && step.file === name);
    await disk.perform(step);
    await disk.close();
    // Append a torn record, which any other start would cut off.
    const written = await readFile(join(folder, name));
    await appendFile(join(folder, name), written.subarray(0, 9));
    const before = await contentOf(dataDir);
    for (const salvage of ["off", "on"]) {
      await assert.rejects(a.restart({ GAM_SALVAGE: salvage }), {
        code: "NOT_SUPPORTED",
        message: /newer gam has written it .*Start the newer version again; nothing was changed/,
      });
    }
    assert.deepEqual(await contentOf(dataDir), before);
  },
);

test("a member without its journal does not start, and names the remedy", guard, async (t) => {
  const a = await running(t);
  await a.door.init(init);
  const folder = a.agent.config.dataDir;
  await a.agent.stop();
  await rm(join(folder, "journal"), { recursive: true });
  await assert.rejects(a.restart(), { code: "CORRUPT_FILE", message: /gam join TOKEN/ });
});

test(
  "after a crash while leaving, a restart removes the rest of the membership",
  guard,
  async (t) => {
    const a = await running(t);
    const was = await a.door.init(init);
    const folder = a.agent.config.dataDir;
    await a.agent.stop();
    await rm(join(folder, "credentials.json"));
    const again = await a.restart();
    assert.equal(again.state(), "inactive");
    assert.notEqual(again.self, was, "its promises are deleted, so it must be another peer");
    assert.deepEqual((await readdir(folder)).sort(), ["host.key", "identity.json", "lock"]);
    await again.init(init);
  },
);

test("a survivor continues alone, and the others come back as members", guard, async (t) => {
  const [a, b, c] = [
    await running(t, await freePort()),
    await running(t, await freePort()),
    await running(t, await freePort()),
  ];
  await a.door.init(init);
  const lives = (): (number | undefined)[] =>
    [a, b, c].map(({ agent }) => agent.door().status().life);
  for (const { door } of [b, c]) await joinAt(door, a.door.tokens().manager);
  await until("three vote", () => a.door.voters().length === 3);
  await a.door.propose([{ kind: "createNetwork", network: network(a.door, "before") }]);
  await assert.rejects(a.door.recover(true), { code: "REFUSED", message: /there is a leader/ });

  await b.agent.stop();
  await c.agent.stop();
  await until("there is no leader", () => a.door.leader() === undefined);
  const report = await a.door.recoverReport();
  assertReadable(checkRecoverReport, report);
  assert.equal(report.refusal, "");
  assert.deepEqual(report.doubts, []);
  assert.deepEqual(
    report.hosts.map(({ isSelf, votes, answers }) => [isSelf, votes, answers]).sort(),
    [
      [false, true, false],
      [false, true, false],
      [true, true, true],
    ],
  );
  const before = a.door.view().networks();
  await a.door.recover(false);
  assert.equal(a.door.leader(), a.door.self);
  assert.deepEqual(a.door.view().networks(), before);
  await a.door.propose([{ kind: "createNetwork", network: network(a.door, "after") }]);

  await Promise.all([b.restart(), c.restart()]);
  await until("all are in the second life", () => lives().every((life) => life === 2));
  await until("three vote again", () => a.door.voters().length === 3);
  const again = b.agent.door();
  await until("b has it all", () => again.view().networks().length === before.length + 1);
  assert.equal(again.leader(), a.door.self);
  await again.propose([{ kind: "createNetwork", network: network(again, "by-b") }]);
  await until("b outlives a restart", () => again.view().nodes().length === 3);
  const third = await b.restart();
  await until("b is back", () => third.leader() !== undefined);
  assert.deepEqual(lives(), [2, 2, 2]);
  assert.deepEqual(a.door.status().rivals, []);
});

test(
  "a spoilt journal is refused, and a recovery can continue with its whole part",
  guard,
  async (t) => {
    const a = await running(t);
    await a.door.init(init);
    const folder = join(a.agent.config.dataDir, "journal");
    const [file = ""] = await readdir(folder);
    const { size } = await stat(join(folder, file));
    await a.door.propose([{ kind: "createNetwork", network: network(a.door, "before") }]);
    const spoilt = (await stat(join(folder, file))).size;
    await a.door.propose([{ kind: "createNetwork", network: network(a.door, "behind") }]);
    await a.agent.stop();
    assert.ok(spoilt > size);
    const handle = await open(join(folder, file), "r+");
    await handle.write(Buffer.alloc(8), 0, 8, spoilt + 20);
    await handle.close();
    await assert.rejects(a.restart(), { code: "CORRUPT_FILE", message: /--salvage on/ });

    const mute = await a.restart({ GAM_SALVAGE: "on" });
    assert.equal(mute.status().isMute, true);
    assert.equal((await mute.recoverReport()).refusal, "");
    await mute.recover(false);
    assert.equal(mute.status().isMute, false);
    const names = (door: ClusterDoor): string[] =>
      door
        .view()
        .networks()
        .map(({ Name }) => Name);
    assert.deepEqual(names(mute).sort(), ["before", "ingress"]);
    const again = await a.restart();
    await until("it leads", () => again.leader() === again.self);
    assert.deepEqual(names(again).sort(), ["before", "ingress"]);
  },
);

test("a second agent on the same data directory does not start", guard, async (t) => {
  const a = await running(t);
  await a.door.init(init);
  const second = Agent.start(a.agent.config, log, own, () => undefined);
  await assert.rejects(second, { code: "IN_USE", message: /another agent uses it/ });
});

const mark = "MARK-that-only-managers-may-read";

/** Everything that the state holds, as bytes. */
function everythingIn(view: View): Buffer {
  const objects = [view.cluster, view.services(), view.tasks(), view.secrets(), view.nodes()];
  return Buffer.from(encode(objects));
}

async function makeSecret(door: ClusterDoor): Promise<SecretId> {
  const id = door.mint() as SecretId;
  const content = { version: 1, ...door.sealer().sealSecret(id, 1, Buffer.from(mark)) };
  await door.propose([{ kind: "createSecret", id, spec: { Name: "pw", Labels: {} }, content }]);
  return id;
}

function opens(door: ClusterDoor, id: SecretId): boolean {
  const secret = door.view().secret(id);
  if (secret === undefined) return false;
  try {
    return Buffer.from(door.sealer().openSecret(secret, 1)).toString() === mark;
  } catch {
    return false;
  }
}

test(
  "a worker's state has no secret that it could read, and a new manager reads them",
  guard,
  async (t) => {
    const [a, w] = [await running(t), await running(t)];
    await a.door.init(init);
    await joinAt(w.door, a.door.tokens().worker);
    const id = await makeSecret(a.door);
    const service = a.door.mint() as ServiceId;
    const registryAuth = a.door.sealer().sealCredentials(service, mark);
    await a.door.propose([{ ...aService("web", { replicas: 0 }), id: service, registryAuth }]);
    await until("it has the secret", () => w.door.view().service(service) !== undefined);
    assert.ok(everythingIn(w.door.view()).includes(Buffer.from(registryAuth.sealed)));
    assert.ok(!everythingIn(w.door.view()).includes(mark));
    const secret = w.door.view().secret(id);
    assert.ok(secret);
    assert.throws(() => w.door.sealer().openSecret(secret, 1), { code: "NOT_SUPPORTED" });

    const node = w.door.view().node(w.door.self);
    assert.ok(node);
    const spec = { ...node.Spec, Role: "manager" } as const;
    await a.door.propose([{ kind: "updateNode", id: node.ID, spec, basedOn: node.Version.Index }]);
    await until("it opens the secret", () => opens(w.door, id));
  },
);

test(
  "a new root key brings a new sealing key, and everything is sealed with it",
  guard,
  async (t) => {
    const [a, b] = [await running(t), await running(t)];
    await a.door.init(init);
    await joinAt(b.door, a.door.tokens().manager);
    const id = await makeSecret(b.door);
    const keyOf = (): string | undefined => a.door.view().secret(id)?.Gam.contents[0]?.key;
    await a.door.fresh();
    const before = keyOf();
    assert.equal(before, a.door.view().cluster?.SealingKeys[0]?.ID);
    await a.door.rotateRoot([]);
    assert.equal(a.door.view().cluster?.SealingKeys.length, 2);
    await until("all is sealed anew", () => {
      const keys = a.door.view().cluster?.SealingKeys ?? [];
      return keys.length === 1 && keys[0]?.ID === keyOf();
    });
    assert.notEqual(keyOf(), before);
    await b.door.fresh();
    for (const { door } of [a, b]) assert.ok(opens(door, id));
  },
);
