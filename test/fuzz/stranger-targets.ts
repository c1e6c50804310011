/**
 * What a peer reads on port 7946 before the other end has shown a certificate, and what a joiner reads from
 * the peer that answers it.
 *
 * Without gossip: gossipsub sees only streams of admitted connections (packages/mesh, gossip.ts).
 */
import { decode, encode, GamError, type NodeId, type Random } from "@gam/core";
import { yamux } from "@libp2p/yamux";
import { Admission } from "../../packages/mesh/src/admission/admission.ts";
import { askToJoin, askToRenew, Responder } from "../../packages/mesh/src/admission/join.ts";
import { Refusals } from "../../packages/mesh/src/admission/refusals.ts";
import { Throttle } from "../../packages/mesh/src/admission/throttle.ts";
import { hostPart, parseAddress } from "../../packages/mesh/src/trust/address.ts";
import {
  issueCertificate,
  readCertificate,
  writeCertificate,
} from "../../packages/mesh/src/trust/certificate.ts";
import {
  type Credentials,
  createCluster,
  fingerprintOf,
} from "../../packages/mesh/src/trust/credentials.ts";
import type { MeshDoor } from "../../packages/mesh/src/trust/door.ts";
import { type Identity, makeIdentity } from "../../packages/mesh/src/trust/identity.ts";
import { defaultLimits } from "../../packages/mesh/src/trust/limits.ts";
import {
  formatToken,
  makeSecret,
  parseToken,
  type Token,
  tokenKeyOf,
} from "../../packages/mesh/src/trust/token.ts";
import { Exchange } from "../../packages/mesh/src/wire/exchange.ts";
import { FrameReader, writeFrames } from "../../packages/mesh/src/wire/frame.ts";
import { Links } from "../../packages/mesh/src/wire/link.ts";
import { boundFrames, MuxerFrames } from "../../packages/mesh/src/wire/muxer-frames.ts";
import { isAnswer, Negotiation } from "../../packages/mesh/src/wire/negotiation.ts";
import { grantByHalves, onEachStream } from "../../packages/mesh/src/wire/streams.ts";
import { FakeStream, fakeConnection } from "./fake-stream.ts";
import type { Target } from "./target.ts";

const nowMs = Date.UTC(2030, 0, 1);
const silent = { debug: ignore, info: ignore, warn: ignore, error: ignore };
const limits = { ...defaultLimits, joinBurst: Number.MAX_SAFE_INTEGER };

function ignore(): void {
  // A fuzz needs no log.
}

/** The member under fuzz, and the stranger. */
interface Cast {
  readonly member: Identity;
  readonly other: Identity;
  readonly credentials: Credentials;
  /** The credentials of the other end, if it were a member. */
  readonly theirs: Credentials;
  readonly token: Token;
  readonly door: MeshDoor;
}

async function makeCast(): Promise<Cast> {
  const [member, other] = [await makeIdentity(), await makeIdentity()];
  const credentials = createCluster(member, nowMs);
  const { clusterId, rootPublicKey, rootPrivateKey } = credentials;
  if (rootPrivateKey === undefined) throw new Error("the first member has the root key");
  const subject = { clusterId, publicKey: other.publicKey, role: "manager" as const, asOf: 0 };
  const certificate = issueCertificate(rootPrivateKey, subject, nowMs);
  const secrets = { manager: makeSecret(), worker: makeSecret() };
  const members = [
    { nodeId: other.nodeId, role: "worker" as const, addresses: ["192.0.2.1:7946"] },
  ];
  const door: MeshDoor = {
    tokenKeys: () => ({
      manager: tokenKeyOf(secrets.manager),
      worker: tokenKeyOf(secrets.worker),
    }),
    members: () => members,
    certificateLifeMs: () => 90 * 86_400_000,
    index: () => 0,
    isRemoved: () => false,
    onJoinRequest: async () => undefined,
    roots: () => undefined,
    onRenewed: async () => undefined,
  };
  const token = {
    fingerprint: fingerprintOf(rootPublicKey),
    secret: secrets.manager,
    addresses: [],
  };
  return { member, other, credentials, theirs: { ...credentials, certificate }, token, door };
}

