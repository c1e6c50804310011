/** Content question: what a node asks a manager for on behalf of a task, and the answer. Shapes and their checks. */
import { type Check, check, type SecretId, type TaskId } from "@gam/core";

/** Secrets in one question: eight are at most 4 MB, half of what an answer may have. */
export const secretsMax = 8;
/** A secret has less than 500 KiB. */
const secretBytesMax = 512_000;
const credentialsMax = 65_536;

export interface ContentQuestion {
  /** The task that needs it. */
  readonly task: TaskId;
  /** The last log entry that the asker has: a manager whose state is older cannot judge. */
  readonly asOf: number;
  readonly secrets: readonly { readonly id: SecretId; readonly content: number }[];
  /** Whether it asks for the registry credentials of the task's service. */
  readonly credentials: boolean;
}

export interface ContentAnswer {
  /** In the order of the question. */
  readonly secrets: readonly Uint8Array[];
  /** A client's `X-Registry-Auth`, base64url; "" where none were asked for. */
  readonly credentials: string;
}

export const checkQuestion: Check<ContentQuestion> = check.object({
  task: check.id<TaskId>(),
  asOf: check.integer(),
  secrets: check.list(
    check.object({ id: check.id<SecretId>(), content: check.integer(1) }),
    secretsMax,
  ),
  credentials: check.boolean,
});

export const checkAnswer: Check<ContentAnswer> = check.object({
  secrets: check.list(check.bytes(secretBytesMax), secretsMax),
  credentials: check.string(credentialsMax),
});
