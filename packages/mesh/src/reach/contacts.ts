/**
 * Contacts: the peers to connect to, and where each was seen last.
 *
 * Decides which addresses are tried first: those where a peer was reached, then those that it announces,
 * then those that the agent knows. Does not decide when to try (dialer.ts).
 */
import type { NodeId } from "@gam/core";
import type { Wanted } from "../trust/door.ts";
import type { Link } from "../wire/link.ts";

export class Contacts {
  readonly #self: NodeId;
  readonly #wanted = new Map<NodeId, readonly string[]>();
  /** Where a peer was reached last, and where it says it listens. */
  readonly #seenAt = new Map<NodeId, readonly string[]>();
  /** When its connection came or went, by the monotonic clock. */
  readonly #changedMs = new Map<NodeId, number>();

  constructor(self: NodeId) {
    this.#self = self;
  }

  /** Replaces the wanted peers. Forgets all others. */
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

  /** `undefined` for a peer that has not been connected since it became wanted. */
  changedMs(nodeId: NodeId): number | undefined {
    return this.#changedMs.get(nodeId);
  }

  /** Remembers where the peer was reached. An inbound connection's address is not where the peer listens. */
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
