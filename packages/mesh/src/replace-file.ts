import { randomBytes } from "node:crypto";
import { constants, open, rename } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Puts `content` in the place of what is at `path`, whole or not at all, also across a power loss.
 *
 * Shape: mode 0600; its directory exists.
 */
export async function replaceFile(path: string, content: string | Uint8Array): Promise<void> {
  await writeDraft(path, Buffer.from(content));
  await rename(draftOf(path), path);
  await syncDirectory(dirname(path));
}

/**
 * Takes room on the disk for a later replaceFile() of that path, so that it cannot fail for want of it.
 *
 * Shape: its directory exists. Units: `bytes` is what the content will have at most.
 */
export async function reserveFile(path: string, bytes: number): Promise<void> {
  // Random, because some file systems keep no room for zeros.
  await writeDraft(path, randomBytes(bytes));
  await syncDirectory(dirname(path));
}

function draftOf(path: string): string {
  return `${path}.tmp`;
}

/** Over a draft that is there already: the room that it has is kept. */
async function writeDraft(path: string, content: Uint8Array): Promise<void> {
  const file = await open(draftOf(path), constants.O_RDWR | constants.O_CREAT, 0o600);
  try {
    // A draft that a crash left behind keeps the mode that it had.
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

/** Makes new names in a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
