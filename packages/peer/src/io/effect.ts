/**
 * Effect: all that a peer wants done. The shell performs effects in order; each result comes back as an input.
 */
import type { NodeId } from "@gam/core";
import type { HttpPlan, NodePlan } from "@gam/network";
import type { Event, TaskToMeasure } from "@gam/state";
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
  /** `fresh`: the copy holds all writes that were acknowledged before the read began. */
  | { readonly kind: "read"; readonly request: number; readonly fresh: boolean }
  /** What one log entry changed, or (`snapshot`) all changes that this peer had missed. */
  | {
      readonly kind: "happened";
      readonly index: number;
      readonly events: readonly Event[];
      readonly snapshot?: true;
    }
  /**
   * Make the kernel, the engine's networks and the name server match this plan. Answer with `arranged` and the
   * index once no connection uses an older plan. For several plans in a row, one answer for the last is enough.
   * `http`: what the proxy of this host has to serve; absent where none is wanted.
   */
  | {
      readonly kind: "arrange";
      readonly plan: NodePlan;
      readonly http?: HttpPlan;
      readonly index: number;
    }
  /** The peers to keep a connection to. A peer that is not in the list is not a member. */
  | {
      readonly kind: "members";
      readonly members: readonly { readonly id: NodeId; readonly addresses: readonly string[] }[];
    }
  /** A member asked for something that it may not do. The peer ignored it. */
  | { readonly kind: "refused"; readonly peer: NodeId; readonly reason: string }
  /**
   * A peer claims this address. If the shell finds the peer there, its later messages must carry that host in
   * `sender`.
   */
  | { readonly kind: "verify"; readonly peer: NodeId; readonly address: string }
  /** Close the connection to this peer: it looks open but is dead. */
  | { readonly kind: "drop"; readonly peer: NodeId }
  /** Measure the usage of the host and of these tasks, and answer with `measured`. */
  | { readonly kind: "measure"; readonly tasks: readonly TaskToMeasure[] }
  /** GET this URL, and answer with `asked` whatever comes of it, within some seconds. */
  | { readonly kind: "ask"; readonly id: number; readonly url: string }
  /** This peer was removed from the cluster. */
  | { readonly kind: "removed" }
  /** The disk holds another life of the cluster: create a new peer from it. This one does nothing any more. */
  | { readonly kind: "reborn" }
  /** Log this for the operator. */
  | {
      readonly kind: "note";
      readonly level: "info" | "warn";
      readonly text: string;
      readonly fields: Readonly<Record<string, unknown>>;
    };
