/**
 * Replace file: writes a file to disk whole or not at all, even across a power loss.
 *
 * It writes and syncs a draft beside the file. Only then does it rename the draft over the file, because a
 * rename may reach the disk before the content does. Last it syncs the directory. Otherwise a power loss
 * could undo a rename that was reported as done.
 */
import { randomBytes } from "node:crypto";
import { constants, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

/** An open file or directory: the used part of Node's. */
export interface OpenFile {
  chmod(mode: number): Promise<void>;
  write(
    bytes: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesWritten: number }>;
  truncate(bytes: number): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** Node's functions of these names. The tests use others, which fail. */
export interface FileSystem {
  open(path: string, flags: number, mode?: number): Promise<OpenFile>;
  rename(from: string, to: string): Promise<void>;
  rm(
    path: string,
    options: { readonly recursive: boolean; readonly force: boolean },
  ): Promise<void>;
}

const real: FileSystem = { open, rename, rm };

/**
 * Replaces the file at `path` by `content`. When it rejects, the file has its old content or the new one.
 *
 * Shape: mode 0600; its directory exists.
 * Errors: those of the file system.
 */
export async function replaceFile(
  path: string,
  content: string | Uint8Array,
  system: FileSystem = real,
): Promise<void> {
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  await writeDraft(path, bytes, system);
  await moveFile(draftOf(path), path, system);
}

/**
 * Reserves disk space for a later replaceFile() of that path, so that it does not fail on a full disk.
 *
 * Shape: its directory exists.
 * Units: `bytes` is the largest size of the later content.
 * Errors: those of the file system.
 */
export async function reserveFile(
  path: string,
  bytes: number,
  system: FileSystem = real,
): Promise<void> {
  // Random, because some file systems reserve no space for zeros.
  await writeDraft(path, randomBytes(bytes), system);
  await syncDirectory(dirname(path), system);
}

/** Renames within one directory, durably. Errors: those of the file system. */
export async function moveFile(from: string, to: string, system: FileSystem = real): Promise<void> {
  await system.rename(from, to);
  await syncDirectory(dirname(to), system);
}

/**
 * Removes the file and its draft, durably. A missing file is no error.
 *
 * Shape: its directory exists.
 * Errors: those of the file system.
 */
export async function removeFile(path: string, system: FileSystem = real): Promise<void> {
  await system.rm(draftOf(path), { recursive: true, force: true });
  await system.rm(path, { recursive: false, force: true });
  await syncDirectory(dirname(path), system);
}

/** Makes new names in a directory durable. Errors: those of the file system. */
export async function syncDirectory(path: string, system: FileSystem = real): Promise<void> {
  const directory = await system.open(path, constants.O_RDONLY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function draftOf(path: string): string {
  return `${path}.tmp`;
}

/** Writes over an existing draft, to keep its disk space. */
async function writeDraft(path: string, content: Uint8Array, system: FileSystem): Promise<void> {
  const file = await system.open(draftOf(path), constants.O_RDWR | constants.O_CREAT, 0o600);
  try {
    // A draft left by a crash keeps its old mode.
    await file.chmod(0o600);
    let at = 0;
    while (at < content.length) {
      at += (await file.write(content, at, content.length - at, at)).bytesWritten;
    }
    await file.truncate(content.length);
    await file.sync();
  } finally {
    await file.close();
  }
}
