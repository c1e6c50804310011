/**
 * Link: a connection whose other end has proved to be a member. Links: all of them.
 *
 *   connected --pingAfterMs quiet--> ping --suspectAfterMs--> silent --dropAfterMs--> dropped
 *       ^------------------------- any byte -------------------'
 *
 * Decides which of several connections to one peer is used (the newest), and when a silent one is
 * closed. Does not decide who is a member (admission.ts) nor when to dial (dialer.ts). A silent link
 * stays while the dialer tries beside it, so a short silence costs nothing and a host that was cut off
 * is found again at once.
 */
import type { NodeId } from "@gam/core";
import type { Connection } from "@libp2p/interface";
import { hostPart } from "../trust/address.ts";
import type { Certificate } from "../trust/certificate.ts";
import type { VerifiedSender } from "../trust/door.ts";
import type { Limits } from "../trust/limits.ts";
import { cutOff, hangUp } from "./hang-up.ts";

export interface Link {
  readonly nodeId: NodeId;
  readonly connection: Connection;
  /** The newest that the peer has shown on this connection. */
  certificate: Certificate;
  /** Names the process at the other end: a restarted one has another. */
  readonly boot: string;
  /** Where it is connected, `host:port`. */
  readonly address: string;
  /** Where it says that it listens. */
  readonly addresses: readonly string[];
  readonly openedMs: number;
  readonly ping: () => void;
  /** Sends this peer's new certificate to the other end. */
  readonly show: () => void;
  heardMs: number;
  pingedMs: number;
  rttMs: number | undefined;
  silent: boolean;
}

export interface LinksOptions {
  readonly self: NodeId;
  readonly limits: Limits;
  readonly onLinked: (link: Link) => void;
  /** `last`: the peer has no other link. */
  readonly onUnlinked: (link: Link, last: boolean) => void;
  readonly onSilent: (link: Link) => void;
}

/** How often sweep() is to be called. */
export const sweepMs = 500;
/** A sweep this late means that this process was frozen, so it proves nothing about peers. */
const heldUpMs = 3 * sweepMs;
/** By then both ends use the same one of two connections. */
const duplicateMs = 2_000;
const rttEveryMs = 10_000;
/** A host has a handful of addresses. */
const hostsMax = 32;
const nowhere: ReadonlySet<string> = new Set();

export class Links {
  readonly #options: LinksOptions;
  readonly #byNode = new Map<NodeId, Link[]>();
  readonly #byConnection = new Map<string, Link>();
  /** Where each linked peer has proved its key. */
  readonly #hosts = new Map<NodeId, Set<string>>();
  #sweptMs: number | undefined;

  constructor(options: LinksOptions) {
    this.#options = options;
  }

  add(link: Link): void {
    const before = [...(this.#byNode.get(link.nodeId) ?? [])];
    // The peer has restarted: connections to its old process are dead, even if TCP does not know yet.
    for (const old of before.filter(({ boot }) => boot !== link.boot))
      this.#abort(old, "restarted");
    this.#byConnection.set(link.connection.id, link);
    this.found(link.nodeId, hostPart(link.address));
    this.#byNode.set(link.nodeId, [...(this.#byNode.get(link.nodeId) ?? []), link]);
    this.#options.onLinked(link);
  }

  /** Call it when the connection is closed. */
  remove(connection: Connection): void {
    const link = this.#byConnection.get(connection.id);
    if (link === undefined) return;
    this.#byConnection.delete(connection.id);
    const left = (this.#byNode.get(link.nodeId) ?? []).filter((one) => one !== link);
    if (left.length === 0) {
      this.#byNode.delete(link.nodeId);
      this.#hosts.delete(link.nodeId);
    } else this.#byNode.set(link.nodeId, left);
    this.#options.onUnlinked(link, left.length === 0);
  }

  /** The link to use. */
  to(nodeId: NodeId): Link | undefined {
    return this.#byNode.get(nodeId)?.at(-1);
  }

  of(connection: Connection): Link | undefined {
    return this.#byConnection.get(connection.id);
  }

  /** Remembers that the peer proved its key at that host. */
  found(nodeId: NodeId, host: string): void {
    const hosts = this.#hosts.get(nodeId) ?? new Set();
    if (hosts.size < hostsMax) hosts.add(host);
    this.#hosts.set(nodeId, hosts);
  }

  /** What is known of the peer at the other end of a link. */
  senderOf({ nodeId, certificate: { role, asOf } }: Link): VerifiedSender {
    return { role, asOf, hosts: this.#hosts.get(nodeId) ?? nowhere };
  }

  all(): Link[] {
    return [...this.#byConnection.values()];
  }

  drop(nodeId: NodeId, reason: string): void {
    for (const link of this.#byNode.get(nodeId) ?? []) this.#abort(link, reason);
  }

  heard(link: Link, nowMs: number): void {
    link.heardMs = nowMs;
    link.silent = false;
  }

  /** Call every sweepMs. */
  sweep(nowMs: number): void {
    const lateMs = this.#sweptMs === undefined ? 0 : nowMs - this.#sweptMs;
    this.#sweptMs = nowMs;
    for (const link of this.all()) {
      if (lateMs > heldUpMs) link.heardMs = Math.max(link.heardMs, nowMs - sweepMs);
      this.#watch(link, nowMs);
    }
    for (const links of this.#byNode.values()) this.#settle(links, nowMs);
  }

  #watch(link: Link, nowMs: number): void {
    const limits = this.#options.limits;
    const quietMs = nowMs - link.heardMs;
    if (quietMs > limits.dropAfterMs) return this.#abort(link, `silent for ${quietMs} ms`);
    const wasSilent = link.silent;
    link.silent = quietMs > limits.suspectAfterMs;
    if (link.silent && !wasSilent) this.#options.onSilent(link);
    const due = quietMs > limits.pingAfterMs ? 2 * sweepMs : rttEveryMs;
    if (nowMs - link.pingedMs < due) return;
    link.pingedMs = nowMs;
    link.ping();
  }

  /**
   * Closes duplicates. Two peers that dialled each other at once have two connections, each newest for one of
   * them. The peer with the smaller id closes all but its own newest. Both work until then.
   */
  #settle(links: readonly Link[], nowMs: number): void {
    const newest = links.at(-1);
    if (newest === undefined || links.length < 2 || this.#options.self > newest.nodeId) return;
    if (nowMs - newest.openedMs < duplicateMs) return;
    for (const link of links.slice(0, -1)) {
      hangUp(link.connection);
    }
  }

  #abort(link: Link, reason: string): void {
    cutOff(link.connection, reason);
    // libp2p reports it too, but the following code cannot wait for that.
    this.remove(link.connection);
  }
}
