import { readFile } from "node:fs/promises";
import { hasCode } from "@gam/core";

/** Returns: the file's content; undefined if there is no file. Errors: those of the file system but ENOENT. */
export async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (thrown) {
    if (!hasCode(thrown, "ENOENT")) throw thrown;
    return undefined;
  }
}
