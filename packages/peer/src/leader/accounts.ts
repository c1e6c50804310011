/**
 * Accounts: which nodes have said, since they last started, what became of their tasks.
 *
 * After a power loss the state shows tasks as running until their host is back and says otherwise. A service that
 * waits for another must not take these for running. So each peer says in its messages to the leader whether it
 * has reported every task since it started. A host that starts again sends messages without that at first.
 *
 * Decides nothing else: a lost message costs one heartbeat. A new leader begins with nothing.
 */
import type { NodeId } from "@gam/core";

export class Accounts {
  readonly #given = new Set<NodeId>();

  /** A message of Raft came from that peer. */
  heard(from: NodeId, accounted: boolean): void {
    if (accounted) this.#given.add(from);
    else this.#given.delete(from);
  }

  has(id: NodeId): boolean {
    return this.#given.has(id);
  }

  clear(): void {
    this.#given.clear();
  }
}
