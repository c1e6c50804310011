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

/** What people call failures of the operating system. */
const reasons: Readonly<Record<string, string>> = {
  EACCES: "this user may not do that",
  EADDRINUSE: "another process uses this address",
  EDQUOT: "the disk quota is used up",
  EEXIST: "there is such a file already",
  EIO: "the disk has failed",
  EISDIR: "it is a folder",
  ELOOP: "its links lead in a circle",
  EMFILE: "too many files are open",
  ENAMETOOLONG: "the name is too long",
  ENFILE: "too many files are open on this host",
  ENODEV: "there is no such device",
  ENOENT: "there is no such file",
  ENOMEM: "there is not enough memory",
  ENOSPC: "the disk is full",
  ENOTDIR: "a part of the path is no folder",
  EPERM: "this user may not do that",
  EROFS: "the file system is read-only",
};

/** Returns: why it failed, for people: without codes and names of system calls, with the path if there is one. */
export function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error) || thrown instanceof GamError || !("code" in thrown)) {
    return messageOf(thrown);
  }
  const reason = reasons[String(thrown.code)];
  if (reason === undefined) return messageOf(thrown);
  const path = "path" in thrown && typeof thrown.path === "string" ? `${thrown.path}: ` : "";
  return `${path}${reason}`;
}
