/**
 * Messages between watchers, and the rumours that each peer broadcasts.
 *
 * Incarnations are SWIM's: only the peer itself raises its own. That refutes every opinion formed
 * about a lower one.
 */
import { type Check, check, type NodeId } from "@gam/core";

/** Point to point. Any of them may be lost. */
export type Message =
  /** `accused`: the sender doubts the receiver, in this incarnation. */
  | {
      readonly kind: "ping";
      readonly round: number;
      readonly incarnation: number;
      readonly accused?: number | undefined;
    }
  | { readonly kind: "ack"; readonly round: number; readonly incarnation: number }
  /** Please ping `peer` and report the result. */
  | { readonly kind: "ask"; readonly round: number; readonly peer: NodeId }
  | {
      readonly kind: "reached";
      readonly round: number;
      readonly peer: NodeId;
      readonly incarnation: number;
    }
  /** The peer did not answer. Getting this reply shows the asker that its own connections work. */
  | { readonly kind: "unreached"; readonly round: number; readonly peer: NodeId };

/**
 * What one watcher thinks of one peer.
 *
 * suspect: not heard for a while; this only confirms the suspicion of others. silent: not heard for too
 * long. refused: its host refuses connections. gone: its host has refused for the whole grace.
 */
export type Opinion = "alive" | "suspect" | "silent" | "refused" | "gone";

/** All opinions of its origin, so a later rumour replaces an earlier one. */
export interface Rumour {
  /** Grows with each rumour, from 1 after each start of the origin. */
  readonly sequence: number;
  /** The origin's own incarnation. Higher than before: a refutation. */
  readonly incarnation: number;
  /** The origin's local health, 0 (well) to `healthMax` (its opinions do not count). */
  readonly health: number;
  /** The next rumour comes within this time. After four times as long without one, this one expires. */
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
