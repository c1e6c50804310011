import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { GamError, type NodeId } from "@gam/core";
import { type MeshPeer, MeshWorld } from "./testing/mesh-world.ts";
import { issueCertificate } from "./trust/certificate.ts";
import { type Credentials, newestRoot } from "./trust/credentials.ts";
import { makeIdentity } from "./trust/identity.ts";

let world: MeshWorld;
beforeEach(() => {
  world = new MeshWorld();
});
afterEach(() => world.close());

/** Two managers and a worker. */
async function meshOfThree(): Promise<{ a: MeshPeer; b: MeshPeer; c: MeshPeer; all: MeshPeer[] }> {
  const [a, b] = await world.mesh(2);
  assert(a !== undefined && b !== undefined);
  const c = await world.open();
  await c.mesh.join(world.token(a, "worker"));
  const all = [a, b, c];
  const met = all.flatMap((one) =>
    all.filter((other) => other !== one).map((other) => world.connected(one, other)),
  );
  world.introduce(all);
  await Promise.all(met);
  return { a, b, c, all };
}

/** Offers a next root key, which is in the state of all peers at once. */
async function offer(by: MeshPeer, all: readonly MeshPeer[]): Promise<Uint8Array> {
  await by.mesh.offerNextRoot(async ({ rootPublicKey, signature }, current) => {
    const holders = new Set<NodeId>([by.nodeId]);
    world.roots = { current, next: { rootPublicKey, signature, holders } };
  });
  for (const { mesh } of all) mesh.rootsMoved();
  const next = world.roots?.next?.rootPublicKey;
  assert(next !== undefined);
  return next;
}

const holds =
  (root: Uint8Array) =>
  (credentials: Credentials): boolean =>
    Buffer.compare(newestRoot(credentials), root) === 0;

test("all get a certificate of the next root key, and managers the key", async () => {
  const { a, b, c, all } = await meshOfThree();
  const next = await offer(a, all);
  const [ofB, ofC] = await Promise.all(
    [b, c].map((peer) => world.kept(peer, "a certificate of the next key", holds(next))),
  );
  assert.deepEqual(ofB?.next?.rootPrivateKey, a.mesh.credentials?.next?.rootPrivateKey);
  assert.equal(ofC?.next?.rootPrivateKey, undefined);
  assert.equal(ofC?.next?.certificate?.role, "worker");
  assert.deepEqual(ofC?.rootPublicKey, world.roots?.current);
});

test("peers that have the new root key and peers that do not have it yet let each other in", async () => {
  const { a, b, c, all } = await meshOfThree();
  const next = await offer(a, all);
  await Promise.all([b, c].map((peer) => world.kept(peer, "a certificate", holds(next))));
  world.roots = { current: next };
  a.mesh.rootsMoved();
  assert.deepEqual(a.mesh.credentials?.rootPublicKey, next);
  assert.equal(a.mesh.credentials?.next, undefined);
  assert.notDeepEqual(b.mesh.credentials?.rootPublicKey, next);
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    const gone = world.reach(to, from.nodeId, "disconnected");
    from.mesh.drop(to.nodeId);
    await gone;
    await world.connected(from, to);
    await world.connected(to, from);
  }
});

test("afterwards tokens and certificates of the old key are refused", async () => {
  const { a, b, c, all } = await meshOfThree();
  const oldToken = world.token(a);
  const before = a.mesh.credentials;
  assert(before?.rootPrivateKey !== undefined);
  const next = await offer(a, all);
  await Promise.all([b, c].map((peer) => world.kept(peer, "a certificate", holds(next))));

  // An attacker with the old key makes itself a member while the key still counts.
  const forged = async (): Promise<MeshPeer> => {
    const identity = await makeIdentity();
    const { clusterId, rootPublicKey, rootPrivateKey = new Uint8Array() } = before;
    const { publicKey } = identity;
    const subject = { clusterId, publicKey, role: "manager" as const, asOf: 0 };
    const certificate = issueCertificate(rootPrivateKey, subject, Date.now());
    const credentials = { clusterId, rootPublicKey, rootPrivateKey, certificate };
    const peer = await world.open({ identity, credentials });
    peer.mesh.setPeers([{ nodeId: a.nodeId, addresses: a.mesh.addresses() }]);
    return peer;
  };
  const early = await forged();
  await world.connected(a, early);
  const cut = world.reach(a, early.nodeId, "disconnected");
  world.roots = { current: next };
  for (const { mesh } of all) mesh.rootsMoved();
  await cut;
  const late = await forged();
  await world.logged("Peer turned us away", { refusal: "stranger" });
  assert.equal(
    a.mesh.peers().some(({ nodeId }) => nodeId === late.nodeId),
    false,
  );

  const joiner = await world.open();
  await assert.rejects(joiner.mesh.join(oldToken), /from before its root key was replaced/);
  await joiner.mesh.join(world.token(b));
  assert.deepEqual(joiner.mesh.credentials?.rootPublicKey, next);
});

test("a key that the root key has not signed is not trusted", async () => {
  const { a, b, all } = await meshOfThree();
  await offer(a, [a]);
  const told = world.roots;
  assert(told?.next !== undefined);
  world.roots = { ...told, next: { ...told.next, signature: new Uint8Array(64) } };
  for (const { mesh } of all) mesh.rootsMoved();
  await world.logged("The next root key is not signed by the root key: not trusted", {});
  assert.equal(b.mesh.credentials?.next, undefined);
});

test("a worker cannot begin it, and a second next key replaces the first", async () => {
  const { a, b, c, all } = await meshOfThree();
  await assert.rejects(
    c.mesh.offerNextRoot(async () => assert.fail()),
    /only managers/,
  );
  const first = await offer(a, all);
  await Promise.all([b, c].map((peer) => world.kept(peer, "the first", holds(first))));
  const second = await offer(b, all);
  await Promise.all([a, c].map((peer) => world.kept(peer, "the second", holds(second))));
});

const refusal = new GamError("STALE_VERSION", "update out of sequence");

test("a next root key becomes the root key while another one is offered, and is not lost", async () => {
  const { a, b, c, all } = await meshOfThree();
  const first = await offer(a, all);
  await Promise.all([b, c].map((peer) => world.kept(peer, "the first", holds(first))));
  const offered = a.mesh.offerNextRoot(async () => {
    world.roots = { current: first };
    throw refusal;
  });
  await assert.rejects(offered, refusal);
  assert.deepEqual(a.mesh.credentials?.rootPublicKey, first);
  assert(a.mesh.credentials?.rootPrivateKey !== undefined);
  assert.equal(a.mesh.credentials?.next, undefined);
});

test("a refused offer leaves the next root key that the state shows", async () => {
  const { a, all } = await meshOfThree();
  const first = await offer(a, all);
  const before = a.mesh.credentials?.next;
  await assert.rejects(
    a.mesh.offerNextRoot(async () => {
      throw refusal;
    }),
    refusal,
  );
  assert.deepEqual(a.mesh.credentials?.next?.rootPublicKey, first);
  assert.deepEqual(a.mesh.credentials?.next, before);
});
