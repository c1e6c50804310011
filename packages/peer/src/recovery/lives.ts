/**
 * Lives: the life of this peer's log, and how it reacts to the lives of others.
 *
 * Decides which messages are about this peer's log, when the peer drops its log for a later life, and when it
 * begins a new life itself. After that this peer is over: the journal is rewritten, and the shell creates
 * another peer from it. life.ts says how two lives relate.
 */
import type { NodeId } from "@gam/core";
import type { View } from "@gam/state";
import type { Effect } from "../io/effect.ts";
import type { Input } from "../io/input.ts";
import type { PeerMessage } from "../io/message.ts";
import type { Journal } from "../journal/journal.ts";
import { type Life, nextLife, relationOf } from "../journal/life.ts";
import { type RecoverOrder, type Recovery, recoverLog } from "./recover.ts";

/** Minimum time between two messages to the same peer about this life: one second. */
const tellTicks = 20;
const peersMax = 5_000;

export interface LivesParts {
  readonly self: NodeId;
  readonly journal: Journal;
  readonly view: View;
  /** This peer ignores all messages about a log. */
  readonly isMute: boolean;
  /** Last index of Raft's log. */
  readonly lastIndex: () => number;
  readonly tell: (to: NodeId, body: PeerMessage) => void;
  readonly note: (text: string, fields: Readonly<Record<string, unknown>>) => void;
}

/** A peer whose life diverged from this one: two survivors recovered. */
export interface Rival {
  readonly peer: NodeId;
  readonly life: Life;
}

export class Lives {
  readonly #parts: LivesParts;
  readonly #toldTick = new Map<NodeId, number>();
  readonly #rivals = new Map<NodeId, Life>();
  #own: Life;
  #nowTick = 0;
  #isOver = false;

  constructor(parts: LivesParts) {
    this.#parts = parts;
    this.#own = parts.journal.life;
  }

  get own(): Life {
    return this.#own;
  }

  /** The id that messages carry. */
  get id(): string {
    return this.#own.at(-1) ?? "";
  }

  get rivals(): readonly Rival[] {
    return [...this.#rivals].map(([peer, life]) => ({ peer, life }));
  }

  /** Another life is being written to disk: this peer does nothing any more. */
  get isOver(): boolean {
    return this.#isOver;
  }

  tick(): void {
    this.#nowTick += 1;
  }

  /**
   * Whether a message with this id is about this peer's log. If not, tells its sender of this life, at a
   * limited rate.
   */
  isOwn(from: NodeId, id: string): boolean {
    if (id === this.id) return !this.#parts.isMute;
    this.#tell(from);
    return false;
  }

  /** Handles a peer's message that its log is of `life`, applied up to `index`. */
  hear(from: NodeId, life: Life, index: number): void {
    const { view, journal } = this.#parts;
    const relation = relationOf(this.#own, life);
    if (relation !== "rival") this.#rivals.delete(from);
    if (relation === "same") return;
    if (this.#parts.lastIndex() === 0) {
      // This peer has no log to lose. It does not take over a life that has no log either, unless that
      // continues its own.
      if (relation !== "behind" && index === 0) return;
      this.#own = life;
      journal.adoptLife(life);
    } else if (relation === "ahead") {
      this.#tell(from);
    } else if (view.index === 0 && (relation === "behind" || index > 0)) {
      // This peer has only the start of a log, and knows of no committed entry in it.
      this.#begin(life);
    } else if (view.node(from)?.Spec.Role !== "manager") {
      return; // A worker cannot recover a cluster, so its word does not count.
    } else if (relation === "rival") {
      this.#meetRival(from, life, index);
    } else {
      this.#begin(life);
    }
  }

  #meetRival(from: NodeId, life: Life, index: number): void {
    if (index === 0) return this.#tell(from);
    if (!this.#rivals.has(from)) {
      this.#parts.note("Found a peer in another life of the cluster", { from, life });
      // The other peer has to know this life as well.
      this.#tell(from);
    }
    if (this.#rivals.size < peersMax) this.#rivals.set(from, life);
  }

  /** Returns: what this peer would continue with alone; undefined if it has no state in which it is a node. */
  recovery(): Recovery | undefined {
    return recoverLog(this.#parts.journal.log(), this.#parts.self);
  }

  /** Continues alone in a new life. */
  recover(order: RecoverOrder): void {
    const { journal, self } = this.#parts;
    const log = recoverLog(journal.log(), self, order);
    if (log !== undefined) this.#begin(nextLife(this.#own, order.id), log);
  }

  /** Handles the inputs of a peer that is over. */
  conclude(input: Input): readonly Effect[] {
    const { journal } = this.#parts;
    if (input.kind !== "persisted") return [];
    journal.persisted();
    return journal.isReborn ? [{ kind: "reborn" }] : [];
  }

  #begin(life: Life, log?: Recovery): void {
    const { view, journal, note } = this.#parts;
    const contacts = view.nodes().map(({ ID, Gam }) => ({ id: ID, addresses: Gam.addresses }));
    this.#isOver = true;
    journal.beginLife({ life, contacts, ...(log && { log }) });
    note("Switched to another life of the cluster", { life, keepsLog: log !== undefined });
  }

  #tell(to: NodeId): void {
    const toldTick = this.#toldTick.get(to);
    if (toldTick !== undefined && this.#nowTick - toldTick < tellTicks) return;
    if (this.#toldTick.size >= peersMax) this.#toldTick.clear();
    this.#toldTick.set(to, this.#nowTick);
    this.#parts.tell(to, { kind: "life", life: this.#own, index: this.#parts.view.index });
  }
}