/** Delivers a stream's bytes in pieces, as the network would. */
function bringInPieces(stream: FakeStream, bytes: Uint8Array, random: Random): void {
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + random.below(random.below(2) === 0 ? 8 : 4_096);
    stream.bring(bytes.subarray(at, end));
    at = end;
  }
}

export async function strangerTargets(): Promise<readonly Target[]> {
  const cast = await makeCast();
  return [
    frames(),
    codec(),
    ...negotiations(),
    ...muxers(),
    ...hellos(cast),
    ...joins(cast),
    certificates(cast),
    ...texts(cast),
  ];
}

function frames(): Target {
  const seeds = [
    writeFrames([encode({ kind: "ping", id: 1 })]),
    writeFrames([encode([1]), encode("two")]),
  ];
  return {
    name: "frames",
    group: "strangers",
    form: "bytes",
    seeds,
    take: (input, random) => {
      const reader = new FrameReader(limits.controlFrameBytesMax);
      let bodies = 0;
      for (let at = 0; at < input.length; ) {
        const end = at + 1 + random.below(64);
        bodies += reader.push(input.subarray(at, end)).length;
        at = end;
      }
      return bodies > 0;
    },
  };
}

/** The codec. Its seeds have what the decoder below can read but no peer sends: dates, patterns, records, cycles. */
function codec(): Target {
  const odd = [
    "d6ff00000001",
    "d7789261613000000000",
    "d4724091a161",
    "c70274030102",
    "d66900000001",
    "91d47300",
  ];
  const seeds = [{ a: [1, "two", Buffer.from("3")] }, [0.5, null, true, 2 ** 40]].map((value) =>
    encode(value),
  );
  return {
    name: "codec",
    group: "strangers",
    form: "bytes",
    seeds: [...seeds, ...odd.map((hex) => Buffer.from(hex, "hex"))],
    take: (input) => {
      const value = decode(input);
      JSON.stringify(value);
      encode(value);
      return true;
    },
  };
}

function negotiations(): Target[] {
  const line = (name: string): Buffer =>
    Buffer.concat([Buffer.from([name.length + 1]), Buffer.from(`${name}\n`)]);
  const seeds = [
    Buffer.concat([line("/multistream/1.0.0"), line("/noise")]),
    Buffer.concat([line("/multistream/1.0.0"), line("na"), line("/gam/hello/1")]),
  ];
  return [
    ["negotiation-in", (name: string) => name === "/noise"] as const,
    ["negotiation-out", isAnswer] as const,
  ].map(
    ([name, isLast]): Target => ({
      name,
      group: "strangers",
      form: "bytes",
      seeds,
      take: (input, random) => {
        const negotiation = new Negotiation(isLast);
        for (let at = 0; at < input.length; ) {
          const end = at + 1 + random.below(40);
          const found = negotiation.read(input.subarray(at, end));
          if (found !== "going on") return found === "over";
          at = end;
        }
        return false;
      },
    }),
  );
}

const windowBytes = 256 * 1024;

/** A frame of Yamux as a stranger makes it. */
function muxerFrame(type: number, flags: number, length: number, data = 0): Buffer {
  const bytes = Buffer.alloc(12 + data);
  bytes.writeUInt8(type, 1);
  bytes.writeUInt16BE(flags, 2);
  bytes.writeUInt32BE(type > 1 ? 0 : 1, 4);
  bytes.writeUInt32BE(length, 8);
  return bytes;
}

