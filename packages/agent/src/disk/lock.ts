/**
 * Lock: one agent for each data directory.
 *
 * Two would cut each other's journal short and vote twice. The lock is the kernel's, on an open file: it
 * ends with the process that holds it, however that ends, and is seen from every namespace that the
 * directory is seen from. Node has no call for it, so flock(1) takes it on a file that we hold open.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, type FileHandle, mkdir, open, stat } from "node:fs/promises";
import { join } from "node:path";
import { GamError, hasCode } from "@gam/core";

/** What lies there is for root alone: keys, and the journal. */
const dirMode = 0o700;
/** Of flock(1), when somebody else has the lock. */
const taken = 1;

/**
 * Makes the directory if need be, closes it to others, and locks it until the handle is closed.
 *
 * Errors: IN_USE when another agent has it; NOT_SUPPORTED without flock(1); those of the file system.
 */
export async function lockDataDir(dir: string): Promise<FileHandle> {
  await mkdir(dir, { recursive: true, mode: dirMode });
  if (((await stat(dir)).mode & 0o077) !== 0) await chmod(dir, dirMode);
  // Not "w", which would touch a disk that this gam may have to leave as it is.
  const handle = await open(join(dir, "lock"), "a", 0o600);
  try {
    const status = await flock(handle);
    if (status === 0) return handle;
    if (status === taken) {
      throw new GamError("IN_USE", `Cannot use data directory "${dir}": another agent runs on it`);
    }
    throw new GamError("NOT_SUPPORTED", `Cannot lock data directory "${dir}": flock: ${status}`);
  } catch (thrown) {
    await handle.close();
    throw thrown;
  }
}

async function flock(handle: FileHandle): Promise<number | null> {
  // The lock is on the open file, which we share with it, and outlives it here.
  const child = spawn("flock", ["--nonblock", "3"], {
    stdio: ["ignore", "ignore", "ignore", handle.fd],
  });
  try {
    const [status] = (await once(child, "exit")) as [number | null];
    return status;
  } catch (thrown) {
    if (!hasCode(thrown, "ENOENT")) throw thrown;
    throw new GamError(
      "NOT_SUPPORTED",
      "Cannot lock data directory: flock is missing; install util-linux",
      { cause: thrown },
    );
  }
}
