/**
 * Memory file: hands a secret to a program that reads it only from a file, without a copy on a disk.
 */
import { randomBytes } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** A tmpfs on every Linux. */
const folder = "/dev/shm";

/**
 * Calls `use` with the path of a file (mode 0600) that has this content and is only in memory, and removes it
 * afterwards. Errors: those of `use` and of the file system.
 */
export async function withMemoryFile<Result>(
  content: string,
  use: (path: string) => Promise<Result>,
): Promise<Result> {
  const path = join(folder, `gam-${randomBytes(16).toString("hex")}`);
  try {
    await writeFile(path, content, { flag: "wx", mode: 0o600 });
    return await use(path);
  } finally {
    await rm(path, { force: true });
  }
}
