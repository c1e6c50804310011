import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { GamError, type NodeId } from "@gam/core";
import { type MeshPeer, MeshWorld, until } from "./testing/mesh-world.ts";
import type { MessageProtocols } from "./trust/protocols.ts";

let world: MeshWorld;
beforeEach(() => {
  world = new MeshWorld();
});
afterEach(() => world.close());

async function meshOf(count: number): Promise<[MeshPeer, MeshPeer, ...MeshPeer[]]> {
  const [a, b, ...rest] = await world.mesh(count);
  assert(a !== undefined && b !== undefined);
  return [a, b, ...rest];
}

const text = (body: Uint8Array): string => Buffer.from(body).toString();
const numbered = (n: number): Uint8Array => {
  const body = Buffer.alloc(4);
  body.writeUInt32BE(n);
  return body;
};

test("messages arrive in order, with their real sender and protocol", async () => {
  const [a, b, c] = await meshOf(3);
  assert(c !== undefined);
  const count = 500;
  const heard: string[] = [];
  const all = until("all messages", (done: (value: undefined) => void) => {
    c.mesh.onMessage(({ from, protocol, body }) => {
      heard.push(`${from} ${protocol} ${Buffer.from(body).readUInt32BE()}`);
      if (heard.length === 2 * count) done(undefined);
    });
  });
  for (let n = 0; n < count; n += 1) {
    a.mesh.send(c.nodeId, "raft", numbered(n));
    b.mesh.send(c.nodeId, "member", numbered(n));
  }
  await all;
  const want = (from: NodeId, protocol: string): string[] =>
    Array.from({ length: count }, (_, n) => `${from} ${protocol} ${n}`);
  const from = (id: NodeId): string[] => heard.filter((line) => line.startsWith(id));
  assert.deepEqual(from(a.nodeId), want(a.nodeId, "raft"));
  assert.deepEqual(from(b.nodeId), want(b.nodeId, "member"));
  const row = a.mesh.peers().find(({ nodeId }) => nodeId === c.nodeId);
  assert.equal(row?.sentFrames, count);
  assert.equal(row?.droppedFrames, 0);
});

/** Each version of a message is the previous one with a mark. */
function speaking(...versions: readonly [number, ...number[]]): MessageProtocols {
  return {
    versions: { raft: versions, member: [1], peer: [1] },
    translate: (protocol, body, { from, to }) =>
      Buffer.from(`${protocol}${from}-${to} ${text(body)}`),
  };
}

test("two versions of a protocol talk by the older one, and each hears its own newest", async () => {
  const newer = await world.found({ protocols: speaking(2, 1) });
  const [older, other] = [
    await world.open({ protocols: speaking(1) }),
    await world.open({ protocols: speaking(2, 1) }),
  ];
  for (const { mesh } of [older, other]) await mesh.join(world.token(newer));
  const peers = [newer, older, other];
  world.introduce(peers);
  await Promise.all([world.connected(newer, older), world.connected(newer, other)]);
  const heard = peers.map(({ mesh }) =>
    until("a message", (done: (value: string) => void) => {
      mesh.onMessage(({ protocol, body }) => done(`${protocol} ${text(body)}`));
    }),
  );
  newer.mesh.send(older.nodeId, "raft", Buffer.from("to older"));
  newer.mesh.send(other.nodeId, "raft", Buffer.from("to other"));
  older.mesh.send(newer.nodeId, "raft", Buffer.from("from older"));
  assert.deepEqual(await Promise.all(heard), [
    "raft raft1-2 from older",
    "raft raft2-1 to older",
    "raft to other",
  ]);
});

test("a message to a peer without a connection is dropped and counted", async () => {
  const [a] = await meshOf(2);
  const nobody = "0".repeat(25) as NodeId;
  a.mesh.setPeers([{ nodeId: nobody, addresses: [] }]);
  a.mesh.send(nobody, "raft", numbered(1));
  const row = a.mesh.peers().find(({ nodeId }) => nodeId === nobody);
  assert.equal(row?.droppedFrames, 1);
  assert.equal(row?.state, "connecting");
});

test("gossip reaches all peers but its origin, and names the origin", async () => {
  const peers = await world.mesh(4);
  const [origin] = peers;
  assert(origin !== undefined);
  const heard = peers.slice(1).map(({ mesh }) =>
    until("gossip", (done: (value: string) => void) => {
      mesh.onGossip((from, topic, body) => done(`${from} ${topic} ${text(body)}`));
    }),
  );
  let echo = 0;
  origin.mesh.onGossip(() => {
    echo += 1;
  });
  // Subscriptions take time to arrive, and messages before that are lost. So it is repeated.
  const timer = setInterval(() => origin.mesh.publish("usage", Buffer.from("busy")), 50);
  try {
    const want = `${origin.nodeId} usage busy`;
    assert.deepEqual(await Promise.all(heard), [want, want, want]);
  } finally {
    clearInterval(timer);
  }
  assert.equal(echo, 0);
});

test("a request is answered, and fails with the handler's own error", async () => {
  const [a, b] = await meshOf(2);
  b.mesh.handle("upper", (from, body) => {
    assert.equal(from, a.nodeId);
    return Buffer.from(text(body).toUpperCase());
  });
  b.mesh.handle("missing", () => {
    throw new GamError("NOT_FOUND", "Cannot find it: nowhere");
  });
  const ask = (name: string, body = "x"): Promise<Uint8Array> =>
    a.mesh.request(b.nodeId, { name, body: Buffer.from(body), timeoutMs: 5_000 });
  const answers = await Promise.all(["one", "two", "three"].map((body) => ask("upper", body)));
  assert.deepEqual(answers.map(text), ["ONE", "TWO", "THREE"]);
  await assert.rejects(ask("missing"), { code: "NOT_FOUND", message: "Cannot find it: nowhere" });
  await assert.rejects(ask("unheard"), { code: "NOT_SUPPORTED" });
});

