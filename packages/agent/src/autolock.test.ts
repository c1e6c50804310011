import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { ClusterDoor } from "@gam/api";
import type { NodeId } from "@gam/core";
import { freePort } from "@gam/core/testing";
import { makeUnlockKey } from "@gam/mesh";
import { checkStatus } from "@gam/state/answers";
import { HostKey } from "./disk/host-key.ts";
import { guard, init, joinAt, running, until } from "./testing/running-agent.ts";

const locked = {
  ...init,
  spec: { ...init.spec, EncryptionConfig: { AutoLockManagers: true } },
};

async function setAutolock(door: ClusterDoor, isOn: boolean, isNew = false): Promise<void> {
  await door.fresh();
  const { cluster } = door.view();
  assert.ok(cluster !== undefined);
  const spec = { ...cluster.Spec, EncryptionConfig: { AutoLockManagers: isOn } };
  const unlockKey = isNew ? door.newUnlockKey() : undefined;
  await door.propose([{ kind: "updateCluster", spec, basedOn: cluster.Version.Index, unlockKey }]);
}

test(
  "a manager that restarts while locked takes no part until it is unlocked",
  guard,
  async (t) => {
    const a = await running(t);
    const self = await a.door.init(locked);
    const key = a.door.unlockKey();
    assert.match(key, /^SWMKEY-1-[A-Za-z0-9+/]{43}$/);

    const again = await a.restart();
    assert.equal(again.state(), "locked");
    assert.equal(again.self, "");
    const status = JSON.parse(JSON.stringify(again.status()));
    assert.equal(checkStatus(status, "status").state, "locked");
    assert.deepEqual(again.view().nodes(), []);
    await assert.rejects(again.init(init), { code: "REFUSED" });
    await assert.rejects(again.leave(false), { code: "NOT_MEMBER" });
    await assert.rejects(again.unlock("rubbish"), { code: "BAD_REQUEST" });
    const wrong = `SWMKEY-1-${Buffer.from(makeUnlockKey()).toString("base64").slice(0, 43)}`;
    await assert.rejects(again.unlock(wrong), {
      code: "BAD_TOKEN",
      message: "swarm could not be unlocked: invalid key provided",
    });
    assert.equal(again.state(), "locked");

    await again.unlock(key);
    assert.equal(again.self, self);
    await until("it leads again", () => again.leader() === self);
    assert.equal(again.unlockKey(), key);
    await assert.rejects(again.unlock(key), { code: "IN_USE", message: "swarm is not locked" });
    await setAutolock(again, false);
    assert.equal(again.unlockKey(), "");
    const open = await a.restart();
    assert.equal(open.state(), "active");
  },
);

test(
  "the others go on without a locked manager, and it rejoins when it is unlocked",
  guard,
  async (t) => {
    const [a, b, c] = [
      await running(t, await freePort()),
      await running(t, await freePort()),
      await running(t, await freePort()),
    ];
    await a.door.init(init);
    for (const { door } of [b, c]) await joinAt(door, a.door.tokens().manager);
    await until("three vote", () => a.door.voters().length === 3);
    await setAutolock(a.door, true, true);
    const first = a.door.unlockKey();
    await b.door.fresh();
    assert.equal(b.door.unlockKey(), first, "every manager shows the same key");
    await c.door.fresh();
    const self = c.door.self;
    const again = await c.restart();
    assert.equal(again.state(), "locked");
    await until("the others do not hear it", () => !a.door.reachable(self));
    // It was down while the key changed, so it unlocks with the key of the time when it last ran.
    await setAutolock(a.door, true, true);
    const second = a.door.unlockKey();
    assert.notEqual(second, first);
    await assert.rejects(again.unlock(second), { code: "BAD_TOKEN" });
    await again.unlock(first);
    await until("it is a member again", () => a.door.reachable(self));
    await until("it knows the new key", () => again.unlockKey() === second);
    await again.fresh();
    await setAutolock(again, true);
    const third = await c.restart();
    await assert.rejects(third.unlock(first), { code: "BAD_TOKEN" });
    await third.unlock(second);
    assert.equal(third.self, self);
  },
);

