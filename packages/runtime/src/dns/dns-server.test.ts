/** The whole server on loopback, with fake name servers of the host. */
import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { type TestContext, test } from "node:test";
import type { NetworkId } from "@gam/core";
import { freePort } from "@gam/core/testing";
import type { DnsPlan } from "@gam/network";
import { type DecodedPacket, decode, encode, type Packet } from "dns-packet";
import fc from "fast-check";
import { framed, type Upstream, unframed } from "./ask-upstream.ts";
import { DnsServer } from "./dns-server.ts";

const gateway = "127.0.53.1";
const manyAddresses = Array.from({ length: 80 }, (_, n) => `127.0.53.${100 + n}`);

function planOf(names: Record<string, string[]>, gateways = [gateway]): DnsPlan {
  return {
    zones: gateways.map((address) => ({
      network: address as NetworkId,
      name: address,
      internal: false,
      gateway: address,
      subnet: "127.0.0.0/16",
      names: new Map(Object.entries(names)),
      reverse: new Map(),
    })),
    clients: new Map(),
    confined: new Set(),
  };
}

interface World {
  readonly server: DnsServer;
  readonly port: number;
  readonly told: string[];
}

async function world(t: TestContext, upstreams: () => Upstream[], plan: DnsPlan): Promise<World> {
  const port = await freePort();
  const told: string[] = [];
  const tell = (_: object, text: string): number => told.push(text);
  const server = new DnsServer({
    log: { info: tell, warn: tell },
    port,
    upstreams: async () => upstreams(),
  });
  t.after(() => server.close());
  server.serve(plan);
  return { server, port, told };
}

test("DnsServer answers from the plan, cut by UDP and whole by TCP", async (t) => {
  const { port } = await world(t, () => [], planOf({ web: ["10.0.0.1"], many: manyAddresses }));
  const web = await askUdp(port, { questions: [{ name: "WEB", type: "A" }] });
  assert.deepEqual(addressesOf(web), ["10.0.0.1"]);
  const cut = await askUdp(port, { questions: [{ name: "many", type: "A" }] });
  assert.ok(cut.flag_tc && addressesOf(cut).length < 80);
  const [whole] = await askTcp(port, [{ questions: [{ name: "many", type: "A" }] }]);
  assert.deepEqual(addressesOf(whole).sort(), [...manyAddresses].sort());
});

test("DnsServer answers many questions on one TCP connection", async (t) => {
  const { port } = await world(t, () => [], planOf({ web: ["10.0.0.1"] }));
  const packets = Array.from({ length: 100 }, (_, id) => ({
    id,
    questions: [{ name: "web", type: "A" } as const],
  }));
  const answers = await askTcp(port, packets);
  assert.deepEqual(
    answers.map(({ id }) => id).sort(byNumber),
    packets.map(({ id }) => id),
  );
});

test("DnsServer answers SERVFAIL at once when the host has no name server", async (t) => {
  const { port } = await world(t, () => [], planOf({}));
  const answer = await askUdp(port, { questions: [{ name: "a.org", type: "A" }] });
  assert.equal(rcodeOf(answer), "SERVFAIL");
});

test("DnsServer asks upstream once for the same question, caches the answer, and gives each client its id", async (t) => {
  const upstream = await playUpstream(t, (asked) => ({
    answers: [{ type: "A", name: asked, ttl: 60, data: "192.0.2.7" }],
  }));
  const { port } = await world(t, () => [upstream.at], planOf({}));
  const ask = (id: number, name: string): Promise<DecodedPacket> =>
    askUdp(port, { id, questions: [{ name, type: "A" }] });
  const answers = await Promise.all([ask(1, "a.org"), ask(2, "A.org"), ask(3, "a.ORG")]);
  assert.deepEqual(
    answers.map(({ id }) => id),
    [1, 2, 3],
  );
  assert.deepEqual(
    answers.map(({ questions }) => questions?.[0]?.name),
    ["a.org", "A.org", "a.ORG"],
  );
  for (const answer of answers) assert.deepEqual(addressesOf(answer), ["192.0.2.7"]);
  await ask(4, "a.org");
  assert.equal(upstream.ids.length, 1);
  await ask(5, "b.org");
  await ask(6, "c.org");
  assert.equal(new Set(upstream.ids).size, 3, "a fresh id each");
  assert.ok(new Set(upstream.ports).size > 1, "a fresh port each");
});

