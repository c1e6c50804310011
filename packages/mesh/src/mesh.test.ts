import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import type { NodeId } from "@gam/core";
import { MeshWorld, until } from "./testing/mesh-world.ts";

let world: MeshWorld;
beforeEach(() => {
  world = new MeshWorld();
});
afterEach(() => world.close());

test("three peers find each other, and messages arrive in order from whom they say", async () => {
  const [a, b, c] = await world.mesh(3);
  assert(a !== undefined && b !== undefined && c !== undefined);
  const count = 500;
  const heard: string[] = [];
  const all = until("all messages", (done: (value: undefined) => void) => {
    c.mesh.onMessage((from, protocol, body) => {
      heard.push(`${from} ${protocol} ${Buffer.from(body).readUInt32BE()}`);
      if (heard.length === 2 * count) done(undefined);
    });
  });
  for (let n = 0; n < count; n += 1) {
    const body = Buffer.alloc(4);
    body.writeUInt32BE(n);
    a.mesh.send(c.nodeId, "raft", body);
    b.mesh.send(c.nodeId, "member", body);
  }
  await all;
  const want = (from: NodeId, protocol: string): string[] =>
    Array.from({ length: count }, (_, n) => `${from} ${protocol} ${n}`);
  const from = (id: NodeId): string[] => heard.filter((line) => line.startsWith(id));
  assert.deepEqual(from(a.nodeId), want(a.nodeId, "raft"));
  assert.deepEqual(from(b.nodeId), want(b.nodeId, "member"));
});
