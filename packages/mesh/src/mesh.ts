/**
 * Mesh: this peer's connections to the others. The door of this package.
 *
 * Decides nothing about the cluster: members, tokens and the peers to connect to come from the agent (MeshDoor,
 * setPeers). Guarantees that only members are heard, that a message is from the peer that it names, and that
 * nothing a peer sends does more harm than the loss of its connection.
 *
 * Drive it: open(), then become() with credentials from disk or from createCluster(), or join();
 * setPeers() on every change of membership; send, publish, request, stream. It reconnects by itself.
 */
import { randomBytes } from "node:crypto";
import type { Duplex } from "node:stream";
import { base36, type Clock, GamError, type NodeId, rethrowInvariant } from "@gam/core";
import type { Connection } from "@libp2p/interface";
import { Admission, idOf } from "./admission/admission.ts";
import { type Joined, Responder } from "./admission/join.ts";
import { OwnMembership } from "./admission/own-membership.ts";
import { type AdmissionRefusal, Refusals } from "./admission/refusals.ts";
import { Throttle } from "./admission/throttle.ts";
import { Visitors } from "./admission/visitors.ts";
import { Caller } from "./reach/caller.ts";
import { Contacts } from "./reach/contacts.ts";
import { Dialer } from "./reach/dialer.ts";
import { listen } from "./reach/listen.ts";
import { peerRows } from "./reach/peer-rows.ts";
import { register, rpcId } from "./reach/register.ts";
import { placesOf, Whereabouts } from "./reach/whereabouts.ts";
import { addressOf, formatAddress, hostPart } from "./trust/address.ts";
import { type Credentials, fingerprintOf, type NextRootCredentials } from "./trust/credentials.ts";
import type {
  GossipTopic,
  JoinAvailability,
  MeshOptions,
  PeerReachability,
  PeerRow,
  VerifiedSender,
  Wanted,
} from "./trust/door.ts";
import { defaultLimits, type Limits } from "./trust/limits.ts";
import {
  idsOf,
  type MessageProtocols,
  type Protocol,
  parseId,
  spokenProtocols,
  translated,
} from "./trust/protocols.ts";
import { parseToken } from "./trust/token.ts";
import { ByteStreams, type StreamHandler } from "./wire/byte-stream.ts";
import { Gossip } from "./wire/gossip.ts";
import { cutOff, hangUp } from "./wire/hang-up.ts";
import { type Host, openHost } from "./wire/host.ts";
import { type Link, Links, sweepMs } from "./wire/link.ts";
import { Listeners } from "./wire/listeners.ts";
import { Messages } from "./wire/messages.ts";
import { type RequestHandler, Rpc, type RpcRequest } from "./wire/rpc.ts";

interface HeardMessage {
  readonly from: NodeId;
  readonly protocol: Protocol;
  readonly body: Uint8Array;
  readonly sender: VerifiedSender;
}
type MessageArgs = [message: HeardMessage];
type GossipArgs = [from: NodeId, topic: GossipTopic, body: Uint8Array];
type ReachArgs = [peer: NodeId, reach: PeerReachability];
/** `by` refused this peer. The operator should see "removed" and "expired". */
type TurnedAwayArgs = [by: NodeId, refusal: AdmissionRefusal, reason: string];

const renewEveryMs = 600_000;
/** How often to ask for a certificate of the next root key: the cluster waits until every node has one. */
const nextEveryMs = 5_000;
const gossipEveryMs = 5_000;
/** How often to look whether this host's addresses have changed. */
const lookEveryMs = 5_000;

const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
};

/** What open() makes before there is a mesh. */
interface Opened {
  readonly limits: Limits;
  readonly clock: Clock;
  readonly host: Host;
  readonly refusals: Refusals;
}

