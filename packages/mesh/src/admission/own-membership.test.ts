import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { type MeshPeer, MeshWorld, until } from "../testing/mesh-world.ts";
import type { Role } from "../trust/certificate.ts";
import type { VerifiedSender } from "../trust/door.ts";

let world: MeshWorld;
beforeEach(() => {
  world = new MeshWorld();
});
afterEach(() => world.close());

/** Sets a peer's role in the state of all peers. */
function become(peer: MeshPeer, role: Role): void {
  world.index += 10;
  const { nodeId } = peer;
  world.members.set(nodeId, { nodeId, role, addresses: peer.mesh.addresses() });
}

/** The sender that `at` gets with the next message of `from`. */
async function senderAt(at: MeshPeer, from: MeshPeer): Promise<VerifiedSender> {
  const heard = until<VerifiedSender>("a message", (done) => {
    at.mesh.onMessage(({ sender }) => done(sender));
  });
  from.mesh.send(at.nodeId, "peer", new Uint8Array());
  return await heard;
}

test("a demoted manager gets a worker's certificate, deletes the root key and lets nobody in", async () => {
  const [first, second] = await world.mesh(2);
  assert(first !== undefined && second !== undefined);
  assert.equal((await senderAt(first, second)).role, "manager");
  become(second, "worker");
  // At once, before it has learned of the demotion: its manager's certificate counts for nothing.
  const joiner = await world.open();
  await assert.rejects(joiner.mesh.join(world.token(second)), {
    message: /this peer is a worker and lets nobody in/,
  });
  await assert.rejects(
    second.mesh.offerNextRoot(async () => undefined),
    { code: "NOT_SUPPORTED" },
  );
  second.mesh.rootsMoved();
  const kept = await world.kept(second, "a worker's certificate", ({ certificate }) => {
    return certificate.role === "worker";
  });
  assert.equal(kept.rootPrivateKey, undefined);
  assert.equal(kept.certificate.asOf, world.index);
  assert.equal(second.mesh.credentials?.rootPrivateKey, undefined);
  const sender = await senderAt(first, second);
  assert.deepEqual([sender.role, sender.asOf], ["worker", world.index]);

  become(second, "manager");
  second.mesh.rootsMoved();
  const again = await world.kept(second, "a manager's certificate", ({ certificate }) => {
    return certificate.role === "manager" && certificate.asOf === world.index;
  });
  assert.deepEqual(again.rootPrivateKey, first.mesh.credentials?.rootPrivateKey);
  assert.equal((await senderAt(first, second)).role, "manager");
  await joiner.mesh.join(world.token(second));
});

test("a peer with an old state does not treat itself as demoted", async () => {
  world.index = 50;
  const [first, second] = await world.mesh(2);
  assert(first !== undefined && second !== undefined);
  become(second, "worker");
  world.index = 10; // Older than the certificates.
  second.mesh.rootsMoved();
  const joiner = await world.open();
  await joiner.mesh.join(world.token(second));
  assert.equal(second.mesh.credentials?.certificate.role, "manager");
});

test("only a manager in the state renews certificates, whatever its own says", async () => {
  const [first, second, third] = await world.mesh(3);
  assert(first !== undefined && second !== undefined && third !== undefined);
  become(third, "worker");
  become(second, "worker");
  become(first, "worker");
  third.mesh.rootsMoved();
  await new Promise((settle) => setTimeout(settle, 200));
  assert.deepEqual(third.renewed, []);
});

test("a sender comes with the hosts at which it was found", async () => {
  const [first, second] = await world.mesh(2);
  assert(first !== undefined && second !== undefined);
  assert.deepEqual([...(await senderAt(first, second)).hosts], ["127.0.0.1"]);
  const [address = ""] = second.mesh.addresses();
  const port = address.split(":")[1];
  await first.mesh.verify(second.nodeId, `127.0.0.2:1`);
  await first.mesh.verify(second.nodeId, first.mesh.addresses()[0] ?? "");
  await first.mesh.verify(second.nodeId, `localhost:${port}`);
  const { hosts } = await senderAt(first, second);
  assert.deepEqual([...hosts].sort(), ["127.0.0.1", "localhost"]);
});

test("a member that asks for too much is counted, and each kind of request is logged once in a while", async () => {
  const [first, second] = await world.mesh(2);
  assert(first !== undefined && second !== undefined);
  for (const reason of ["vote is for managers", "vote is for managers", "append is for managers"]) {
    first.mesh.refuse(second.nodeId, reason);
  }
  assert.equal(first.mesh.refusals().authority, 3);
  const told = first.lines.filter(({ fields }) => fields.refusal === "authority");
  assert.deepEqual(
    told.map(({ fields }) => [fields.peer, fields.reason]),
    [
      [second.nodeId, "vote is for managers"],
      [second.nodeId, "append is for managers"],
    ],
  );
});
