/**
 * Host: our libp2p node. TCP, Noise, Yamux and nothing that talks by itself.
 *
 * Decides which of libp2p's defaults we do not want. Knows no protocol of ours.
 */

import type { gossipsub } from "@chainsafe/libp2p-gossipsub";
import { assert } from "@gam/core";
import type { ComponentLogger, Libp2p, Logger } from "@libp2p/interface";
import { noise } from "@libp2p/noise";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { createLibp2p } from "libp2p";
import { type Address, addressOf, dialAddress } from "./address.ts";
import type { Identity } from "./identity.ts";

/** The parts of libp2p that gossipsub is built on. */
export type Components = Parameters<ReturnType<typeof gossipsub>>[0];

/** libp2p formats its log lines whether or not anybody reads them; that is a fifth of a stream. */
const silent: Logger = Object.assign(() => undefined, {
  enabled: false,
  error: () => undefined,
  trace: () => undefined,
  newScope: () => silent,
});
const silentLogger: ComponentLogger = { forComponent: () => silent };

/** Most clusters have fewer than 200 peers; a peer has one connection to each, briefly two. */
const connectionsMax = 1024;
/** Room for a whole cluster that starts at once, behind one address in tests. */
const connectionsPerSecondMax = 64;
const handshakesMax = 64;
const closeMs = 500;
const streamsMax = 512;
/** What one stream may have on the way or unread. 1 MiB fills 80 Mbit/s at 100 ms. */
const streamWindowBytes = 1024 * 1024;

export interface HostOptions {
  readonly identity: Identity;
  readonly listen: Address;
  readonly dialMs: number;
  /** How long a caller may take over its handshake. */
  readonly helloMs: number;
  /** A connection came in and ended before its owner had proved a key: a scan, or noise. */
  readonly onFailedHandshake: (address: string) => void;
}

export interface Host {
  readonly libp2p: Libp2p;
  readonly components: Components;
}

/** Not started yet: protocols are registered first, so that no early caller finds a deaf peer. */
export async function openHost(options: HostOptions): Promise<Host> {
  let components: Components | undefined;
  const proved = new WeakSet<object>();
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
    connectionEncrypters: [noise()],
    streamMuxers: [
      yamux({
        maxInboundStreams: streamsMax,
        maxOutboundStreams: streamsMax,
        streamOptions: {
          maxStreamWindowSize: streamWindowBytes,
          maxReadBufferLength: 2 * streamWindowBytes,
        },
      }),
    ],
    // It ends connections whose ping is late. A frozen second must not cost a connection; link.ts
    // watches instead.
    connectionMonitor: { enabled: false },
    connectionManager: {
      maxConnections: connectionsMax,
      inboundConnectionThreshold: connectionsPerSecondMax,
      maxIncomingPendingConnections: handshakesMax,
      inboundUpgradeTimeout: options.helloMs,
      dialTimeout: options.dialMs,
      addressDialTimeout: options.dialMs,
      connectionCloseTimeout: closeMs,
      reconnectRetries: 0,
    },
    connectionGater: {
      // libp2p would refuse loopback and private addresses on some platforms.
      denyDialMultiaddr: () => false,
      denyInboundConnection: (socket) => {
        socket.addEventListener("close", () => {
          if (!proved.has(socket)) options.onFailedHandshake(addressOf(socket.remoteAddr));
        });
        return false;
      },
      denyInboundUpgradedConnection: (_, socket) => {
        proved.add(socket);
        return false;
      },
    },
  });
  assert(components !== undefined, "libp2p hands its components to every service");
  return { libp2p, components };
}