test("DnsServer goes on to the next name server, and asks the dead one last from then on", async (t) => {
  const dead = { address: "127.0.0.1", port: await freePort() };
  const upstream = await playUpstream(t, (asked) => ({
    answers: [{ type: "A", name: asked, ttl: 0, data: "192.0.2.8" }],
  }));
  const { port } = await world(t, () => [dead, upstream.at], planOf({}));
  const answer = await askUdp(port, { questions: [{ name: "a.org", type: "A" }] });
  assert.deepEqual(addressesOf(answer), ["192.0.2.8"]);
});

test("DnsServer asks the engine's resolver of a container, caches nothing of it, and nobody else", async (t) => {
  let data = "192.0.2.7";
  const engine = await playUpstream(t, (asked) => {
    return asked === "beside"
      ? { answers: [{ type: "A", name: asked, ttl: 600, data }] }
      : { flags: 3 };
  });
  const host = await playUpstream(t, (asked) => ({
    answers: [{ type: "A", name: asked, ttl: 60, data: "192.0.2.1" }],
  }));
  const { server, port } = await world(t, () => [host.at], planOf({ web: ["10.0.0.1"] }));
  const ask = (name: string): Promise<DecodedPacket> =>
    askUdp(port, { questions: [{ name, type: "A" }] });
  server.redirect(new Map([["127.0.0.1", { servers: [engine.at], isEngine: true }]]));
  assert.deepEqual(addressesOf(await ask("web")), ["10.0.0.1"]);
  assert.deepEqual(addressesOf(await ask("beside")), ["192.0.2.7"]);
  data = "192.0.2.8";
  assert.deepEqual(addressesOf(await ask("beside")), ["192.0.2.8"]);
  assert.equal(rcodeOf(await ask("nobody")), "NXDOMAIN");
  assert.equal(host.ids.length, 0);
  server.redirect(new Map());
  assert.deepEqual(addressesOf(await ask("beside")), ["192.0.2.1"]);
});

test("DnsServer asks the host's name servers when those of a redirected container are dead", async (t) => {
  const dead = { address: "127.0.0.1", port: await freePort() };
  const host = await playUpstream(t, (asked) => ({
    answers: [{ type: "A", name: asked, ttl: 60, data: "192.0.2.1" }],
  }));
  const { server, port } = await world(t, () => [host.at], planOf({}));
  server.redirect(new Map([["127.0.0.1", { servers: [dead], isEngine: false }]]));
  const answer = await askUdp(port, { questions: [{ name: "a.org", type: "A" }] });
  assert.deepEqual(addressesOf(answer), ["192.0.2.1"]);
});

test("DnsServer passes on a refusal only when no server has an answer", async (t) => {
  const refusing = await playUpstream(t, () => ({ flags: 5 }));
  const knowing = await playUpstream(t, () => ({ flags: 3 }));
  let upstreams = [refusing.at, knowing.at];
  const { port } = await world(t, () => upstreams, planOf({}));
  const ask = async (name: string): Promise<string> =>
    rcodeOf(await askUdp(port, { questions: [{ name, type: "A" }] }));
  assert.equal(await ask("a.org"), "NXDOMAIN");
  upstreams = [refusing.at];
  assert.equal(await ask("b.org"), "REFUSED");
});

test("DnsServer asks upstream by TCP what UDP cut", async (t) => {
  const answers = Array.from({ length: 40 }, (_, n) => ({
    ...({ type: "A", name: "a.org", ttl: 5 } as const),
    data: `192.0.2.${n}`,
  }));
  const upstream = await playUpstream(
    t,
    () => ({ flags: 0x0200 }),
    () => ({ answers }),
  );
  const { port } = await world(t, () => [upstream.at], planOf({}));
  const [whole] = await askTcp(port, [{ questions: [{ name: "a.org", type: "A" }] }]);
  assert.equal(addressesOf(whole).length, 40);
  assert.equal(whole?.flag_tc, false);
});