test("a request ends at its timeout, and when the peer is gone", async () => {
  const [a, b] = await meshOf(2);
  const asked = until("the request", (done: (value: undefined) => void) => {
    b.mesh.handle("stuck", () => {
      done(undefined);
      return new Promise(() => undefined);
    });
  });
  const ask = (timeoutMs: number): Promise<Uint8Array> =>
    a.mesh.request(b.nodeId, { name: "stuck", body: new Uint8Array(), timeoutMs });
  await assert.rejects(ask(50), {
    code: "UNREACHABLE",
    message: /no answer in 0\.05 s/,
  });
  const pending = ask(60_000);
  const lost = assert.rejects(pending, { code: "UNREACHABLE", message: /connection was lost/ });
  await asked;
  await b.mesh.close();
  await lost;
  await assert.rejects(ask(60_000), {
    code: "UNREACHABLE",
    message: /not connected/,
  });
});

test("a peer that stops is refused, and connected again when it starts on the same port", async () => {
  const [a, b] = await meshOf(2);
  const { identity, nodeId } = b;
  const { credentials } = b.mesh;
  const [address] = b.mesh.addresses();
  const port = Number(address?.split(":")[1]);
  const gone = world.reach(a, nodeId, "disconnected");
  const refused = world.reach(a, nodeId, "refused");
  await b.mesh.close();
  await gone;
  await refused;
  assert.equal(a.mesh.peers()[0]?.state, "refused");
  // Repeated while the host refuses, since the failure detector needs it.
  await world.reach(a, nodeId, "refused");

  const back = world.reach(a, nodeId, "connected");
  const again = await world.open({ identity, credentials, listen: { host: "127.0.0.1", port } });
  const heard = until("a message", (done: (value: string) => void) => {
    again.mesh.onMessage(({ from, body }) => done(`${from} ${text(body)}`));
  });
  await back;
  a.mesh.send(nodeId, "peer", Buffer.from("hello again"));
  assert.equal(await heard, `${a.nodeId} hello again`);
});

test("a peer found at another address is connected there, as the same peer", async () => {
  const [a, b, c] = await meshOf(3);
  assert(c !== undefined);
  const { identity, nodeId } = b;
  const { credentials } = b.mesh;
  const gone = world.reach(a, nodeId, "disconnected");
  await b.mesh.close();
  await gone;
  const back = world.reach(a, nodeId, "connected");
  const moved = await world.open({ identity, credentials });
  // Only `b` knows that it moved. Others use the address that it announces.
  moved.mesh.setPeers([...world.members.values()]);
  await back;
  const row = a.mesh.peers().find((one) => one.nodeId === nodeId);
  assert(row?.addresses.includes(moved.mesh.addresses()[0] ?? ""));
});

test("peers that dial each other at the same moment settle on working streams", async () => {
  const peers = await world.mesh(3);
  for (let round = 0; round < 5; round += 1) {
    const [a, b] = peers;
    assert(a !== undefined && b !== undefined);
    const met = [world.reach(a, b.nodeId, "connected"), world.reach(b, a.nodeId, "connected")];
    a.mesh.drop(b.nodeId);
    b.mesh.drop(a.nodeId);
    await Promise.all(met);
    const heard = [a, b].map(({ mesh }) =>
      until("a message", (done: (value: string) => void) => {
        mesh.onMessage(({ body }) => done(text(body)));
      }),
    );
    const timer = setInterval(() => {
      a.mesh.send(b.nodeId, "raft", Buffer.from("from a"));
      b.mesh.send(a.nodeId, "raft", Buffer.from("from b"));
    }, 20);
    assert.deepEqual(await Promise.all(heard), ["from b", "from a"]);
    clearInterval(timer);
  }
});

test("close leaves no connection and calls no handler", async () => {
  const [a, b] = await meshOf(2);
  let calls = 0;
  b.mesh.onReach(() => {
    calls += 1;
  });
  const gone = world.reach(a, b.nodeId, "disconnected");
  await b.mesh.close();
  await gone;
  assert.equal(calls, 0);
  assert.deepEqual(
    b.mesh.peers().filter(({ state }) => state === "connected"),
    [],
  );
});

test("members that lost each other meet again at a token's address", async () => {
  const [a, b] = await world.mesh(2);
  assert(a !== undefined && b !== undefined);
  const token = world.token(b);
  const nowhere = [{ nodeId: b.nodeId, addresses: ["127.0.0.1:1"] }];
  const gone = world.reach(a, b.nodeId, "disconnected");
  b.mesh.setPeers([]);
  a.mesh.setPeers([]);
  a.mesh.drop(b.nodeId);
  await gone;
  a.mesh.setPeers(nowhere);
  await assert.rejects(a.mesh.meet(token.replace(/:[0-9]+$/, ":1")), { code: "UNREACHABLE" });
  assert.equal(await a.mesh.meet(token), true);
  await world.connected(a, b);
  const other = await new MeshWorld().found();
  assert.equal(await a.mesh.meet(world.token(other)), false);
  await other.mesh.close();
});
