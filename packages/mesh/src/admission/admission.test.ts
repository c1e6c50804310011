import assert from "node:assert/strict";
import { type AddressInfo, connect, createServer } from "node:net";
import { afterEach, beforeEach, test } from "node:test";
import { encode, GamError, type NodeId } from "@gam/core";
import type { Connection, Stream } from "@libp2p/interface";
import { type MeshPeer, MeshWorld, until } from "../testing/mesh-world.ts";
import { dialAddress, parseAddress } from "../trust/address.ts";
import { issueCertificate, writeCertificate } from "../trust/certificate.ts";
import { createCluster } from "../trust/credentials.ts";
import { type Identity, makeIdentity } from "../trust/identity.ts";
import { formatToken, makeSecret, parseToken } from "../trust/token.ts";
import { writeFrames } from "../wire/frame.ts";
import { openHost } from "../wire/host.ts";

let world: MeshWorld;
const endings: (() => unknown)[] = [];
beforeEach(() => {
  world = new MeshWorld();
});
afterEach(async () => {
  for (const end of endings.splice(0)) await end();
  await world.close();
});

const dayMs = 86_400_000;
const clockAt = (offsetMs: number) => ({
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now() + offsetMs,
});

/** A libp2p peer that a test can make misbehave. */
async function intruder(
  at: MeshPeer,
  identity?: Identity,
): Promise<{ connection: Connection; identity: Identity }> {
  const who = identity ?? (await makeIdentity());
  const host = await openHost({
    identity: who,
    listen: { host: "127.0.0.1", port: 0 },
    dialMsMax: 5_000,
    helloMs: 5_000,
    onFailedHandshake: () => undefined,
    onRubbish: () => undefined,
  });
  await host.libp2p.start();
  endings.push(() => host.libp2p.stop());
  const [address = ""] = at.mesh.addresses();
  return { connection: await host.libp2p.dial(dialAddress(parseAddress(address))), identity: who };
}

/** Sends the bytes if the stream is still open. */
function say(stream: Stream, bytes: Uint8Array): void {
  if (stream.writeStatus === "writable") stream.send(bytes);
}

/** Sends bytes below libp2p's muxer, encrypted like all others. */
function sayToMuxer(connection: Connection, bytes: Uint8Array): void {
  const { muxer } = connection as unknown as { muxer: { maConn: Pick<Stream, "send"> } };
  muxer.maConn.send(bytes);
}

const closed = (what: Connection | Stream): Promise<void> =>
  until("it to be cut off", (done: (value: undefined) => void) => {
    if (what.status !== "open") return done(undefined);
    (what as Connection).addEventListener("close", () => done(undefined));
  });

/** Checks that the mesh still works. */
async function unharmed(a: MeshPeer, b: MeshPeer): Promise<void> {
  b.mesh.handle("well", () => Buffer.from("yes"));
  const question = { name: "well", body: new Uint8Array(), timeoutMs: 5_000 };
  const answer = await a.mesh.request(b.nodeId, question);
  assert.equal(Buffer.from(answer).toString(), "yes");
}

test("a stranger who announces more in one frame than a window holds is cut off at once", async () => {
  // A long hello timeout: otherwise the stranger would be disconnected for that, after sending everything.
  const first = await world.found({ limits: { helloMs: 60_000 } });
  for (const length of [1024 * 1024 + 1, 0xffffffff]) {
    const { connection } = await intruder(first);
    const ended = closed(connection);
    // Yamux: version 0, data, flag SYN, stream 1, length.
    const header = Buffer.from([0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0]);
    header.writeUInt32BE(length, 8);
    sayToMuxer(connection, header);
    await ended;
  }
  const refused = first.lines.filter(({ fields }) => fields.refusal === "rubbish");
  assert.match(String(refused[0]?.fields.reason), /1048577 bytes announced, at most 1048576/);
});

test("a joiner says which dialect of the log it reads, and hears why it is too old", async () => {
  const first = await world.found();
  const newer = await world.open({ dialect: 7 });
  await newer.mesh.join(world.token(first));
  assert.equal(world.requests[0]?.dialect, 7);
  const older = await world.open();
  world.objection = new GamError("REFUSED", "gam on this host is too old to join");
  await assert.rejects(older.mesh.join(world.token(first)), {
    message: /^Cannot join at ".*": gam on this host is too old to join$/,
  });
});