test("DnsServer never asks its own addresses, nor the engine's resolver", async (t) => {
  const self = await playUpstream(t, () => ({ flags: 3 }));
  const engine = { address: "127.0.0.11", port: 53 };
  const plan = planOf({}, [gateway, self.at.address]);
  const { port } = await world(t, () => [engine, self.at], plan);
  const answer = await askUdp(port, { questions: [{ name: "a.org", type: "A" }] });
  assert.equal(rcodeOf(answer), "SERVFAIL");
  assert.equal(self.ids.length, 0);
});

test("DnsServer follows the plan: names at once, gateways as they come and go", async (t) => {
  const { server, port } = await world(t, () => [], planOf({ web: ["10.0.0.1"] }));
  const other = "127.0.53.2";
  const web = { questions: [{ name: "web", type: "A" } as const] };
  assert.deepEqual(addressesOf(await askUdp(port, web)), ["10.0.0.1"]);
  server.serve(planOf({ web: ["10.0.0.2"] }, [gateway, other]));
  assert.deepEqual(addressesOf(await askUdp(port, web)), ["10.0.0.2"]);
  assert.deepEqual(addressesOf(await askUdp(port, web, other)), ["10.0.0.2"]);
  server.serve(planOf({ web: ["10.0.0.3"] }, [other]));
  assert.deepEqual(addressesOf(await askUdp(port, web, other)), ["10.0.0.3"]);
  const again = createSocket("udp4").bind(port, gateway); // The address is free again.
  await once(again, "listening");
  again.close();
});

test("DnsServer does not report an address that is still missing, and reports one that is taken", async (t) => {
  const { server, port, told } = await world(t, () => [], planOf({}, ["192.0.2.1"]));
  const holder = createSocket("udp4").bind(port, gateway);
  t.after(() => holder.close());
  await once(holder, "listening");
  server.serve(planOf({}, [gateway, "192.0.2.1"]));
  const [found] = await askTcp(port, [{ questions: [{ name: "a.org", type: "A" }] }]);
  assert.equal(found && rcodeOf(found), "SERVFAIL");
  assert.deepEqual(server.problems, [
    `Cannot serve DNS at ${gateway}:${port}/udp: another program on this host listens there`,
  ]);
  assert.deepEqual(told, server.problems);
  server.serve(planOf({}));
});

test("DnsServer survives any bytes by UDP and TCP", async (t) => {
  const { port } = await world(t, () => [], planOf({ web: ["10.0.0.1"] }));
  const socket = createSocket("udp4");
  t.after(() => socket.close());
  for (const bytes of fc.sample(fc.uint8Array({ maxLength: 300 }), 300)) {
    socket.send(bytes, port, gateway);
  }
  for (const bytes of fc.sample(fc.uint8Array({ minLength: 1, maxLength: 300 }), 30)) {
    const stream = connect({ host: gateway, port });
    stream.on("error", () => undefined);
    stream.resume();
    stream.end(bytes);
    await once(stream, "close");
  }
  const web = await askUdp(port, { questions: [{ name: "web", type: "A" }] });
  assert.deepEqual(addressesOf(web), ["10.0.0.1"]);
});

/** Name servers that cannot answer. */
const lost: readonly (readonly [string, string])[] = [
  ["no address", "nonsense"],
  ["an address and a port", "192.0.2.1:53"],
  ["nothing", ""],
  ["an IPv6 address that no socket can be connected to", "fe80::1"],
  ["the address of all", "255.255.255.255"],
];
for (const [what, address] of lost) {
  test(`DnsServer goes on to the next where a name server is ${what}`, async (t) => {
    const upstream = await playUpstream(t, (asked) => ({
      answers: [{ type: "A", name: asked, ttl: 0, data: "192.0.2.8" }],
    }));
    const { port } = await world(t, () => [{ address, port: 53 }, upstream.at], planOf({}));
    const answer = await askUdp(port, { questions: [{ name: "a.org", type: "A" }] });
    assert.deepEqual(addressesOf(answer), ["192.0.2.8"]);
  });
}