/** The filters before libp2p's muxer, alone and both on a connection, as in host.ts. */
function muxers(): Target[] {
  const frames = [
    ...[muxerFrame(1, 1, 0), muxerFrame(0, 0, 40, 40), muxerFrame(0, 4, 3, 3)],
    ...[muxerFrame(2, 1, 7), muxerFrame(3, 0, 0)],
  ];
  const seeds = [Buffer.concat(frames), Buffer.concat(frames.slice(0, 4)), muxerFrame(0, 1, 9, 9)];
  const base = { group: "strangers", form: "bytes", seeds } as const;
  return [
    {
      ...base,
      name: "muxer-frames",
      take: (input, random) => {
        const reader = new MuxerFrames(windowBytes);
        for (let at = 0; at < input.length; ) {
          const end = at + 1 + random.below(40);
          reader.read(input.subarray(at, end));
          at = end;
        }
        return true;
      },
    },
    {
      ...base,
      name: "muxer",
      take: (input, random) => {
        const connection = new FakeStream();
        const streams = { maxStreamWindowSize: windowBytes, maxReadBufferLength: 2 * windowBytes };
        const factory = yamux({ maxInboundStreams: 512, streamOptions: streams })();
        boundFrames(factory, windowBytes, () => undefined);
        onEachStream(factory, grantByHalves);
        const muxer = factory.createStreamMuxer(connection.stream);
        bringInPieces(connection, input, random);
        const taken = connection.status === "open" && muxer.streams.length > 0;
        connection.hangUp();
        return taken;
      },
    },
  ];
}

function hellos({ member, other, credentials, theirs, door }: Cast): Target[] {
  const hello = (certificate: Uint8Array) =>
    encode({
      kind: "hello",
      boot: "boot",
      certificate,
      next: certificate,
      addresses: ["192.0.2.1:7946"],
    });
  const own = hello(writeCertificate(theirs.certificate));
  const ping = encode({ kind: "ping", id: 1 });
  const refused = encode({ kind: "refused", refusal: "stranger", reason: "no" });
  const seeds = [
    writeFrames([own]),
    writeFrames([own, ping, encode({ kind: "pong", id: 2 }), refused]),
    writeFrames([hello(writeCertificate(credentials.certificate))]),
    writeFrames([refused]),
  ];
  const admission = () => {
    const refusals = new Refusals(silent, () => nowMs);
    let linked = 0;
    const links = new Links({
      self: member.nodeId,
      limits,
      onLinked: () => {
        linked += 1;
      },
      onUnlinked: () => undefined,
      onSilent: () => undefined,
    });
    const made = new Admission({
      boot: "boot",
      limits,
      door,
      links,
      refusals,
      credentials: () => credentials,
      addresses: () => ["192.0.2.2:7946"],
      nowMs: () => nowMs,
      wallMs: () => nowMs,
    });
    return { made, linked: () => linked > 0 };
  };
  const base = { group: "strangers", form: "frames", seeds } as const;
  return [
    {
      ...base,
      name: "hello",
      take: (input, random) => {
        const stream = new FakeStream();
        const { made, linked } = admission();
        made.answer(stream.stream, fakeConnection(other));
        bringInPieces(stream, input, random);
        return linked();
      },
    },
    {
      ...base,
      name: "hello-answer",
      take: async (input, random) => {
        const stream = new FakeStream();
        const { made } = admission();
        const greeting = made.greet(fakeConnection(other, stream));
        // Attached before it ends; its rejection is checked below.
        const ended = greeting.then(
          () => true,
          (thrown: unknown) => thrown,
        );
        await undefined;
        bringInPieces(stream, input, random);
        stream.hangUp();
        const found = await ended;
        if (found !== true && !(found instanceof GamError)) throw found;
        return found === true;
      },
    },
  ];
}

