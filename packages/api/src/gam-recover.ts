import type { NodeId } from "@gam/core";

/** Answer of `GET /gam/v1/recover`: what this host would go on with alone. JSON as it stands. */
export interface RecoverReport {
  /** Why it must not be done; "" where it may be. */
  readonly refusal: string;
  /** Why somebody has to insist on it. */
  readonly doubts: readonly string[];
  /** How many lives the cluster has had, this one included. */
  readonly life: number;
  readonly leaderlessMs: number;
  /** Of the log that this host has. All of it is kept. */
  readonly lastIndex: number;
  /** Entries that this host does not know to be committed. */
  readonly unconfirmed: number;
  /** Entries that cannot be applied and are left out. */
  readonly skipped: readonly { readonly index: number; readonly reason: string }[];
  /** When the state was changed last; 0 where there is none. */
  readonly writtenAtMs: number;
  /** Names. */
  readonly services: readonly string[];
  readonly tasks: number;
  readonly hosts: readonly RecoverHost[];
}

export interface RecoverHost {
  readonly id: NodeId;
  readonly hostname: string;
  readonly isSelf: boolean;
  readonly votes: boolean;
  readonly answers: boolean;
  /** Null where it does not answer. */
  readonly lastIndex: number | null;
  readonly life: number | null;
  /** That ran there when the state was changed last. */
  readonly tasks: number;
}

/** What the call needs of the agent. Only asked while active. */
export interface RecoverDoor {
  /** Changes nothing. Bounded; never rejects. */
  recoverReport(): Promise<RecoverReport>;
  /**
   * Goes on alone, in a new life of the cluster. Resolves when this peer leads it.
   * Errors: REFUSED; NO_LEADER when it does not come to lead.
   */
  recover(force: boolean): Promise<void>;
}
