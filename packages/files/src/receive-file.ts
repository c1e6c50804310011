/**
 * Receive file: writes a stream to disk, whole and with the right sum, or not at all.
 *
 * As replaceFile(), for content that is too large for memory.
 */
import { createHash } from "node:crypto";
import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { GamError } from "@gam/core";
import { syncDirectory } from "./replace-file.ts";

export interface Received {
  /** Of the content, in hex. */
  readonly sha256: string;
  readonly bytesMax: number;
}

/**
 * Makes the file at `path` from the stream. When it rejects, nothing of the stream is left.
 *
 * Shape: mode 0600; its directory exists. Nobody else writes a file of that name meanwhile.
 * Errors: REFUSED for another sum or more bytes; those of the stream and of the file system.
 */
export async function receiveFile(
  path: string,
  content: AsyncIterable<Uint8Array>,
  { sha256, bytesMax }: Received,
): Promise<void> {
  const draft = `${path}.part`;
  const file = await open(draft, "w", 0o600);
  try {
    const sum = createHash("sha256");
    let bytes = 0;
    try {
      for await (const piece of content) {
        bytes += piece.length;
        if (bytes > bytesMax) {
          throw new GamError("REFUSED", `Cannot take the file: it has more than ${bytesMax} bytes`);
        }
        sum.update(piece);
        await file.writeFile(piece);
      }
      await file.sync();
    } finally {
      await file.close();
    }
    const found = sum.digest("hex");
    if (found !== sha256) {
      throw new GamError(
        "REFUSED",
        `Cannot take the file: its sha256 is ${found}, and ${sha256} was expected`,
      );
    }
    await rename(draft, path);
    await syncDirectory(dirname(path));
  } catch (thrown) {
    await rm(draft, { force: true });
    throw thrown;
  }
}
