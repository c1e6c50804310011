/**
 * What watchers say to each other, and what each tells everybody.
 *
 * Incarnations are SWIM's: only the peer itself raises its own, and that refutes every opinion
 * which was formed about a lower one.
 */
import { type Check, check, type NodeId } from "@gam/core";

/** Point to point. Any of them may be lost. */
export type Message =
  /** `accused`: the sender has doubts about the receiver, in the incarnation it knew. */
  | {
      readonly kind: "ping";
      readonly round: number;
      readonly incarnation: number;
      readonly accused?: number | undefined;
    }
  | { readonly kind: "ack"; readonly round: number; readonly incarnation: number }
  /** Please ping `peer` and tell what came of it. */
  | { readonly kind: "ask"; readonly round: number; readonly peer: NodeId }
  | {
      readonly kind: "reached";
      readonly round: number;
      readonly peer: NodeId;
      readonly incarnation: number;
    }
  /** It did not answer. That we say so shows the asker that its own connections work. */
  | { readonly kind: "unreached"; readonly round: number; readonly peer: NodeId };

/**
 * What one watcher thinks of one peer.
 *
 * suspect: unheard for a while, which only confirms the suspicion of others. silent: unheard for too
 * long. refused: its host refuses connections. gone: it has done so for the whole grace.
 */
export type Opinion = "alive" | "suspect" | "silent" | "refused" | "gone";

/** Everything that its origin thinks of others, so a later rumour replaces an earlier one. */
export interface Rumour {
  /** Grows with each rumour of one run of the origin. */
  readonly sequence: number;
  /** The origin's own incarnation. Higher than before: a refutation. */
  readonly incarnation: number;
  /** The origin's local health, 0 (well) to `healthMax` (its opinions weigh nothing). */
  readonly health: number;
  /** The next rumour comes after this at the latest; four times this without one, and it is void. */
  readonly repeatTicks: number;
  readonly opinions: readonly {
    readonly peer: NodeId;
    readonly opinion: Opinion;
    readonly incarnation: number;
  }[];
}

export const healthMax = 8;
const opinionsMax = 4096;
export const counterMax = 2 ** 48;
const counter = check.integer(0, counterMax);

export const checkMessage: Check<Message> = check.union<Message>({
  ping: check.object({
    kind: check.literal("ping"),
    round: counter,
    incarnation: counter,
    accused: check.optional(counter),
  }),
  ack: check.object({ kind: check.literal("ack"), round: counter, incarnation: counter }),
  ask: check.object({ kind: check.literal("ask"), round: counter, peer: check.id<NodeId>() }),
  reached: check.object({
    kind: check.literal("reached"),
    round: counter,
    peer: check.id<NodeId>(),
    incarnation: counter,
  }),
  unreached: check.object({
    kind: check.literal("unreached"),
    round: counter,
    peer: check.id<NodeId>(),
  }),
});

export const checkRumour: Check<Rumour> = check.object({
  sequence: counter,
  incarnation: counter,
  health: check.integer(0, healthMax),
  repeatTicks: check.integer(1, 1000),
  opinions: check.list(
    check.object({
      peer: check.id<NodeId>(),
      opinion: check.literal("alive", "suspect", "silent", "refused", "gone"),
      incarnation: counter,
    }),
    opinionsMax,
  ),
});
