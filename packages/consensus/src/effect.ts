/** Effect: what a Raft peer asks its caller to do, in order. */
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
  /** The role, the term or the known leader has changed. */
  | {
      readonly kind: "role";
      readonly role: RaftRole;
      readonly term: number;
      readonly leader: NodeId | undefined;
    }
  | { readonly kind: "send"; readonly to: NodeId; readonly message: Message }
  /**
   * Make durable as one write. First the snapshot replaces all entries up to its index, or all entries if
   * the one at its index is missing or has another term. Then `entries` replace every entry from the
   * first one's index on. `hardState` is absent when it did not change.
   */
  | {
      readonly kind: "persist";
      /** Counts from 1 after each start. */
      readonly write: number;
      readonly hardState: HardState | undefined;
      readonly entries: readonly Entry[];
      readonly snapshot: Snapshot | undefined;
    }
  /** Replace the state by this snapshot. Later entries follow it. */
  | { readonly kind: "install"; readonly snapshot: Snapshot }
  /** The configuration that holds now. While it is not committed, it may still be undone. */
  | { readonly kind: "configuration"; readonly configuration: Configuration }
  /** Apply these in order. Each comes once after a start; the first one follows the restored snapshot. */
  | { readonly kind: "commit"; readonly entries: readonly Entry[] }
  /**
   * Raft ignored a message that no honest peer sends: its term is too far ahead, or the caller does not
   * accept its entries or snapshot.
   */
  | {
      readonly kind: "ignored";
      readonly from: NodeId;
      readonly message: Message["kind"];
      readonly reason: "far term" | "bad entry" | "bad snapshot";
      readonly term: number;
    }
  /** Answer the read from the state after the commits above. */
  | { readonly kind: "readReady"; readonly id: string }
  /** The leader did not answer, or none is known. Ask again. */
  | { readonly kind: "readLost"; readonly id: string };
