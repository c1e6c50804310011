import { GamError } from "@gam/core";

/**
 * Looks at the version of a file of the data directory before anything else of it is read.
 *
 * Shape:  `content` is the parsed file, `known` the newest version that this gam reads.
 * Errors: NOT_SUPPORTED when a newer gam has written it. What has no version is for a check to name.
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
