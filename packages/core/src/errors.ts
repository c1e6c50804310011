/**
 * Errors: failures in operation, with a code for programs and a sentence for people.
 *
 * A message says what could not be done, then what was found. Only package api maps codes to HTTP statuses.
 * docs/errors.md lists every code, and a test compares the two.
 */

export type ErrorCode =
  | "BAD_REQUEST"
  | "BAD_FRAME"
  | "BAD_TOKEN"
  | "CORRUPT_FILE"
  | "DISK_FAILED"
  | "ENGINE_FAILED"
  | "ENGINE_MISSING"
  | "IN_USE"
  | "NAME_IN_USE"
  | "NOT_FOUND"
  | "NOT_MEMBER"
  | "NO_LEADER"
  | "NOT_SUPPORTED"
  | "REFUSED"
  | "STALE_VERSION"
  | "UNREACHABLE";

/**
 * An error with a code. Construct it with the code, the whole sentence and, if there is one, the cause.
 *
 * Shape: `message` is shown to people unchanged: sentence case, no final period.
 */
export class GamError extends Error {
  override readonly name = "GamError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Whether this is an error with that code of Node or the operating system, such as `ENOENT`. */
export function hasCode(thrown: unknown, code: string): boolean {
  return thrown instanceof Error && "code" in thrown && thrown.code === code;
}

/** Returns: the message of any thrown value, even if it is no Error (libp2p rejects with events). */
export function messageOf(thrown: unknown): string {
  if (thrown instanceof Error) return thrown.message;
  if (typeof thrown === "object" && thrown !== null && "error" in thrown) {
    return messageOf(thrown.error);
  }
  return String(thrown);
}