test("a manager's token makes a manager, a worker's token a worker without the root key", async () => {
  const first = await world.found();
  const [manager, worker] = [await world.open(), await world.open()];
  const asManager = await manager.mesh.join(world.token(first, "manager"));
  const asWorker = await worker.mesh.join(world.token(first, "worker"));
  assert.equal(asManager.credentials.certificate.role, "manager");
  assert.deepEqual(asManager.credentials.rootPrivateKey, first.mesh.credentials?.rootPrivateKey);
  assert.equal(asWorker.credentials.certificate.role, "worker");
  assert.equal(asWorker.credentials.rootPrivateKey, undefined);
  assert.equal(asWorker.credentials.clusterId, first.mesh.credentials?.clusterId);
  assert.deepEqual(
    world.requests.map(({ nodeId, role, addresses }) => ({ nodeId, role, addresses })),
    [
      { nodeId: manager.nodeId, role: "manager", addresses: manager.mesh.addresses() },
      { nodeId: worker.nodeId, role: "worker", addresses: worker.mesh.addresses() },
    ],
  );
  assert.deepEqual(
    world.requests.map(({ dialect }) => dialect),
    [1, 1],
  );
  assert.deepEqual(
    asWorker.members.map(({ nodeId }) => nodeId).sort(),
    [first.nodeId, manager.nodeId, worker.nodeId].sort(),
  );
  // A new manager lets others in, as the first one does. A worker does not.
  const third = await world.open();
  await third.mesh.join(world.token(manager));
  const fourth = await world.open();
  await assert.rejects(fourth.mesh.join(world.token(worker)), { message: /ask a manager/ });
  await fourth.mesh.join(world.token(worker), first.mesh.addresses());
});

test("a rotated token is refused, named in the log, and the new one is good", async () => {
  const first = await world.found();
  const joiner = await world.open();
  const old = world.token(first);
  world.secrets = { ...world.secrets, manager: makeSecret() };
  await assert.rejects(joiner.mesh.join(old), {
    code: "NOT_MEMBER",
    message: /^Cannot join at "127\.0\.0\.1:\d+": the token is wrong or was rotated/,
  });
  await world.logged("Peer refused", { refusal: "join", peer: joiner.nodeId });
  assert.equal(first.mesh.refusals().join, 1);
  assert.equal(joiner.mesh.credentials, undefined);
  assert.deepEqual(world.requests, []);
  await joiner.mesh.join(world.token(first));
});

test("a token of another cluster is noticed before anything is proved", async () => {
  const first = await world.found();
  const joiner = await world.open();
  const token = { ...parseToken(world.token(first)), fingerprint: "0".repeat(25) };
  await assert.rejects(joiner.mesh.join(formatToken(token)), {
    code: "REFUSED",
    message: /the token is of another cluster/,
  });
});

test("the cluster's own objection reaches the joiner", async () => {
  const first = await world.found();
  const joiner = await world.open();
  world.objection = new GamError("NO_LEADER", "Cannot add node: no leader is elected");
  await assert.rejects(joiner.mesh.join(world.token(first)), { message: /no leader is elected/ });
  assert.equal(joiner.mesh.credentials, undefined);
});