test("a worker is never locked, and a promoted one is", guard, async (t) => {
  const [a, b] = [await running(t, await freePort()), await running(t, await freePort())];
  await a.door.init(locked);
  await joinAt(b.door, a.door.tokens().worker);
  const id = b.door.self;
  const turn = async (Role: "manager" | "worker"): Promise<void> => {
    await a.door.fresh();
    const node = a.door.view().node(id);
    assert.ok(node !== undefined);
    const spec = { ...node.Spec, Role };
    await a.door.propose([{ kind: "updateNode", id, spec, basedOn: node.Version.Index }]);
  };
  assert.equal((await b.restart()).state(), "active");
  await turn("manager");
  const shown = (): boolean => {
    try {
      return b.agent.door().unlockKey() === a.door.unlockKey();
    } catch {
      return false; // It does not have the root key yet.
    }
  };
  await until("it has the root key", shown);
  const again = await b.restart();
  assert.equal(again.state(), "locked");
  await again.unlock(a.door.unlockKey());
  await turn("worker");
  // Its key is written open after the root key is off the disk. A restart before that would still be locked.
  const path = join(b.agent.config.dataDir, "host.key");
  await until("its key is open on the disk", () => readFileSync(path, "utf8").includes('"key"'));
  assert.equal((await b.restart()).state(), "active");
});

test("a locked host can leave by force, and is another peer then", guard, async (t) => {
  const a = await running(t);
  const was: NodeId = await a.door.init(locked);
  const again = await a.restart();
  await again.leave(true);
  assert.equal(again.state(), "inactive");
  assert.notEqual(again.self, was);
  const folder = a.agent.config.dataDir;
  assert.deepEqual((await readdir(folder)).sort(), ["host.key", "identity.json", "lock"]);
  await again.init(init);
  assert.equal((await a.restart()).state(), "active");
});

test(
  "a start after a leave that a crash interrupted ends it, under a new key",
  guard,
  async (t) => {
    const a = await running(t);
    await a.door.init(locked);
    await a.agent.stop();
    const folder = a.agent.config.dataDir;
    for (const name of ["credentials.json", "identity.json", "host.key"]) {
      await rm(join(folder, name));
    }
    await HostKey.open(folder);
    const before = await readFile(join(folder, "host.key"));
    const again = await a.restart();
    assert.equal(again.state(), "inactive");
    assert.notDeepEqual(await readFile(join(folder, "host.key")), before);
    assert.deepEqual((await readdir(folder)).sort(), ["host.key", "identity.json", "lock"]);
  },
);

test("nothing that is secret is readable in the data directory", guard, async (t) => {
  const a = await running(t);
  await a.door.init(locked);
  const { worker, manager } = a.door.tokens();
  await setAutolock(a.door, true, true);
  const { cluster } = a.door.view();
  assert.ok(cluster !== undefined);
  const mark = "planted-mark-in-a-label";
  const spec = { ...cluster.Spec, Labels: { mark } };
  await a.door.propose([{ kind: "updateCluster", spec, basedOn: cluster.Version.Index }]);
  const secrets = [mark, a.door.unlockKey().slice("SWMKEY-1-".length), a.door.self];
  for (const token of [worker, manager]) secrets.push(token.split("-")[3] ?? "");
  await a.agent.stop();
  const files = await readdir(a.agent.config.dataDir, { recursive: true, withFileTypes: true });
  let bytes = 0;
  for (const file of files.filter((one) => one.isFile())) {
    const content = await readFile(join(file.parentPath, file.name));
    bytes += content.length;
    for (const secret of secrets) {
      for (const form of [secret, Buffer.from(secret).toString("base64").slice(0, -4)]) {
        assert.ok(form.length > 8 && !content.includes(form), `"${form}" is in ${file.name}`);
      }
    }
  }
  assert.ok(bytes > 1000);
  await a.restart();
});

test("a root key that is replaced still opens the unlock key", guard, async (t) => {
  const a = await running(t);
  await a.door.init(locked);
  const key = a.door.unlockKey();
  const root = a.door.view().cluster?.RootPublicKey;
  await a.door.rotateRoot([]);
  await until("the root key is replaced", () => a.door.view().cluster?.RootPublicKey !== root);
  assert.equal(a.door.unlockKey(), key);
  assert.equal(Object.keys(a.door.view().cluster?.UnlockKey ?? {}).length, 1);
  const again = await a.restart();
  await again.unlock(key);
  await until("it shows the key", () => again.unlockKey() === key);
});
