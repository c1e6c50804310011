/** Recover: the answer of `GET /gam/v1/recover`: what the asked host would continue with alone. */
import { type Check, check, type NodeId } from "@gam/core";

export interface RecoverHost {
  readonly id: NodeId;
  readonly hostname: string;
  readonly isSelf: boolean;
  readonly votes: boolean;
  readonly answers: boolean;
  /** Null if the host does not answer. */
  readonly lastIndex: number | null;
  readonly life: number | null;
  /** Tasks that ran there at the last change of the state. */
  readonly tasks: number;
}

export interface RecoverReport {
  /** Why the host must not recover; "" where it may. */
  readonly refusal: string;
  /** Why a person has to insist on it. */
  readonly doubts: readonly string[];
  /** How many lives the cluster has had, this one included. */
  readonly life: number;
  readonly leaderlessMs: number;
  /** Last index of this host's log. All of the log is kept. */
  readonly lastIndex: number;
  /** Entries that this host does not know to be committed. */
  readonly unconfirmed: number;
  /** Entries that cannot be applied and are left out. */
  readonly skipped: readonly { readonly index: number; readonly reason: string }[];
  /** Time of the last change of the state; 0 where there is none. */
  readonly writtenAtMs: number;
  /** Names. */
  readonly services: readonly string[];
  readonly tasks: number;
  readonly hosts: readonly RecoverHost[];
}

const hostsMax = 10_000;
const servicesMax = 100_000;
const skippedMax = 10_000;
const sentence = check.string(65_536);

/** Errors: BAD_FRAME with the path of what is wrong. */
export const checkRecoverReport: Check<RecoverReport> = check.object({
  refusal: sentence,
  doubts: check.list(sentence, hostsMax),
  life: check.integer(),
  leaderlessMs: check.number(),
  lastIndex: check.integer(),
  unconfirmed: check.integer(),
  skipped: check.list(check.object({ index: check.integer(), reason: sentence }), skippedMax),
  writtenAtMs: check.number(),
  services: check.list(check.string(), servicesMax),
  tasks: check.integer(),
  hosts: check.list(
    check.object({
      id: check.id<NodeId>(),
      hostname: check.string(),
      isSelf: check.boolean,
      votes: check.boolean,
      answers: check.boolean,
      lastIndex: check.orNull(check.integer()),
      life: check.orNull(check.integer()),
      tasks: check.integer(),
    }),
    hostsMax,
  ),
});