test("a joiner says why each address could not be reached", async () => {
  const limits = { dialMs: 100, joinReachMs: 300 };
  const first = await world.found();
  const joiner = await world.open({ limits });
  const token = { ...parseToken(world.token(first)), addresses: [] };
  const [place = ""] = first.mesh.addresses();
  await first.mesh.close();
  const at = (...addresses: string[]): Promise<unknown> =>
    joiner.mesh.join(formatToken(token), addresses);
  await assert.rejects(at(place), {
    code: "UNREACHABLE",
    message: /^Cannot join at "127\.0\.0\.1:\d+": the host refused the connection: no agent/,
  });
  // A server that accepts connections and sends nothing.
  const silent = createServer();
  endings.push(() => silent.close());
  await new Promise<void>((settle) => silent.listen(0, "127.0.0.1", settle));
  const { port } = silent.address() as AddressInfo;
  await assert.rejects(at(`127.0.0.1:${port}`), {
    code: "UNREACHABLE",
    message: /": no answer within 0\.3 s \(/,
  });
  await assert.rejects(at("no-such-host.invalid:7946"), {
    code: "UNREACHABLE",
    message: /": (?:the name does not resolve on this host|the name server does not answer)/,
  });
  await assert.rejects(at(place, `127.0.0.1:${port}`), {
    message:
      /^Cannot join: nobody answers \("[^"]+": the host refused .*; "[^"]+": no answer within/,
  });
  await assert.rejects(at(), {
    code: "BAD_TOKEN",
    message: /the token has no address\. Add the address of/,
  });
});

test("a joiner retries until its timeout", async () => {
  const first = await world.found();
  const [place = ""] = first.mesh.addresses();
  let dials = 0;
  // A busy host: it closes the first three connections, then takes longer for a handshake than one dial may.
  const busy = createServer((socket) => {
    dials += 1;
    socket.on("error", () => undefined);
    if (dials <= 3) return void socket.destroy();
    const { host, port } = parseAddress(place);
    const onward = connect({ host, port });
    onward.on("error", () => socket.destroy());
    socket.on("close", () => onward.destroy());
    setTimeout(() => {
      socket.pipe(onward);
      onward.pipe(socket);
    }, 700);
  });
  endings.push(() => busy.close());
  await new Promise<void>((settle) => busy.listen(0, "127.0.0.1", settle));
  const { port } = busy.address() as AddressInfo;
  const joiner = await world.open({ limits: { dialMs: 100 } });
  const token = { ...parseToken(world.token(first)), addresses: [`127.0.0.1:${port}`] };
  await joiner.mesh.join(formatToken(token));
  assert.ok(dials > 3);
});

test("attempts to join are limited per host", async () => {
  const first = await world.found({ limits: { joinBurst: 2 } });
  const joiner = await world.open();
  const wrong = formatToken({ ...parseToken(world.token(first)), secret: makeSecret() });
  for (const want of [/wrong or was rotated/, /wrong or was rotated/, /too many attempts/]) {
    await assert.rejects(joiner.mesh.join(wrong), { message: want });
  }
  assert.equal(first.mesh.refusals().flood, 1);
});

test("a stranger with a root of its own is refused as a stranger, on either side of the dial", async () => {
  const [a, b] = await world.mesh(2);
  assert(a !== undefined && b !== undefined);
  const identity = await makeIdentity();
  const credentials = createCluster(identity, Date.now());
  const stranger = await world.open({ identity, credentials });
  const turned = until("the stranger to get the reason", (done: (value: string) => void) => {
    stranger.mesh.onTurnedAway((_, refusal) => done(refusal));
  });
  stranger.mesh.setPeers([{ nodeId: a.nodeId, addresses: a.mesh.addresses() }]);
  assert.equal(await turned, "stranger");
  await world.logged("Peer refused", { refusal: "stranger", peer: stranger.nodeId });

  stranger.mesh.setPeers([]);
  b.mesh.setPeers([
    ...world.members.values(),
    { nodeId: stranger.nodeId, addresses: stranger.mesh.addresses() },
  ]);
  await world.logged("Peer refused", { refusal: "stranger", peer: b.nodeId });
  await unharmed(a, b);
});

test("a peer that names our cluster but signs with another root key is a stranger", async () => {
  const [a] = await world.mesh(2);
  assert(a?.mesh.credentials !== undefined);
  const { clusterId } = a.mesh.credentials;
  const identity = await makeIdentity();
  const { rootPrivateKey } = createCluster(identity, Date.now());
  assert(rootPrivateKey !== undefined);
  const { publicKey } = identity;
  const forged = issueCertificate(
    rootPrivateKey,
    { clusterId, publicKey, role: "manager", asOf: 0 },
    Date.now(),
  );
  const { connection } = await intruder(a, identity);
  const stream = await connection.newStream("/gam/hello/1");
  const hello = { kind: "hello", boot: "x", certificate: writeCertificate(forged), addresses: [] };
  stream.send(writeFrames([encode(hello)]));
  await closed(connection);
  const line = await world.logged("Peer refused", { peer: identity.nodeId });
  assert.match(String(line.fields.reason), /of another cluster/);
});

test("a member's certificate is of no use to another peer", async () => {
  const [a, b] = await world.mesh(2);
  assert(a !== undefined && b?.mesh.credentials !== undefined);
  const thief = await intruder(a);
  const stream = await thief.connection.newStream("/gam/hello/1");
  const certificate = writeCertificate(b.mesh.credentials.certificate);
  stream.send(writeFrames([encode({ kind: "hello", boot: "x", certificate, addresses: [] })]));
  await closed(thief.connection);
  const line = await world.logged("Peer refused", { peer: thief.identity.nodeId });
  assert.match(String(line.fields.reason), /belongs to another peer/);
});

for (const protocol of ["/gam/raft/1", "/gam/rpc/1", "/gam/bytes/1", "/meshsub/1.2.0"]) {
  test(`a stranger that speaks ${protocol} before hello is cut off, unheard`, async () => {
    const [a, b] = await world.mesh(2);
    assert(a !== undefined && b !== undefined);
    let heard = 0;
    a.mesh.onMessage(() => {
      heard += 1;
    });
    const { connection, identity } = await intruder(a);
    // The connection may end before the protocol is agreed.
    const stream = await connection.newStream(protocol).catch(() => undefined);
    if (stream !== undefined) say(stream, writeFrames([Buffer.from("let me lead")]));
    await closed(connection);
    const line = await world.logged("Peer refused", { peer: identity.nodeId });
    assert.equal(line.fields.reason, "spoke before it said hello");
    assert.equal(heard, 0);
    await unharmed(a, b);
  });
}

test("a visitor that says nothing is disconnected", async () => {
  const first = await world.found({ limits: { helloMs: 100 } });
  const { connection, identity } = await intruder(first);
  await closed(connection);
  await world.logged("Peer refused", { refusal: "stranger", peer: identity.nodeId });
});

test("random bytes on the port are cut off, counted and named by address", async () => {
  const [a, b] = await world.mesh(2, { limits: { helloMs: 1_000 } });
  assert(a !== undefined && b !== undefined);
  const { host, port } = parseAddress(a.mesh.addresses()[0] ?? "");
  for (const bytes of [Buffer.alloc(100_000, 0xff), Buffer.from("GET / HTTP/1.1\r\n\r\n")]) {
    const socket = connect(port, host);
    socket.on("error", () => undefined);
    const over = until("the socket to be closed", (done: (value: undefined) => void) => {
      socket.on("close", () => done(undefined));
    });
    socket.write(bytes);
    await over;
  }
  await world.logged("Peer refused", { refusal: "handshake" });
  await unharmed(a, b);
});

for (const protocol of ["/gam/hello/1", "/gam/join/1", "/gam/renew/1"]) {
  test(`random bytes on ${protocol} cost the connection and nothing else`, async () => {
    const [a, b] = await world.mesh(2);
    assert(a !== undefined && b !== undefined);
    for (const bytes of [Buffer.alloc(1000, 0xff), writeFrames([Buffer.alloc(500, 0xc1)])]) {
      const { connection, identity } = await intruder(a);
      const stream = await connection.newStream(protocol);
      stream.send(bytes);
      await closed(connection);
      await world.logged("Peer refused", { refusal: "rubbish", peer: identity.nodeId });
    }
    await unharmed(a, b);
  });
}

/** A member that misbehaves. */
async function traitor(at: MeshPeer): Promise<{ connection: Connection; identity: Identity }> {
  const root = at.mesh.credentials;
  assert(root?.rootPrivateKey !== undefined);
  const found = await intruder(at);
  const { nodeId, publicKey } = found.identity;
  const { clusterId } = root;
  const subject = { clusterId, publicKey, role: "worker", asOf: 0 } as const;
  const certificate = issueCertificate(root.rootPrivateKey, subject, Date.now());
  const admitted = world.reach(at, nodeId, "connected");
  const stream = await found.connection.newStream("/gam/hello/1");
  const hello = { kind: "hello", boot: "x", certificate: writeCertificate(certificate) };
  stream.send(writeFrames([encode({ ...hello, addresses: [] })]));
  await admitted;
  return found;
}

test("a stranger whose negotiation never ends is cut off at its first bytes", async () => {
  const [a, b] = await world.mesh(2);
  assert(a !== undefined && b !== undefined);
  const endless = Buffer.alloc(1 << 20, 0xff);
  const { host, port } = parseAddress(a.mesh.addresses()[0] ?? "");
  const socket = connect(port, host);
  const gone = until("the socket to be closed", (done: (value: undefined) => void) => {
    socket.on("error", () => undefined).on("close", () => done(undefined));
  });
  socket.write(endless);
  await gone;
  await world.logged("Peer refused", { refusal: "handshake" });

  const { connection } = await intruder(a);
  // Bypasses the negotiation that libp2p does on the dialling side, as another implementation could.
  const { muxer } = connection as unknown as { muxer: { onCreateStream(options: object): Stream } };
  muxer.onCreateStream({}).send(endless);
  await closed(connection);
  const line = await world.logged("Peer refused", { refusal: "rubbish", peer: undefined });
  assert.match(String(line.fields.address), /^127.0.0.1:/);
  await unharmed(a, b);
});

test("a frame of 100 MB from a member is refused at its first bytes", async () => {
  const [a, b] = await world.mesh(2);
  assert(a !== undefined && b !== undefined);
  const { connection, identity } = await traitor(a);
  const stream = await connection.newStream("/gam/raft/1");
  const before = process.memoryUsage().rss;
  const head = Buffer.alloc(5);
  head.writeUInt32BE(100_000_000);
  head[4] = 1;
  const piece = Buffer.alloc(64 * 1024);
  stream.send(head);
  for (let sent = 0; sent < 100_000_000 && stream.status === "open"; sent += piece.length) {
    try {
      if (!stream.send(piece))
        await until("drain or close", (done: (value: undefined) => void) => {
          stream.addEventListener("drain", () => done(undefined));
          stream.addEventListener("close", () => done(undefined));
        });
    } catch {
      break; // Cut off while we wrote.
    }
  }
  await closed(connection);
  const line = await world.logged("Peer refused", { refusal: "rubbish", peer: identity.nodeId });
  assert.match(String(line.fields.reason), /100000000 bytes announced/);
  const grownBytes = process.memoryUsage().rss - before;
  assert(grownBytes < 60_000_000, `memory grew by ${grownBytes} bytes`);
  await unharmed(a, b);
});

test("a member whose message the agent cannot read is cut off", async () => {
  const [a, b] = await world.mesh(2);
  assert(a !== undefined && b !== undefined);
  a.mesh.onMessage(() => {
    throw new GamError("BAD_FRAME", "Cannot read raft.term: wanted an integer");
  });
  const { connection, identity } = await traitor(a);
  const stream = await connection.newStream("/gam/raft/1");
  stream.send(writeFrames([Buffer.from("nonsense")]));
  await closed(connection);
  await world.logged("Peer refused", { refusal: "rubbish", peer: identity.nodeId });
  await unharmed(a, b);
});

test("a removed member is cut off at once, hears why when it returns, and rejoins with a token", async () => {
  const [a, b, c] = await world.mesh(3);
  assert(a !== undefined && b !== undefined && c !== undefined);
  const turned = until("the removed peer to get the reason", (done: (value: string) => void) => {
    c.mesh.onTurnedAway((_, refusal) => done(refusal));
  });
  world.removed.add(c.nodeId);
  world.members.delete(c.nodeId);
  const gone = [world.reach(a, c.nodeId, "disconnected"), world.reach(b, c.nodeId, "disconnected")];
  a.mesh.evict(c.nodeId);
  b.mesh.evict(c.nodeId);
  world.introduce([a, b]);
  await Promise.all(gone);
  assert.equal(await turned, "removed");
  await world.logged("Peer refused", { refusal: "removed", peer: c.nodeId });
  assert.deepEqual(
    a.mesh.peers().map(({ nodeId }) => nodeId),
    [b.nodeId],
  );
  c.mesh.leave();
  await c.mesh.join(world.token(a));
  await world.connected(a, c);
});

test("a worker whose certificate is due gets a new one from a manager; a manager makes its own", async () => {
  const first = await world.found();
  const worker = await world.open();
  const { credentials } = await worker.mesh.join(world.token(first, "worker"));
  const { identity } = worker;
  await worker.mesh.close();
  const clock = clockAt(70 * dayMs);
  const { identity: founder } = first;
  const { credentials: founding } = first.mesh;
  await first.mesh.close();

  const again = await world.open({ identity: founder, credentials: founding, clock });
  assert.equal(again.renewed.length, 1, "the manager renews at the start");
  const back = await world.open({ identity, credentials, clock });
  back.mesh.setPeers([{ nodeId: again.nodeId, addresses: again.mesh.addresses() }]);
  await world.connected(back, again);
  await world.logged("Certificate renewed", { nodeId: identity.nodeId });
  const [renewed] = await until("the renewal", (done: (value: typeof back.renewed) => void) => {
    const look = setInterval(() => {
      if (back.renewed.length === 0) return;
      clearInterval(look);
      done(back.renewed);
    }, 5);
  });
  assert(renewed !== undefined && renewed.certificate.expiresMs > Date.now() + 150 * dayMs);
  assert.equal(renewed.certificate.role, "worker");
});

test("a promoted worker gets the root key by itself", async () => {
  const first = await world.found();
  const worker = await world.open();
  await worker.mesh.join(world.token(first, "worker"));
  world.introduce([first, worker]);
  await world.connected(first, worker);
  const member = world.members.get(worker.nodeId);
  assert(member !== undefined && worker.renewed.length === 0);
  world.members.set(worker.nodeId, { ...member, role: "manager" });
  world.introduce([first, worker]);
  await world.logged("Certificate renewed", { nodeId: worker.nodeId, role: "manager" });
  await until("the root key", (done: (value: undefined) => void) => {
    const look = setInterval(() => {
      if (worker.mesh.credentials?.rootPrivateKey === undefined) return;
      clearInterval(look);
      done(undefined);
    }, 5);
  });
  const third = await world.open();
  await third.mesh.join(world.token(worker));
  assert.equal(worker.renewed.at(-1)?.certificate.role, "manager");
});

test("a certificate made while the clock was ahead is renewed once the clock is right", async () => {
  const first = await world.found();
  const { identity } = first;
  const founding = first.mesh.credentials;
  await first.mesh.close();
  const ahead = clockAt(5_000 * dayMs);
  const there = await world.open({ identity, credentials: founding, clock: ahead });
  const [made] = there.renewed;
  await there.mesh.close();
  const back = await world.open({ identity, credentials: made });
  assert(made !== undefined && made.certificate.notBeforeMs > Date.now() + 4_000 * dayMs);
  assert((back.renewed[0]?.certificate.notBeforeMs ?? Number.POSITIVE_INFINITY) <= Date.now());
});

test("a stranger with many connections crowds out only its own", async () => {
  const a = await world.open({ limits: { visitorsMax: 4 } });
  a.mesh.become(createCluster(a.identity, Date.now()));
  const visits = [];
  for (let n = 0; n < 6; n += 1) visits.push((await intruder(a)).connection);
  await Promise.all(visits.slice(0, 2).map(closed));
  assert(visits.slice(2).every(({ status }) => status === "open"));
  await world.logged("Peer refused", { refusal: "flood" });
});

test("a member whose certificate expired while it was off is let in again, unless it was removed", async () => {
  const first = await world.found();
  const worker = await world.open();
  const { credentials } = await worker.mesh.join(world.token(first, "worker"));
  const { identity, nodeId } = worker;
  await worker.mesh.close();
  const { identity: founder } = first;
  const { credentials: founding } = first.mesh;
  await first.mesh.close();
  const clock = clockAt(100 * dayMs);
  const again = await world.open({ identity: founder, credentials: founding, clock });
  const back = await world.open({ identity, credentials, clock });
  const wanted = [{ nodeId: again.nodeId, addresses: again.mesh.addresses() }];
  back.mesh.setPeers(wanted);
  await world.connected(back, again);
  assert.equal(back.renewed.length, 1);
  await back.mesh.close();

  world.members.delete(nodeId as NodeId);
  const late = await world.open({ identity, credentials, clock });
  const turned = until("it to be turned away", (done: (value: string) => void) => {
    late.mesh.onTurnedAway((_, refusal) => done(refusal));
  });
  late.mesh.setPeers(wanted);
  assert.equal(await turned, "removed");
  assert.equal(late.renewed.length, 0);
});
