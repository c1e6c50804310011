/**
 * Gossip: messages that reach every member, by gossipsub.
 *
 * Decides who takes part: it stands between gossipsub and libp2p's registrar, and shows gossipsub only
 * admitted connections. So gossipsub needs no identify protocol, and does not hear strangers. A message's
 * signature proves its origin; a message whose origin is not a member is ignored.
 */
import { type GossipSub, gossipsub, TopicValidatorResult } from "@chainsafe/libp2p-gossipsub";
import { GamError, messageOf, type NodeId, rethrowInvariant } from "@gam/core";
import type { Connection, Libp2p, PeerId, Stream } from "@libp2p/interface";
import type { GossipTopic } from "../trust/door.ts";
import { nodeIdOfKey, publicKeyOf } from "../trust/identity.ts";
import type { Components } from "./host.ts";
import type { Link } from "./link.ts";

/** A service of libp2p, which its type does not say. */
type Router = GossipSub & { start(): Promise<void>; stop(): Promise<void> };
type Topology = Parameters<Components["registrar"]["register"]>[1];
type Registered = Parameters<Components["registrar"]["handle"]>;

export interface GossipOptions {
  readonly libp2p: Libp2p;
  readonly components: Components;
  readonly messageBytesMax: number;
  readonly isAdmitted: (connection: Connection) => boolean;
  /** Whether messages of that origin are accepted. */
  readonly isMember: (nodeId: NodeId) => boolean;
  readonly onNews: (from: NodeId, topic: GossipTopic, body: Uint8Array) => void;
  readonly onStranger: (connection: Connection) => void;
  /** A message could not be read or sent. */
  readonly onTrouble: (reason: string, origin: NodeId | undefined) => void;
}

const topics: readonly GossipTopic[] = ["usage", "rumour"];
const heartbeatMs = 1_000;
/** Copies of a message arrive within seconds or not at all. */
const rememberMs = 30_000;
const originsMax = 4_096;

export class Gossip {
  readonly #options: GossipOptions;
  readonly #gossip: Router;
  readonly #topologies = new Map<string, Topology>();
  readonly #origins = new Map<string, NodeId>();

  constructor(options: GossipOptions) {
    this.#options = options;
    const make = gossipsub({
      globalSignaturePolicy: "StrictSign",
      // Without it every copy of a message would be verified, which costs more than all the rest.
      fastMsgIdFn: ({ from, seqno }) =>
        `${Buffer.from(from ?? []).toString("latin1")}${Buffer.from(seqno ?? []).toString("latin1")}`,
      allowedTopics: [...topics],
      allowPublishToZeroTopicPeers: true,
      fallbackToFloodsub: false,
      floodPublish: true,
      tagMeshPeers: false,
      doPX: false,
      heartbeatInterval: heartbeatMs,
      seenTTL: rememberMs,
      maxInboundDataLength: options.messageBytesMax,
      maxOutboundBufferSize: 4 * options.messageBytesMax,
      // Members do not score each other: a member that misbehaves is disconnected instead.
      scoreParams: { IPColocationFactorWeight: 0, behaviourPenaltyWeight: 0 },
    });
    const registrar = this.#registrar();
    const { privateKey, peerId, peerStore, connectionManager, logger } = options.components;
    const parts = { privateKey, peerId, peerStore, connectionManager, logger, registrar };
    this.#gossip = make(parts) as Router;
    this.#gossip.addEventListener("gossipsub:message", ({ detail: { msg } }) => {
      if (msg.type !== "signed") return;
      const origin = this.#originOf(msg.from);
      const topic = topics.find((one) => one === msg.topic);
      if (origin === undefined || topic === undefined) return;
      try {
        options.onNews(origin, topic, msg.data);
      } catch (thrown) {
        if (!(thrown instanceof GamError)) throw thrown;
        options.onTrouble(thrown.message, origin);
      }
    });
  }

  async start(): Promise<void> {
    await this.#gossip.start();
    for (const topic of topics) {
      this.#gossip.topicValidators.set(topic, (_, message) => {
        const origin = message.type === "signed" ? this.#originOf(message.from) : undefined;
        return origin !== undefined && this.#options.isMember(origin)
          ? TopicValidatorResult.Accept
          : TopicValidatorResult.Ignore;
      });
      this.#gossip.subscribe(topic);
    }
  }

  async stop(): Promise<void> {
    await this.#gossip.stop();
  }

  publish(topic: GossipTopic, body: Uint8Array): void {
    this.#gossip.publish(topic, body).catch((thrown) => {
      rethrowInvariant(thrown);
      this.#options.onTrouble(messageOf(thrown), undefined);
    });
  }

  /** Starts gossip over a link. Repeated calls have no effect. */
  use(link: Link): void {
    const { remotePeer } = link.connection;
    for (const topology of this.#topologies.values()) {
      topology.onConnect?.(remotePeer, link.connection);
    }
  }

  /** Call it when the peer has no link any more. */
  forget(link: Link): void {
    for (const topology of this.#topologies.values()) {
      topology.onDisconnect?.(link.connection.remotePeer);
    }
  }

  #registrar(): Components["registrar"] {
    const { libp2p, isAdmitted, onStranger, components } = this.#options;
    const gate =
      (handler: Registered[1]): Registered[1] =>
      (stream: Stream, connection: Connection) => {
        if (isAdmitted(connection)) return handler(stream, connection);
        stream.abort(new Error("not admitted"));
        onStranger(connection);
      };
    const registrar: Pick<
      Components["registrar"],
      "handle" | "unhandle" | "register" | "unregister"
    > = {
      handle: (protocol, handler, options) => libp2p.handle(protocol, gate(handler), options),
      unhandle: (protocol) => libp2p.unhandle(protocol),
      register: async (_, topology) => {
        // One for each version of the protocol; all of them are the same router.
        this.#topologies.set("gossip", topology);
        return "gossip";
      },
      unregister: (id) => void this.#topologies.delete(id),
    };
    return Object.assign(Object.create(components.registrar), registrar);
  }

  #originOf(peerId: PeerId): NodeId | undefined {
    const text = peerId.toString();
    const known = this.#origins.get(text);
    if (known !== undefined) return known;
    const key = publicKeyOf(peerId);
    if (key === undefined) return undefined;
    if (this.#origins.size >= originsMax) this.#origins.clear();
    const nodeId = nodeIdOfKey(key);
    this.#origins.set(text, nodeId);
    return nodeId;
  }
}