function joins(cast: Cast): Target[] {
  const { member, other, credentials, theirs, token, door } = cast;
  const certificate = writeCertificate(theirs.certificate);
  const { rootPublicKey, rootPrivateKey } = credentials;
  const nonce = Buffer.alloc(32, 7);
  const refused = encode({ kind: "refused", refusal: "join", reason: "no" });
  const responder = () =>
    new Responder({
      self: member.nodeId,
      limits,
      door,
      log: silent,
      refusals: new Refusals(silent, () => nowMs),
      throttle: new Throttle(Number.MAX_SAFE_INTEGER),
      credentials: () => credentials,
      nowMs: () => nowMs,
      wallMs: () => nowMs,
      onProved: () => undefined,
    });
  /** One conversation, in which the other end sends `input` and then hangs up. */
  const converse = async (
    input: Uint8Array,
    random: Random,
    serve: (exchange: Exchange) => Promise<unknown>,
  ): Promise<void> => {
    const stream = new FakeStream();
    const served = serve(new Exchange(stream.stream, limits.controlFrameBytesMax)).then(
      () => undefined,
      (thrown: unknown) => thrown ?? new Error("rejected with nothing"),
    );
    bringInPieces(stream, input, random);
    stream.hangUp();
    const thrown = await served;
    if (thrown !== undefined) throw thrown;
  };
  const join = encode({ kind: "join", nonce });
  const proof = encode({
    kind: "proof",
    proof: nonce,
    addresses: ["192.0.2.1:7946"],
    availability: "active",
  });
  const welcome = encode({ kind: "welcome", rootPublicKey, certificate, nonce });
  const members = [{ nodeId: other.nodeId, role: "manager", addresses: ["192.0.2.1:7946"] }];
  const own = writeCertificate(credentials.certificate);
  const admitted = encode({ kind: "admitted", certificate: own, rootPrivateKey, members });
  const renewed = encode({ kind: "renewed", certificate: own, rootPrivateKey });
  const asking = {
    self: member,
    token,
    addresses: [],
    limits,
    wallMs: () => nowMs,
    availability: "active" as const,
    onAnswer: ignore,
  };
  const base = { group: "strangers", form: "frames" } as const;
  return [
    {
      ...base,
      name: "join",
      seeds: [writeFrames([join, proof]), writeFrames([join])],
      take: async (input, random) => {
        await converse(input, random, (exchange) =>
          responder().join(exchange, fakeConnection(other)),
        );
        return true;
      },
    },
    {
      ...base,
      name: "renew",
      seeds: [writeFrames([encode({ kind: "renew", certificate, root: rootPublicKey })])],
      take: async (input, random) => {
        await converse(input, random, (exchange) =>
          responder().renew(exchange, fakeConnection(other)),
        );
        return true;
      },
    },
    {
      ...base,
      name: "join-answer",
      seeds: [
        writeFrames([welcome, admitted]),
        writeFrames([welcome, refused]),
        writeFrames([refused]),
      ],
      take: async (input, random) => {
        await converse(input, random, (exchange) =>
          askToJoin(exchange, fakeConnection(other), asking),
        );
        return true;
      },
    },
    {
      ...base,
      name: "renew-answer",
      seeds: [
        writeFrames([renewed]),
        writeFrames([encode({ kind: "unable" })]),
        writeFrames([refused]),
      ],
      take: async (input, random) => {
        await converse(input, random, (exchange) =>
          askToRenew(exchange, credentials, limits, false),
        );
        return true;
      },
    },
  ];
}

function certificates({ theirs, credentials }: Cast): Target {
  return {
    name: "certificate",
    group: "strangers",
    form: "value",
    seeds: [theirs, credentials].map(({ certificate }) => writeCertificate(certificate)),
    take: (input) => readCertificate(input).nodeId !== ("" as NodeId),
  };
}

function texts({ token }: Cast): Target[] {
  const addresses = ["192.0.2.1:7946", "[2001:db8::1]:7946", "host-1.example:1"];
  const text = { group: "strangers", form: "text" } as const;
  return [
    {
      ...text,
      name: "token",
      seeds: [formatToken({ ...token, addresses }), formatToken(token)].map((one) =>
        Buffer.from(one),
      ),
      words: ["gam-1-", "SWMTKN-1-", "-", ",", ":", "[", "]"],
      take: (input) => parseToken(Buffer.from(input).toString("utf8")).secret.length === 25,
    },
    {
      ...text,
      name: "address",
      seeds: addresses.map((one) => Buffer.from(one)),
      words: [":", "[", "]", "%", ".", "::", "0x7f"],
      take: (input) => {
        const { host, port } = parseAddress(Buffer.from(input).toString("utf8"));
        return hostPart(`${host}:${port}`) === host;
      },
    },
  ];
}