test("DnsServer asks the host's own servers for a container whose spec's servers are not addresses", async (t) => {
  const upstream = await playUpstream(t, (asked) => ({
    answers: [{ type: "A", name: asked, ttl: 0, data: "192.0.2.8" }],
  }));
  const { server, port } = await world(t, () => [upstream.at], planOf({}));
  server.serve({ ...planOf({}), upstreams: new Map([["127.0.0.1", ["dns.example", "1.2.3"]]]) });
  const answer = await askUdp(port, { questions: [{ name: "a.org", type: "A" }] });
  assert.deepEqual(addressesOf(answer), ["192.0.2.8"]);
});

test("DnsServer answers SERVFAIL when a server's answers cannot be read, by UDP and TCP", {
  timeout: 20_000,
}, async (t) => {
  const bytes = fc.sample(fc.uint8Array({ maxLength: 600 }), 40).map((one) => Buffer.from(one));
  let turn = 0;
  const rubbish = (message: Buffer): Buffer => {
    turn += 1;
    const some = bytes[turn % bytes.length] ?? Buffer.alloc(0);
    // Half of them begin like an answer to the question, and announce more records than they have.
    if (turn % 2 === 0) return some;
    const head = Buffer.from(message.subarray(0, message.length - 11));
    head.writeUInt16BE(0x8180 | (turn % 4 === 1 ? 0x0200 : 0), 2);
    head.writeUInt16BE(turn % 7, 6);
    head.writeUInt16BE(0, 10);
    return Buffer.concat([head, some]);
  };
  const upstream = await playRubbish(t, rubbish);
  const { port } = await world(t, () => [upstream], planOf({ web: ["10.0.0.1"] }));
  for (let n = 0; n < 4; n += 1) {
    const answer = await askUdp(port, { id: n, questions: [{ name: `n${n}.org`, type: "A" }] });
    assert.ok(["SERVFAIL", "NOERROR"].includes(rcodeOf(answer)), rcodeOf(answer));
  }
  const web = await askUdp(port, { questions: [{ name: "web", type: "A" }] });
  assert.deepEqual(addressesOf(web), ["10.0.0.1"]);
});

