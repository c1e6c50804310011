/**
 * Lock: one agent for each data directory.
 *
 * Two agents would truncate each other's journal and vote twice. The lock is the kernel's, on an open file. It
 * ends with the process that holds it, even after a crash, and holds in every namespace that sees the
 * directory. Node has no call for it, so flock(1) takes it on a file that we hold open.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, type FileHandle, mkdir, open, stat } from "node:fs/promises";
import { join } from "node:path";
import { GamError, hasCode, rethrowInvariant } from "@gam/core";
import { holderOfFile, holderText } from "@gam/files";
import { diskFailed } from "./disk-failed.ts";

/** Only root may read the keys and the journal. */
const dirMode = 0o700;
/** Exit status of flock(1) when another process has the lock. */
const taken = 1;

/**
 * Creates the directory if it is missing, makes it private, and locks it until the handle is closed.
 *
 * Errors: IN_USE when another agent has it; NOT_SUPPORTED without flock(1); DISK_FAILED.
 */
export async function lockDataDir(dir: string): Promise<FileHandle> {
  const handle = await openLock(dir);
  try {
    const status = await flock(handle);
    if (status === 0) return handle;
    if (status === taken) throw await inUse(dir);
    throw new GamError("NOT_SUPPORTED", `Cannot lock data directory "${dir}": flock: ${status}`);
  } catch (thrown) {
    await handle.close();
    throw thrown;
  }
}

async function openLock(dir: string): Promise<FileHandle> {
  try {
    await mkdir(dir, { recursive: true, mode: dirMode });
    if (((await stat(dir)).mode & 0o077) !== 0) await chmod(dir, dirMode);
    // Not "w": that would change a data directory of a newer gam, which this one must not touch.
    return await open(join(dir, "lock"), "a", 0o600);
  } catch (thrown) {
    rethrowInvariant(thrown);
    throw diskFailed(dir, thrown);
  }
}

async function inUse(dir: string): Promise<GamError> {
  const holder = await holderOfFile(join(dir, "lock"));
  const who = holder === undefined ? "another agent" : holderText(holder);
  const stop =
    holder === undefined
      ? "Stop that agent"
      : holder.unit === ""
        ? `Stop it with "kill ${holder.pid}" (containers keep running)`
        : `It is the agent of this host; "systemctl stop ${holder.unit}" stops it`;
  const message = `Cannot use data directory "${dir}": ${who} uses it. ${stop}, or set --data-dir`;
  return new GamError("IN_USE", message);
}

/** Returns: whether a process holds the lock of this file. A missing file is not locked. Errors: as lockDataDir(). */
export async function isLocked(path: string): Promise<boolean> {
  let handle: FileHandle;
  try {
    handle = await open(path, "r");
  } catch (thrown) {
    if (hasCode(thrown, "ENOENT")) return false;
    throw thrown;
  }
  try {
    // The lock, if this takes it, ends with the handle.
    return (await flock(handle)) === taken;
  } finally {
    await handle.close();
  }
}

async function flock(handle: FileHandle): Promise<number | null> {
  // The lock belongs to the open file. We share that file with flock(1), so the lock stays when flock(1) ends.
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
      "Cannot lock data directory: flock is missing. Install util-linux",
      { cause: thrown },
    );
  }
}