export class Mesh {
  readonly #options: MeshOptions;
  readonly #limits: Limits;
  readonly #clock: Clock;
  readonly #host: Host;
  readonly #links: Links;
  readonly #visitors: Visitors;
  readonly #admission: Admission;
  readonly #responder: Responder;
  readonly #protocols: MessageProtocols;
  readonly #messages: Messages;
  readonly #rpc: Rpc;
  readonly #byteStreams: ByteStreams;
  readonly #gossip: Gossip;
  readonly #membership: OwnMembership;
  readonly #caller: Caller;
  readonly #dialer: Dialer;
  readonly #refusals: Refusals;
  readonly #onMessage = new Listeners<MessageArgs>();
  readonly #onGossip = new Listeners<GossipArgs>();
  readonly #onReach = new Listeners<ReachArgs>();
  readonly #onTurnedAway = new Listeners<TurnedAwayArgs>();
  readonly #onMoved = new Listeners<[]>();
  readonly #contacts: Contacts;
  readonly #whereabouts: Whereabouts;
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #verifying = new Set<NodeId>();
  #listening = "";
  #closed = false;

  /** Listens. Errors: IN_USE when the port is taken; BAD_REQUEST for credentials that do not fit. */
  static async open(options: MeshOptions): Promise<Mesh> {
    const limits: Limits = { ...defaultLimits, ...options.limits };
    const clock = options.clock ?? systemClock;
    const refusals = new Refusals(options.log, () => clock.monotonicMs());
    const host = await openHost({
      identity: options.identity,
      listen: options.listen,
      dialMsMax: Math.max(limits.dialMs, limits.joinReachMs),
      helloMs: limits.helloMs,
      onFailedHandshake: (address) =>
        refusals.add("handshake", address, undefined, "hung up, or sent no handshake"),
      onRubbish: (address, reason) => refusals.add("rubbish", address, undefined, reason),
    });
    const mesh = new Mesh(options, { limits, clock, host, refusals });
    if (options.credentials !== undefined) mesh.become(options.credentials);
    await mesh.#start();
    return mesh;
  }

