/** Effect: all that a peer wants done. Performed in order; whatever comes of one is an input. */
import type { NodeId } from "@gam/core";
import type { NodePlan } from "@gam/network";
import type { Event } from "@gam/state";
import type { EngineAction } from "@gam/worker";
import type { DiskStep } from "../journal/journal.ts";
import type { GossipMessage, Message } from "./message.ts";
import type { ProposalOutcome } from "./proposals.ts";

export type Effect =
  | { readonly kind: "send"; readonly to: NodeId; readonly message: Message }
  | { readonly kind: "gossip"; readonly gossip: GossipMessage }
  | { readonly kind: "disk"; readonly step: DiskStep }
  | { readonly kind: "engine"; readonly action: EngineAction }
  | { readonly kind: "proposed"; readonly request: number; readonly answer: ProposalOutcome }
  /** `fresh`: the copy holds all that was acknowledged before the read was asked for. */
  | { readonly kind: "read"; readonly request: number; readonly fresh: boolean }
  /** What one entry of the log changed, or (`snapshot`) all that this peer had missed. */
  | {
      readonly kind: "happened";
      readonly index: number;
      readonly events: readonly Event[];
      readonly snapshot?: true;
    }
  /**
   * Make the kernel, the engine's networks and the name server be like this. Answer with `arranged` and
   * the index once no connection is sent by an older plan any more; of some in a row the last will do.
   */
  | { readonly kind: "arrange"; readonly plan: NodePlan; readonly index: number }
  /** Whom to keep a connection to. Whoever is not in the list is no member. */
  | {
      readonly kind: "members";
      readonly members: readonly { readonly id: NodeId; readonly addresses: readonly string[] }[];
    }
  /** A member asked for what it may not do, and nothing came of it. */
  | { readonly kind: "refused"; readonly peer: NodeId; readonly reason: string }
  /** A peer says that this is its address. If it is found there, its messages are to say so from then on. */
  | { readonly kind: "verify"; readonly peer: NodeId; readonly address: string }
  /** A connection to this peer that seems to stand does not. */
  | { readonly kind: "drop"; readonly peer: NodeId }
  /** Measure the host's usage and answer with `measured`. */
  | { readonly kind: "measure" }
  /** This peer was removed from the cluster. */
  | { readonly kind: "removed" }
  /** The disk holds another life of the cluster: make a new peer of it. This one does nothing any more. */
  | { readonly kind: "reborn" }
  /** Worth telling the people who run this. */
  | {
      readonly kind: "note";
      readonly level: "info" | "warn";
      readonly text: string;
      readonly fields: Readonly<Record<string, unknown>>;
    };
