/** Input: everything that can happen to a Raft peer. */
import type { NodeId } from "@gam/core";
import type { Message } from "./log/message.ts";

export type Input =
  | { readonly kind: "tick" }
  /** A message that checkMessage() accepted. */
  | { readonly kind: "received"; readonly from: NodeId; readonly message: Message }
  /** This write and all before it are durable. */
  | { readonly kind: "persisted"; readonly write: number }
  /** At least one entry. Answered in the same step by "proposed" or "refused". */
  | { readonly kind: "propose"; readonly data: readonly Uint8Array[] }
  /** The wanted voters, learners and standbys; Raft finds the steps. Answered as "propose" is. */
  | {
      readonly kind: "reconfigure";
      readonly voters: readonly NodeId[];
      readonly learners: readonly NodeId[];
      readonly standbys: readonly NodeId[];
    }
  /** A linearizable read. `id` is new on this peer, at most 64 characters. */
  | { readonly kind: "read"; readonly id: string }
  /** Hand leadership to this voter. Raft refuses at once, or tries for `electionTicksMax`. */
  | { readonly kind: "transfer"; readonly to: NodeId }
  /**
   * `data` is the caller's whole state after it applied entry `index`. `whole`: keep no entry up to `index`,
   * because one of them must never be sent.
   */
  | {
      readonly kind: "compact";
      readonly index: number;
      readonly data: Uint8Array;
      readonly whole?: boolean;
    };
