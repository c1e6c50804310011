/** Input: every event that a peer handles. */
import type { NodeId } from "@gam/core";
import type {
  AskedChange,
  EngineHealth,
  HttpAnswer,
  NodeDescription,
  NodeNetwork,
  Usage,
} from "@gam/state";
import type { WorkerInput } from "@gam/worker";
import type { Sender } from "../access/authority.ts";
import type { GossipMessage, Message } from "./message.ts";

/** What this peer reports about its own node. */
export interface SelfDescription {
  readonly description: NodeDescription;
  readonly addresses: readonly string[];
  readonly engine: EngineHealth;
  readonly network: NodeNetwork;
  /** The newest root key for which this peer has a certificate on its disk, base64. */
  readonly root?: string;
  /** As NodeExtra. */
  readonly version?: string;
}

export type Input =
  /**
   * `ticks`: how many have passed since the last tick input, at most the peer's `restTicks`; absent: one.
   * `lateTicks`: ticks that the process missed because it was held up.
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
  /** The plan with this index, or a newer one, is in force. */
  | { readonly kind: "arranged"; readonly index: number }
  | { readonly kind: "described"; readonly said: SelfDescription }
  | { readonly kind: "measured"; readonly usage: Usage }
  /** What came of an `ask`. */
  | { readonly kind: "asked"; readonly id: number; readonly answer: HttpAnswer }
  /** The shell did not give that peer the data of an object, because no task of the peer's uses it. */
  | {
      readonly kind: "withheld";
      readonly peer: NodeId;
      readonly what: string;
      readonly reason: string;
    }
  /** Continue alone, in a new life of the cluster. `id` is random. Shells must check mayRecover() first. */
  | { readonly kind: "recover"; readonly id: string; readonly gone: readonly NodeId[] }
  /** Hand leadership to another peer, because this one is about to stop. */
  | { readonly kind: "resign" };
