/** Input: all that may happen to a peer. */
import type { NodeId } from "@gam/core";
import type { AskedChange, EngineHealth, NodeDescription, NodeNetwork, Usage } from "@gam/state";
import type { WorkerInput } from "@gam/worker";
import type { Sender } from "../access/authority.ts";
import type { GossipMessage, Message } from "./message.ts";

/** What this peer can say of its own node. */
export interface SelfDescription {
  readonly description: NodeDescription;
  readonly addresses: readonly string[];
  readonly engine: EngineHealth;
  readonly network: NodeNetwork;
  /** The newest root key that it has a certificate of on its disk, base64. */
  readonly root?: string;
}

export type Input =
  /**
   * `ticks`: how many have passed since the last one, at most what the peer's `restTicks` allowed; absent: one.
   * `lateTicks`: ticks that should have come before and did not, because the process was held up.
   */
  | { readonly kind: "tick"; readonly ticks?: number; readonly lateTicks: number }
  | {
      readonly kind: "received";
      readonly from: NodeId;
      readonly sender: Sender;
      readonly message: Message;
    }
  | { readonly kind: "gossiped"; readonly from: NodeId; readonly gossip: GossipMessage }
  /** A dial was answered by "connection refused": the host lives, its agent does not. */
  | { readonly kind: "refused"; readonly peer: NodeId }
  | { readonly kind: "persisted" }
  | { readonly kind: "propose"; readonly request: number; readonly changes: readonly AskedChange[] }
  | { readonly kind: "read"; readonly request: number }
  | { readonly kind: "worker"; readonly input: WorkerInput }
  /** Connections are sent by the plan that came with this index, or by a newer one. */
  | { readonly kind: "arranged"; readonly index: number }
  | { readonly kind: "described"; readonly said: SelfDescription }
  | { readonly kind: "measured"; readonly usage: Usage }
  /** Go on alone, in a new life of the cluster. `id` is random. Shells insist on mayRecover() first. */
  | { readonly kind: "recover"; readonly id: string; readonly gone: readonly NodeId[] }
  /** Hand the lead to another peer, because this one is about to stop. */
  | { readonly kind: "resign" };
