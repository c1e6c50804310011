/**
 * Contacts: whom this peer is to be connected to, and where each was seen last.
 *
 * Decides which addresses are tried first: those where a peer was reached, then those it says it has,
 * then those that the agent was told of. Does not decide when to try (dialer.ts).
 */
import type { NodeId } from "@gam/core";
import type { Wanted } from "../trust/door.ts";
import type { Link } from "../wire/link.ts";

export class Contacts {
  readonly #self: NodeId;
  readonly #wanted = new Map<NodeId, readonly string[]>();
  /** Where a peer was reached last, or said that it listens. */
  readonly #seenAt = new Map<NodeId, readonly string[]>();
  /** When its connection came or went, by the monotonic clock. */
  readonly #changedMs = new Map<NodeId, number>();

  constructor(self: NodeId) {
    this.#self = self;
  }

  /** Forgets what it knew of all others. */
  set(peers: readonly Wanted[]): void {
    this.#wanted.clear();
    for (const { nodeId, addresses } of peers) {
      if (nodeId !== this.#self) this.#wanted.set(nodeId, addresses);
    }
    for (const known of [this.#seenAt, this.#changedMs]) {
      for (const nodeId of known.keys()) if (!this.#wanted.has(nodeId)) known.delete(nodeId);
    }
  }

  has(nodeId: NodeId): boolean {
    return this.#wanted.has(nodeId);
  }

  ids(): NodeId[] {
    return [...this.#wanted.keys()];
  }

  /** `host:port`, best first. */
  addressesOf(nodeId: NodeId): readonly string[] {
    return [...new Set([...(this.#seenAt.get(nodeId) ?? []), ...(this.#wanted.get(nodeId) ?? [])])];
  }

  /** `undefined` for a peer that was never connected since it is wanted. */
  changedMs(nodeId: NodeId): number | undefined {
    return this.#changedMs.get(nodeId);
  }

  /** The address of a connection that the peer made is no place where it listens. */
  linked({ nodeId, address, addresses, connection }: Link, nowMs: number): void {
    const known = this.#seenAt.get(nodeId) ?? [];
    const reachedAt = connection.direction === "outbound" ? [address] : known.slice(0, 1);
    this.#seenAt.set(nodeId, [...new Set([...reachedAt, ...addresses])]);
    this.#changedMs.set(nodeId, nowMs);
  }

  unlinked(nodeId: NodeId, nowMs: number): void {
    this.#changedMs.set(nodeId, nowMs);
  }
}
