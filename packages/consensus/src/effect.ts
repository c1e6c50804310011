/** Effect: everything that a Raft peer asks of its caller, to be performed in order. */
import type { NodeId } from "@gam/core";
import type { EntryRange, RaftRefusal } from "./leader/leadership.ts";
import type { Configuration } from "./log/configuration.ts";
import type { Entry, HardState, Snapshot } from "./log/durable.ts";
import type { Message } from "./log/message.ts";

export type RaftRole = "follower" | "preCandidate" | "candidate" | "leader";

export type Effect =
  /** In answer to "propose" and "reconfigure". */
  | ({ readonly kind: "proposed" } & EntryRange)
  /** In answer to "propose", "reconfigure" and "transfer". */
  | { readonly kind: "refused"; readonly reason: RaftRefusal; readonly leader: NodeId | undefined }
  /** Role, term or known leader are other than in the last such effect. */
  | {
      readonly kind: "role";
      readonly role: RaftRole;
      readonly term: number;
      readonly leader: NodeId | undefined;
    }
  | { readonly kind: "send"; readonly to: NodeId; readonly message: Message }
  /**
   * Make durable as one. A snapshot replaces all entries up to its index, and all entries if the one
   * at its index is not there or has another term; then `entries` replace every entry from the first
   * one's index on. `hardState` is absent where it did not change.
   */
  | {
      readonly kind: "persist";
      /** Counts from 1 in each life. */
      readonly write: number;
      readonly hardState: HardState | undefined;
      readonly entries: readonly Entry[];
      readonly snapshot: Snapshot | undefined;
    }
  /** Replace the state by this one. Later entries follow it. */
  | { readonly kind: "install"; readonly snapshot: Snapshot }
  /** The configuration that holds now. It may not be committed yet, and may fall back. */
  | { readonly kind: "configuration"; readonly configuration: Configuration }
  /** Apply these, in order; each comes once in a life, the first after the restored snapshot. */
  | { readonly kind: "commit"; readonly entries: readonly Entry[] }
  /**
   * A message was ignored, whose sender no honest peer is: its term lies too far ahead, or what it would put
   * into the log is nothing that the caller accepts.
   */
  | {
      readonly kind: "ignored";
      readonly from: NodeId;
      readonly message: Message["kind"];
      readonly reason: "far term" | "bad entry" | "bad snapshot";
      readonly term: number;
    }
  /** Answer the read from the state as it is after the commits above. */
  | { readonly kind: "readReady"; readonly id: string }
  /** No answer came, or no leader is known. Ask again. */
  | { readonly kind: "readLost"; readonly id: string };