/** Answers each question, by UDP and TCP, with bytes that `say` makes from it. */
async function playRubbish(t: TestContext, say: (message: Buffer) => Buffer): Promise<Upstream> {
  const server = createServer((connection) => {
    connection.on("error", () => undefined);
    connection.on("data", (bytes) => {
      const { message } = unframed(bytes);
      if (message !== undefined) connection.end(framed(say(message)));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const udp = createSocket("udp4");
  udp.on("message", (message, from) => {
    for (let n = 0; n < 20; n += 1) udp.send(say(message), from.port, from.address);
  });
  udp.bind(port, "127.0.0.1");
  await once(udp, "listening");
  t.after(() => {
    udp.close();
    server.close();
  });
  return { address: "127.0.0.1", port };
}

test("DnsServer reports a query that fails, and answers the others", async (t) => {
  const broken = new Map([["10.0.0.1", "x".repeat(70_000).replaceAll(/x{50}/g, "$&.")]]);
  const plan = planOf({ web: ["10.0.0.1"] });
  const zones = plan.zones.map((zone) => ({ ...zone, reverse: broken }));
  const { server, port } = await world(t, () => [], { ...plan, zones });
  const socket = createSocket("udp4");
  t.after(() => socket.close());
  const asked = encode({
    type: "query",
    questions: [{ name: "1.0.0.10.in-addr.arpa", type: "PTR" }],
  });
  socket.send(asked, port, gateway);
  const web = await askUdp(port, { questions: [{ name: "web", type: "A" }] });
  assert.deepEqual(addressesOf(web), ["10.0.0.1"]);
  assert.match(server.problems.join(), /Cannot answer DNS query/);
  server.serve(plan);
  assert.deepEqual(server.problems, []);
});

interface PlayedUpstream {
  readonly at: Upstream;
  readonly ids: number[];
  readonly ports: number[];
}

/** Answers by UDP, and by TCP at the same port. */
async function playUpstream(
  t: TestContext,
  byUdp: (name: string) => Packet,
  byTcp = byUdp,
): Promise<PlayedUpstream> {
  const ids: number[] = [];
  const ports: number[] = [];
  const reply = (message: Buffer, say: (name: string) => Packet): Buffer => {
    const { id = 0, questions = [] } = decode(message);
    ids.push(id);
    return encode({ type: "response", id, questions, ...say(questions[0]?.name ?? "") });
  };
  const server = createServer((connection) => {
    connection.on("error", () => undefined);
    connection.on("data", (bytes) => {
      const { message } = unframed(bytes);
      if (message !== undefined) connection.end(framed(reply(message, byTcp)));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const udp: Socket = createSocket("udp4");
  udp.on("message", (message, from) => {
    ports.push(from.port);
    // A stranger's wrong guess must change nothing.
    udp.send(encode({ type: "response", id: 0, questions: [] }), from.port, from.address);
    udp.send(reply(message, byUdp), from.port, from.address);
  });
  udp.bind(port, "127.0.0.1");
  await once(udp, "listening");
  t.after(() => {
    udp.close();
    server.close();
  });
  return { at: { address: "127.0.0.1", port }, ids, ports };
}

/** Asks again until there is an answer, as a client does: the server may not listen yet. */
async function askUdp(port: number, packet: Packet, address = gateway): Promise<DecodedPacket> {
  const socket = createSocket("udp4");
  const message = encode({ type: "query", id: 1, flags: 0x0100, ...packet });
  socket.on("error", () => undefined); // The server does not listen yet.
  socket.connect(port, address);
  await once(socket, "connect");
  socket.send(message);
  const again = setInterval(() => socket.send(message), 100);
  const [reply] = (await once(socket, "message")) as [Buffer];
  clearInterval(again);
  socket.close();
  return decode(reply);
}

async function askTcp(port: number, packets: readonly Packet[]): Promise<DecodedPacket[]> {
  const stream = connect({ host: gateway, port });
  await once(stream, "connect");
  stream.write(Buffer.concat(packets.map((one) => framed(encode({ type: "query", ...one })))));
  const answers: DecodedPacket[] = [];
  let heard: Buffer = Buffer.alloc(0);
  for await (const bytes of stream) {
    heard = Buffer.concat([heard, bytes as Buffer]);
    for (let cut = unframed(heard); cut.message !== undefined; cut = unframed(heard)) {
      answers.push(decode(cut.message));
      heard = cut.rest;
    }
    if (answers.length === packets.length) break;
  }
  return answers;
}

function addressesOf(packet: DecodedPacket | undefined): string[] {
  return (packet?.answers ?? []).flatMap((one) => (one.type === "A" ? [one.data] : []));
}

/** The library has this field, its types do not. */
function rcodeOf(packet: DecodedPacket): string {
  return (packet as unknown as { rcode: string }).rcode;
}

function byNumber(a: number | undefined, b: number | undefined): number {
  return (a ?? 0) - (b ?? 0);
}

test("DnsServer asks the servers in a container's spec, not the host's own", async (t) => {
  const upstream = await playUpstream(t, (asked) => ({
    answers: [{ type: "A", name: asked, ttl: 0, data: "192.0.2.9" }],
  }));
  const { server, port } = await world(t, () => [upstream.at], planOf({ web: ["10.0.0.1"] }));
  const ask = (name: string): Promise<DecodedPacket> =>
    askUdp(port, { questions: [{ name, type: "A" }] });
  assert.deepEqual(addressesOf(await ask("a.org")), ["192.0.2.9"]);
  // No DNS server runs there.
  const upstreams = new Map([["127.0.0.1", ["127.0.53.250"]]]);
  server.serve({ ...planOf({ web: ["10.0.0.1"] }), upstreams });
  assert.equal(rcodeOf(await ask("a.org")), "SERVFAIL");
  assert.deepEqual(addressesOf(await ask("web")), ["10.0.0.1"]);
  assert.equal(upstream.ids.length, 1);
  server.serve(planOf({}));
  assert.deepEqual(addressesOf(await ask("a.org")), ["192.0.2.9"]);
});
