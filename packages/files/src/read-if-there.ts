import { readFile } from "node:fs/promises";
import { hasCode } from "@gam/core";

/** What is in the file; undefined where there is none. Errors: those of the file system, but for ENOENT. */
export async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (thrown) {
    if (!hasCode(thrown, "ENOENT")) throw thrown;
    return undefined;
  }
}
