/** Input file: a file that the user named for a command to read. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { GamError, hasCode, reasonOf, rethrowInvariant } from "@gam/core";
import type { CommandIo } from "./command-io.ts";

/** What people call these failures. */
const reasons: Readonly<Record<string, string>> = {
  EACCES: "this user may not read it",
  EISDIR: "it is a folder",
  ENOENT: "there is no such file",
  ENOTDIR: "there is no such file",
  EPERM: "this user may not read it",
};

/**
 * Returns: the text of the file; `-` is standard input. A relative path begins at the user's folder.
 *
 * Errors: GamError BAD_REQUEST with the file as the user wrote it, and the reason.
 */
export function readInputFile({ cwd }: Pick<CommandIo, "cwd">, file: string): string {
  if (file === "-") return bytesOf(0, "standard input").toString();
  return bytesOf(resolve(cwd, file), file).toString();
}

/**
 * Returns: the bytes of the file at this absolute path; `undefined` if there is none. A folder is no file, either.
 *
 * Errors: as readInputFile().
 */
export function readIfThere(path: string): Uint8Array | undefined {
  try {
    return bytesOf(path, path);
  } catch (thrown) {
    if (!(thrown instanceof GamError)) throw thrown;
    const isMissing = ["ENOENT", "EISDIR", "ENOTDIR"].some((code) => hasCode(thrown.cause, code));
    if (isMissing) return undefined;
    throw thrown;
  }
}

/** Returns: why a file cannot be used, without its path, which the message has already. */
export function fileReason(cause: unknown): string {
  const path = cause instanceof Error && "path" in cause ? cause.path : "";
  return reasonOf(cause).replace(`${path}: `, "");
}

function bytesOf(path: string | 0, shown: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    rethrowInvariant(cause);
    const code = Object.keys(reasons).find((one) => hasCode(cause, one)) ?? "";
    const message = `Cannot read ${shown}: ${reasons[code] ?? fileReason(cause)}`;
    throw new GamError("BAD_REQUEST", message, { cause });
  }
}
