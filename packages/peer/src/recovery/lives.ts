/**
 * Lives: the life of this peer's log, and what it does about those of others.
 *
 * Decides which messages are about this peer's log, when it drops its log for that of a later life, and when it
 * begins a life itself. From then on it is over: the journal is written anew, and the shell makes another
 * peer of it. life.ts says how two lives stand to each other.
 */
import type { NodeId } from "@gam/core";
import type { View } from "@gam/state";
import type { Effect } from "../io/effect.ts";
import type { Input } from "../io/input.ts";
import type { PeerMessage } from "../io/message.ts";
import type { Journal } from "../journal/journal.ts";
import { type Life, nextLife, relationOf } from "../journal/life.ts";
import { type RecoverOrder, type Recovery, recoverLog } from "./recover.ts";

/** A peer is told of this life this often at most. */
const tellTicks = 20;
const peersMax = 5_000;

export interface LivesParts {
  readonly self: NodeId;
  readonly journal: Journal;
  readonly view: View;
  /** Nothing about a log is for this peer. */
  readonly isMute: boolean;
  /** Of Raft's log. */
  readonly lastIndex: () => number;
  readonly tell: (to: NodeId, body: PeerMessage) => void;
  readonly note: (text: string, fields: Readonly<Record<string, unknown>>) => void;
}

/** A peer whose life parted from this one's: both came of one, by two recoveries. */
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

  /** Stands in messages. */
  get id(): string {
    return this.#own.at(-1) ?? "";
  }

  get rivals(): readonly Rival[] {
    return [...this.#rivals].map(([peer, life]) => ({ peer, life }));
  }

  /** Another life is being written down: this peer says and does nothing any more. */
  get isOver(): boolean {
    return this.#isOver;
  }

  tick(): void {
    this.#nowTick += 1;
  }

  /** Whether a message that bears this id is about this peer's log. Who errs is told, now and then. */
  isOwn(from: NodeId, id: string): boolean {
    if (id === this.id) return !this.#parts.isMute;
    this.#tell(from);
    return false;
  }

  /** That one's log is of `life`, and it has applied so much of it. */
  hear(from: NodeId, life: Life, index: number): void {
    const { view, journal } = this.#parts;
    const relation = relationOf(this.#own, life);
    if (relation !== "rival") this.#rivals.delete(from);
    if (relation === "same") return;
    if (this.#parts.lastIndex() === 0) {
      // There is no log to lose. A life that was begun and lost again counts for nothing beside one with a log.
      if (relation !== "behind" && index === 0) return;
      this.#own = life;
      journal.adoptLife(life);
    } else if (relation === "ahead") {
      this.#tell(from);
    } else if (view.index === 0 && (relation === "behind" || index > 0)) {
      // The beginning of a log, of which nothing is known to be committed.
      this.#begin(life);
    } else if (view.node(from)?.Spec.Role !== "manager") {
      return; // A worker recovers nothing, and may say what it likes.
    } else if (relation === "rival") {
      this.#meetRival(from, life, index);
    } else {
      this.#begin(life);
    }
  }

  #meetRival(from: NodeId, life: Life, index: number): void {
    if (index === 0) return this.#tell(from);
    if (!this.#rivals.has(from)) {
      this.#parts.note("A peer goes on in another life of the cluster", { from, life });
      // It has to know of this one as well.
      this.#tell(from);
    }
    if (this.#rivals.size < peersMax) this.#rivals.set(from, life);
  }

  /** What this peer would go on with alone. Undefined: it has no state in which it is a node. */
  recovery(): Recovery | undefined {
    return recoverLog(this.#parts.journal.log(), this.#parts.self);
  }

  /** Goes on alone in a new life. */
  recover(order: RecoverOrder): void {
    const { journal, self } = this.#parts;
    const log = recoverLog(journal.log(), self, order);
    if (log !== undefined) this.#begin(nextLife(this.#own, order.id), log);
  }

  /** What may still happen to a peer that is over. */
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
    note("The cluster goes on in another life", { life, keepsLog: log !== undefined });
  }

  #tell(to: NodeId): void {
    const toldTick = this.#toldTick.get(to);
    if (toldTick !== undefined && this.#nowTick - toldTick < tellTicks) return;
    if (this.#toldTick.size >= peersMax) this.#toldTick.clear();
    this.#toldTick.set(to, this.#nowTick);
    this.#parts.tell(to, { kind: "life", life: this.#own, index: this.#parts.view.index });
  }
}
