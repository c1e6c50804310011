/**
 * Folder tar: the files of a folder as one stream and back, and their checksum, by GNU tar.
 *
 * Keeps owners (as numbers), modes, times, hard and symbolic links, devices, holes of sparse files, extended
 * attributes and ACLs. Leaves out sockets: they are nothing without their process. The checksum covers all of this but
 * holes, extended attributes and ACLs. It reads every file again from the disk, so it also says whether a copy
 * arrived there whole.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { statfs } from "node:fs/promises";
import type { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { rethrowInvariant } from "@gam/core";
import { CommandFailed, commandEnvironment, runCommand } from "../data-plane/kernel/command.ts";

const common = ["--numeric-owner", "--format=pax"];
const attributes = ["--xattrs", "--xattrs-include=*", "--acls"];
/** Without what differs between two readings of equal files. */
const canonical = [
  "--sort=name",
  "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime",
];
/** Counting the files of a large volume takes long on a slow disk. */
const countMsMax = 600_000;
const flushMsMax = 600_000;

/**
 * Writes the folder's files as a tar. Resolves to what tar said of files that changed meanwhile, if they may.
 * Errors: CommandFailed, also for a file that changed and may not.
 */
export async function packFolder(
  folder: string,
  to: Writable,
  { signal, mayChange = false }: { readonly signal: AbortSignal; readonly mayChange?: boolean },
): Promise<readonly string[]> {
  const args = ["--create", "--sparse", ...common, ...attributes, "-C", folder, "."];
  const tar = run(args, signal, mayChange ? changedStatus : 0);
  return await both(tar, pipeline(tar.child.stdout as Readable, to, { signal }));
}

/** Fills the folder from a tar, and reads `from` to its end. Errors: CommandFailed; those of `from`. */
export async function unpackFolder(
  folder: string,
  from: Readable,
  signal: AbortSignal,
): Promise<void> {
  const tar = run(
    ["--extract", "--same-owner", "-p", ...common, ...attributes, "-C", folder],
    signal,
  );
  await both(tar, feed(from, tar.child, signal));
}

/**
 * Not a pipeline: tar may end after the archive's end and before all padding behind it is written, and a checksum of
 * what was read must cover that.
 */
async function feed(from: Readable, tar: ChildProcess, signal: AbortSignal): Promise<void> {
  const to = tar.stdin as Writable;
  to.on("error", () => undefined);
  const stop = (): void => void from.destroy(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  try {
    for await (const piece of from as AsyncIterable<Buffer>) {
      if (tar.exitCode || tar.signalCode !== null) return;
      if (!to.destroyed && !to.write(piece)) await drainedOrClosed(to);
    }
  } finally {
    signal.removeEventListener("abort", stop);
    to.end();
  }
}

async function drainedOrClosed(to: Writable): Promise<void> {
  await new Promise<void>((resolve) => {
    if (to.destroyed) return resolve();
    const over = (): void => {
      to.off("drain", over);
      to.off("close", over);
      resolve();
    };
    to.on("drain", over);
    to.on("close", over);
  });
}

/** Resolves to the SHA-256 of the folder's files, in hex. Errors: CommandFailed. */
export async function digestFolder(folder: string, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  const tar = run(["--create", ...common, ...canonical, "-C", folder, "."], signal);
  await both(tar, pipeline(tar.child.stdout as Readable, hash, { signal }));
  return hash.digest("hex");
}

/** Resolves to the bytes that the folder takes on the disk. Errors: CommandFailed. */
export async function bytesOfFolder(folder: string): Promise<number> {
  const text = await runCommand("du", ["-s", "--block-size=1", folder], { limitMs: countMsMax });
  return Number.parseInt(text, 10) || 0;
}

/** Resolves to the free bytes of the disk that holds the folder. Errors: those of statfs. */
export async function freeBytesAt(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

/** Resolves when all that was written to the folder is on its disk. Errors: CommandFailed. */
export async function flushFolder(folder: string): Promise<void> {
  await runCommand("sync", ["--file-system", folder], { limitMs: flushMsMax });
}

interface Tar {
  readonly child: ChildProcess;
  /** Resolves to the first lines that it wrote about problems. */
  readonly ended: Promise<readonly string[]>;
}

/** tar's exit status for a file that changed while it was read. */
const changedStatus = 1;

/** `statusMax`: a higher exit status is a failure. A copy of a file that changed is of use for backups only. */
function run(args: readonly string[], signal: AbortSignal, statusMax = 0): Tar {
  const child = spawn("tar", args, {
    stdio: ["pipe", "pipe", "pipe"],
    env: commandEnvironment,
    killSignal: "SIGKILL",
    signal,
  });
  const said: Buffer[] = [];
  child.stderr?.on("data", (piece: Buffer) => {
    if (said.length < 64) said.push(piece);
  });
  const ended = new Promise<readonly string[]>((settle, fail) => {
    const failed = (reason: string, missing = false): void => {
      const stderr = Buffer.concat(said).toString();
      fail(new CommandFailed("tar", { missing, reason, stderr }));
    };
    child.once("error", (thrown: NodeJS.ErrnoException) => {
      failed(thrown.message, thrown.code === "ENOENT");
    });
    child.once("close", (status, by) => {
      const lines = Buffer.concat(said)
        .toString()
        .split("\n")
        .filter((line) => line !== "");
      if (status !== null && status <= statusMax) settle(lines);
      else failed(by === null ? `it ended with status ${status}` : "it was ended");
    });
  });
  // Both are awaited together later.
  ended.catch(rethrowInvariant);
  return { child, ended };
}

/** The program's error says more than that of the pipe which broke because of it. */
async function both({ ended, child }: Tar, piped: Promise<void>): Promise<readonly string[]> {
  let broken: unknown;
  await piped.catch((thrown: unknown) => {
    rethrowInvariant(thrown);
    broken = thrown ?? new Error("the stream broke");
    child.kill("SIGKILL");
  });
  try {
    const said = await ended;
    if (broken === undefined) return said;
  } catch (thrown) {
    rethrowInvariant(thrown);
    const killed = broken !== undefined && child.signalCode === "SIGKILL";
    throw killed ? broken : thrown;
  }
  throw broken;
}
