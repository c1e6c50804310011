import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClusterDoor } from "@gam/api";
import { encode, type SecretId, type ServiceId } from "@gam/core";
import type { View } from "@gam/state";
import { aService } from "@gam/state/testing";
import { guard, init, joinAt, running, until } from "./testing/running-agent.ts";

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