  /** Only for open(). */
  private constructor(options: MeshOptions, { limits, clock, host, refusals }: Opened) {
    this.#options = options;
    this.#limits = limits;
    this.#clock = clock;
    this.#host = host;
    this.#refusals = refusals;
    const self = options.identity.nodeId;
    this.#contacts = new Contacts(self);
    this.#whereabouts = new Whereabouts(options.listen.host, options.advertise);
    const nowMs = (): number => clock.monotonicMs();
    const wallMs = (): number => clock.wallMs();
    const credentials = (): Credentials | undefined => this.#membership.credentials;
    this.#links = new Links({
      self,
      limits,
      onLinked: (link) => this.#linked(link),
      onUnlinked: (link, last) => this.#unlinked(link, last),
      onSilent: ({ nodeId }) => this.#dialer.look(nodeId),
    });
    const links = this.#links;
    const { identity, log, door } = options;
    this.#membership = new OwnMembership({ identity, limits, clock, log, door, links });
    this.#visitors = new Visitors({ limits, refusals });
    this.#admission = new Admission({
      boot: base36(randomBytes(32)),
      limits,
      door: options.door,
      links,
      refusals,
      credentials,
      addresses: () => this.addresses(),
      nowMs,
      wallMs,
    });
    this.#responder = new Responder({
      self,
      limits,
      door: options.door,
      log: options.log,
      refusals,
      throttle: new Throttle(limits.joinBurst),
      credentials,
      nowMs,
      wallMs,
      onProved: (connection) => this.#visitors.extend(connection, limits.joinMs),
    });
    const onRubbish = (link: Link, reason: string): void => {
      refusals.add("rubbish", link.address, link.nodeId, reason);
      cutOff(link.connection, reason);
    };
    const { protocols = spokenProtocols } = options;
    this.#protocols = protocols;
    this.#messages = new Messages({
      links,
      limits,
      nowMs,
      onRubbish,
      translate: (body, from, to) => translated(protocols, body, { from, to }),
      onMessage: (link, id, body) => this.#received(link, id, body),
    });
    this.#rpc = new Rpc({ limits, send: (to, body) => this.#messages.send(to, [rpcId], body) });
    this.#byteStreams = new ByteStreams({ links, limits, nowMs, onRubbish });
    this.#gossip = new Gossip({
      ...host,
      messageBytesMax: limits.gossipBytesMax,
      isAdmitted: (connection) => links.of(connection) !== undefined,
      isMember: (nodeId) => this.#contacts.has(nodeId) || links.to(nodeId) !== undefined,
      onStranger: (connection) => this.#stranger(connection),
      onNews: (from, topic, body) => this.#onGossip.tell(from, topic, body),
      onTrouble: (reason, origin) =>
        options.log.warn({ reason, origin }, "Gossip message was dropped"),
    });
    this.#caller = new Caller({
      identity,
      limits,
      log,
      host,
      links,
      admission: this.#admission,
      membership: this.#membership,
      addresses: () => this.addresses(),
      dialect: options.dialect,
      wallMs,
      onTurnedAway: (by, refusal, reason) => this.#onTurnedAway.tell(by, refusal, reason),
    });
    this.#dialer = new Dialer({
      self,
      isNeeded: (nodeId) => this.credentials !== undefined && (links.to(nodeId)?.silent ?? true),
      addressesOf: (nodeId) => this.#contacts.addressesOf(nodeId),
      dial: (nodeId, address) => this.#caller.dial(nodeId, address),
      onRefused: (nodeId) => this.#onReach.tell(nodeId, "refused"),
    });
  }

  get nodeId(): NodeId {
    return this.#options.identity.nodeId;
  }

  get credentials(): Credentials | undefined {
    return this.#membership.credentials;
  }

  /** `host:port` at which others reach this peer, best first. */
  addresses(): readonly string[] {
    return this.#whereabouts.addresses;
  }

  /** `host:port` that this peer is bound to; empty before open() returns. */
  listening(): string {
    return this.#listening;
  }

  /** How many connections and requests were refused since the start, by reason. */
  refusals(): Record<string, number> {
    return this.#refusals.counts();
  }

  /** Becomes the member that the credentials name. Errors: BAD_REQUEST when they are not this peer's. */
  become(credentials: Credentials): void {
    this.#membership.take(credentials);
    for (const nodeId of this.#contacts.ids()) this.#dialer.look(nodeId);
  }

  /** As OwnMembership.offerNext: makes the key that replaces the root key, and offers it. */
  async offerNextRoot(
    offer: (next: NextRootCredentials, rootPublicKey: Uint8Array) => Promise<void>,
  ): Promise<void> {
    await this.#membership.offerNext(offer);
  }

  /** Call it when the root keys in the state have changed. */
  rootsMoved(): void {
    void this.#membership.renewIfDue();
  }

  /** Deletes the credentials from memory and drops all connections. Keeps listening. */
  leave(): void {
    this.#membership.drop();
    this.setPeers([]);
    for (const { nodeId } of this.#links.all()) this.#links.drop(nodeId, "left the cluster");
  }

  /**
   * Becomes a member by a token. On return this peer has its credentials, which the caller saves, and a
   * connection to the peer that admitted it.
   *
   * Shape:  asks `addresses` before those in the token.
   * Errors: BAD_TOKEN; REFUSED or NOT_MEMBER with the reason that the member gave; UNREACHABLE with what each
   *         address answered.
   */
  async join(
    text: string,
    addresses: readonly string[] = [],
    availability: JoinAvailability = "active",
  ): Promise<Joined> {
    const token = parseToken(text);
    if (this.credentials !== undefined) {
      throw new GamError(
        "REFUSED",
        'Cannot join: this peer is already in a cluster. Run "gam leave" first',
      );
    }
    const places = placesOf(token, addresses);
    if (places.length === 0) {
      throw new GamError(
        "BAD_TOKEN",
        'Cannot join: the token has no address. Add the address of a member: "gam join TOKEN HOST:PORT"',
      );
    }
    return await this.#caller.join(token, places, availability);
  }

  /**
   * Finds the other members at the addresses of a token, after the address of every host has changed.
   *
   * Returns: false for a token of another cluster, and for a peer that is no member.
   * Errors:  BAD_TOKEN; UNREACHABLE when no member answers at these addresses.
   */
  async meet(text: string, addresses: readonly string[] = []): Promise<boolean> {
    const token = parseToken(text);
    const { credentials } = this;
    if (
      credentials === undefined ||
      fingerprintOf(credentials.rootPublicKey) !== token.fingerprint
    ) {
      return false;
    }
    const places = placesOf(token, addresses);
    const attempts = places.map((place) => this.#caller.dial(this.nodeId, place));
    if ((await Promise.all(attempts)).includes("other")) return true;
    throw new GamError(
      "UNREACHABLE",
      `Cannot find the cluster: no member of it answers at ${places.join(", ") || "no address"}`,
    );
  }

  /** Sets the peers to stay connected to. Keeps the connections to all others: see evict(). */
  setPeers(peers: readonly Wanted[]): void {
    this.#contacts.set(peers);
    this.#dialer.setPeers(this.#contacts.ids());
    void this.#membership.renewIfDue();
  }

  /** Best effort, in order. Drops and counts a message without a connection, or without room in the queue. */
  send(to: NodeId, protocol: Protocol, body: Uint8Array): void {
    this.#messages.send(to, idsOf(protocol, this.#protocols.versions), body);
  }

  /** To every other member. Best effort, in no order. */
  publish(topic: GossipTopic, body: Uint8Array): void {
    if (this.credentials !== undefined) this.#gossip.publish(topic, body);
  }

  /** When a handler throws BAD_FRAME, the sender is disconnected. Returns how to stop. */
  onMessage(handler: (...args: MessageArgs) => void): () => void {
    return this.#onMessage.add(handler);
  }

  onGossip(handler: (...args: GossipArgs) => void): () => void {
    return this.#onGossip.add(handler);
  }

  onReach(handler: (...args: ReachArgs) => void): () => void {
    return this.#onReach.add(handler);
  }

  onTurnedAway(handler: (...args: TurnedAwayArgs) => void): () => void {
    return this.#onTurnedAway.add(handler);
  }

  /** Called when addresses() have changed. */
  onMoved(handler: () => void): () => void {
    return this.#onMoved.add(handler);
  }

  /** Errors: UNREACHABLE (not connected, no answer in time, too many requests), or the GamError of the handler. */
  request(to: NodeId, request: RpcRequest): Promise<Uint8Array> {
    return this.#rpc.request(to, request);
  }

  handle(name: string, handler: RequestHandler): () => void {
    return this.#rpc.handle(name, handler);
  }

  /** Bytes both ways, with back-pressure. Errors: UNREACHABLE, NOT_SUPPORTED, those of the handler. */
  stream(to: NodeId, name: string, header: Uint8Array): Promise<Duplex> {
    return this.#byteStreams.open(to, name, header);
  }

  handleStream(name: string, handler: StreamHandler): () => void {
    return this.#byteStreams.handle(name, handler);
  }

  /** By the newest connection to that peer; undefined without one. */
  sender(nodeId: NodeId): VerifiedSender | undefined {
    const link = this.#links.to(nodeId);
    return link && this.#links.senderOf(link);
  }

  /** Counts and logs that a connected member asked for something that it may not do. */
  refuse(nodeId: NodeId, reason: string): void {
    const address = this.#links.to(nodeId)?.address ?? "unknown:0";
    this.#refusals.add("authority", address, nodeId, reason);
  }

  /** Dials an address that a connected peer claims. If that peer answers, VerifiedSender.hosts has the host then. */
  async verify(nodeId: NodeId, address: string): Promise<void> {
    if (this.#verifying.has(nodeId) || this.#links.to(nodeId) === undefined) return;
    this.#verifying.add(nodeId);
    if (await this.#caller.isAt(nodeId, address)) this.#links.found(nodeId, hostPart(address));
    this.#verifying.delete(nodeId);
  }

  /** Disconnects a removed peer. MeshDoor.isRemoved makes the mesh refuse its next attempt. */
  evict(nodeId: NodeId): void {
    this.#options.log.info({ nodeId }, "Disconnected a removed peer");
    this.#links.drop(nodeId, "removed from the cluster");
  }

  /** Closes the connections to a peer that membership has declared lost. */
  drop(nodeId: NodeId): void {
    this.#links.drop(nodeId, "declared lost");
  }

  /** The connection table: one row for each peer that is wanted or connected, by node id. */
  peers(): PeerRow[] {
    return peerRows({
      nowMs: this.#clock.monotonicMs(),
      ...{ links: this.#links, contacts: this.#contacts },
      ...{ dialer: this.#dialer, messages: this.#messages },
    });
  }

  /** Closes all connections, timers and the port. Calls no handler any more. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const timer of this.#timers) clearInterval(timer);
    this.#dialer.stop();
    this.#visitors.close();
    this.#onMessage.clear();
    this.#onGossip.clear();
    this.#onReach.clear();
    this.#onTurnedAway.clear();
    this.#onMoved.clear();
    await this.#gossip.stop();
    for (const connection of this.#host.libp2p.getConnections()) hangUp(connection);
    await this.#host.libp2p.stop();
    for (const { nodeId } of this.#links.all()) this.#links.drop(nodeId, "closed");
  }

  async #start(): Promise<void> {
    const { libp2p } = this.#host;
    libp2p.addEventListener("connection:open", ({ detail }) => this.#visitors.add(detail));
    libp2p.addEventListener("connection:close", ({ detail }) => {
      this.#visitors.remove(detail);
      this.#links.remove(detail);
    });
    await register({
      ...{ libp2p, limits: this.#limits, versions: this.#protocols.versions, links: this.#links },
      ...{ admission: this.#admission, responder: this.#responder },
      ...{ messages: this.#messages, byteStreams: this.#byteStreams },
      onStranger: (connection) => this.#stranger(connection),
    });
    await this.#gossip.start();
    await this.#listen();
    this.#every(sweepMs, () => this.#links.sweep(this.#clock.monotonicMs()));
    this.#every(gossipEveryMs, () => {
      for (const link of this.#links.all()) this.#gossip.use(link);
    });
    this.#every(renewEveryMs, () => void this.#membership.renewIfDue());
    this.#every(nextEveryMs, () => {
      if (this.credentials?.next !== undefined) void this.#membership.renewIfDue();
    });
  }

  async #listen(): Promise<void> {
    const failed = async (thrown: unknown): Promise<never> => {
      rethrowInvariant(thrown);
      await this.#gossip.stop();
      throw thrown;
    };
    const bound = await listen(this.#host.libp2p, this.#options.listen).catch(failed);
    this.#listening = formatAddress(bound);
    this.#whereabouts.listens(bound.port);
    this.#every(lookEveryMs, () => {
      if (!this.#whereabouts.look()) return;
      this.#options.log.info({ addresses: this.addresses() }, "Host addresses changed");
      this.#onMoved.tell();
    });
  }

  #every(ms: number, act: () => void): void {
    const timer = setInterval(act, ms);
    timer.unref();
    this.#timers.push(timer);
  }

  #stranger(connection: Connection): void {
    const address = addressOf(connection.remoteAddr);
    this.#refusals.add("stranger", address, idOf(connection), "spoke before it said hello");
    cutOff(connection, "not admitted");
  }

  #received(link: Link, id: string, body: Uint8Array): void {
    const protocol = parseId(id)?.protocol;
    if (protocol === undefined) return this.#rpc.received(link.nodeId, body);
    const sender = this.#links.senderOf(link);
    const [newest] = idsOf(protocol, this.#protocols.versions);
    const known = translated(this.#protocols, body, { from: id, to: newest });
    this.#onMessage.tell({ from: link.nodeId, protocol, body: known, sender });
  }

  #linked(link: Link): void {
    this.#visitors.remove(link.connection);
    this.#contacts.linked(link, this.#clock.monotonicMs());
    this.#gossip.use(link);
    this.#dialer.look(link.nodeId);
    const { nodeId, address, certificate } = link;
    const { role } = certificate;
    this.#options.log.debug({ nodeId, address, role }, "Peer connected");
    if (this.#links.all().filter((one) => one.nodeId === nodeId).length > 1) return;
    this.#onReach.tell(nodeId, "connected");
    void this.#membership.renewIfDue();
  }

  #unlinked(link: Link, last: boolean): void {
    const { nodeId, address } = link;
    const other = this.#links.to(nodeId);
    if (!last && other !== undefined) return this.#gossip.use(other);
    this.#contacts.unlinked(nodeId, this.#clock.monotonicMs());
    this.#gossip.forget(link);
    this.#messages.forget(nodeId);
    this.#rpc.lost(nodeId);
    if (this.#closed) return;
    this.#options.log.debug({ nodeId, address }, "Peer disconnected");
    this.#onReach.tell(nodeId, "disconnected");
    this.#dialer.look(nodeId);
  }
}
