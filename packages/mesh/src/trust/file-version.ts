import { GamError } from "@gam/core";

/**
 * Checks the version of a file in the data directory, before the rest of it is read.
 *
 * Shape:  `content` is the parsed file, `known` the newest version that this gam reads.
 * Errors: NOT_SUPPORTED when a newer gam has written it. A missing version is left to the file's own check.
 */
export function insistOnVersion(content: unknown, path: string, known: number): void {
  if (typeof content !== "object" || content === null || !("version" in content)) return;
  const { version } = content;
  if (typeof version !== "number" || version <= known) return;
  throw new GamError(
    "NOT_SUPPORTED",
    `Cannot read "${path}": a newer gam has written it (version ${version}, and this gam reads up to ${known}). ` +
      "Start the newer version again; nothing was changed on this disk",
  );
}
