/**
 * Host: this peer's libp2p node. TCP, Noise, Yamux and no protocol that starts by itself.
 *
 * Decides which of libp2p's defaults are changed. Knows none of gam's protocols.
 */

import type { gossipsub } from "@chainsafe/libp2p-gossipsub";
import { assert } from "@gam/core";
import type { ComponentLogger, Libp2p, Logger, MultiaddrConnection } from "@libp2p/interface";
import { noise } from "@libp2p/noise";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { createLibp2p } from "libp2p";
import { type Address, addressOf, dialAddress, hostPart } from "../trust/address.ts";
import type { Identity } from "../trust/identity.ts";
import { boundFrames } from "./muxer-frames.ts";
import { type Inlet, insistOnMuxer, isAnswer, watchNegotiation } from "./negotiation.ts";
import {
  type Emitter,
  endFramesCheaply,
  grantByHalves,
  onEachStream,
  type RawConnection,
  type SealedConnection,
  tellListenersOnly,
  writeAtOnce,
} from "./streams.ts";

/** The parts of libp2p that gossipsub is built on. */
export type Components = Parameters<ReturnType<typeof gossipsub>>[0];

/** libp2p formats its log lines even when nothing reads them, which costs a fifth of a stream. */
const silent: Logger = Object.assign(() => undefined, {
  enabled: false,
  error: () => undefined,
  trace: () => undefined,
  newScope: () => silent,
});
const silentLogger: ComponentLogger = { forComponent: () => silent };

const noiseName = "/noise";
/** Most clusters have fewer than 200 peers; a peer has one connection to each, briefly two. */
const connectionsMax = 1024;
/** Enough for a whole cluster that starts at once, from one address in tests. */
const connectionsPerSecondMax = 64;
const handshakesMax = 256;
/** One host with many silent connections must leave room for the others. */
const handshakesPerHostMax = 32;
const closeMs = 500;
const streamsMax = 512;
/** Bytes of one stream that may be on the way or unread. 1 MiB fills 80 Mbit/s at 100 ms. */
const streamWindowBytes = 1024 * 1024;

export interface HostOptions {
  readonly identity: Identity;
  readonly listen: Address;
  /** Upper limit for a dial, whatever its own signal says. */
  readonly dialMsMax: number;
  /** How long a caller may take over its handshake. */
  readonly helloMs: number;
  /** An inbound connection ended before its key was proved: a scan, or noise. */
  readonly onFailedHandshake: (address: string) => void;
  /** The other end does not negotiate as gam's peers do. Its connection has ended. */
  readonly onRubbish: (address: string, reason: string) => void;
}

export interface Host {
  readonly libp2p: Libp2p;
  readonly components: Components;
}

/** Makes the host without starting it: protocols are registered first, so that early callers find them. */
export async function openHost(options: HostOptions): Promise<Host> {
  let components: Components | undefined;
  const proved = new WeakSet<object>();
  const addresses = new WeakMap<object, string>();
  const handshakes = new Map<string, number>();
  const count = (host: string, change: 1 | -1): number => {
    const now = (handshakes.get(host) ?? 0) + change;
    if (now === 0) handshakes.delete(host);
    else handshakes.set(host, now);
    return now;
  };
  const libp2p = await createLibp2p({
    start: false,
    services: {
      parts: (all: Components) => {
        components = all;
        return {};
      },
    },
    privateKey: options.identity.privateKey,
    addresses: { listen: [dialAddress(options.listen).toString()] },
    logger: silentLogger,
    transports: [tcp()],
    // Not to encrypt: libp2p passes a connection here first, before any byte of it is read.
    connectionProtector: () => ({
      protect: async (connection) => {
        const ours = connection.direction === "outbound";
        const isLast = ours ? isAnswer : (name: string) => name === noiseName;
        watchNegotiation(connection as unknown as Inlet, isLast, (error) =>
          connection.abort(error),
        );
        writeAtOnce(connection as unknown as RawConnection);
        tellListenersOnly(connection as unknown as Emitter);
        return connection;
      },
    }),
    connectionEncrypters: [
      (parts) =>
        insistOnMuxer(noise()(parts), (plain, secured) => {
          const { remoteAddr } = plain as MultiaddrConnection;
          addresses.set(secured, addressOf(remoteAddr));
          endFramesCheaply(secured as unknown as SealedConnection);
          tellListenersOnly(secured as unknown as Emitter);
        }),
    ],
    streamMuxers: [
      () => {
        const factory = yamux({
          maxInboundStreams: streamsMax,
          maxOutboundStreams: streamsMax,
          streamOptions: {
            maxStreamWindowSize: streamWindowBytes,
            maxReadBufferLength: 2 * streamWindowBytes,
          },
        })();
        const isSpoken = (name: string): boolean =>
          components?.registrar.getProtocols().includes(name) ?? false;
        boundFrames(factory, streamWindowBytes, (connection, { message }) => {
          options.onRubbish(addresses.get(connection) ?? "unknown", message);
        });
        return onEachStream(factory, (stream, connection) => {
          grantByHalves(stream);
          tellListenersOnly(stream as unknown as Emitter);
          const isLast = stream.direction === "outbound" ? isAnswer : isSpoken;
          watchNegotiation(stream, isLast, (error) => {
            stream.abort(error);
            connection.abort(error);
            options.onRubbish(addresses.get(connection) ?? "unknown", error.message);
          });
        });
      },
    ],
    // It would end connections whose ping is late, so a frozen second would cost one. link.ts
    // watches instead.
    connectionMonitor: { enabled: false },
    connectionManager: {
      maxConnections: connectionsMax,
      inboundConnectionThreshold: connectionsPerSecondMax,
      maxIncomingPendingConnections: handshakesMax,
      inboundUpgradeTimeout: options.helloMs,
      dialTimeout: options.dialMsMax,
      addressDialTimeout: options.dialMsMax,
      connectionCloseTimeout: closeMs,
      reconnectRetries: 0,
    },
    connectionGater: {
      // libp2p would refuse loopback and private addresses on some platforms.
      denyDialMultiaddr: () => false,
      denyInboundConnection: (socket) => {
        const address = addressOf(socket.remoteAddr);
        const host = hostPart(address);
        const deny = count(host, 1) > handshakesPerHostMax;
        socket.addEventListener("close", () => {
          if (proved.has(socket)) return;
          count(host, -1);
          options.onFailedHandshake(address);
        });
        return deny;
      },
      denyInboundUpgradedConnection: (_, socket) => {
        proved.add(socket);
        count(hostPart(addressOf(socket.remoteAddr)), -1);
        return false;
      },
    },
  });
  assert(components !== undefined, "libp2p hands its components to every service");
  return { libp2p, components };
}
