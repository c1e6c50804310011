/**
 * Backup file: a backup of a volume as a file of the user, and its manifest beside it.
 *
 * The tar is written under another name and gets its own when it is whole. Its manifest comes last. So what is broken
 * or cut off never looks whole.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open, readFile, rm } from "node:fs/promises";
import { Writable } from "node:stream";
import { finished, pipeline } from "node:stream/promises";
import { GamError, hasCode, jsonOr, rethrowInvariant } from "@gam/core";
import { moveFile, replaceFile } from "@gam/files";
import { type BackupManifest, checkBackupManifest, manifestFile } from "@gam/state/answers";
import { fileReason } from "./input-file.ts";

/**
 * Writes what `receive` gets, and the manifest that it resolves to. When it rejects, there is no file of that name, or
 * the one that was there before.
 *
 * Errors: BAD_REQUEST where the file cannot be written; CORRUPT_FILE where something else is on the disk than was
 * sent; those of `receive`.
 */
export async function writeBackupFile(
  path: string,
  receive: (to: Writable) => Promise<BackupManifest>,
): Promise<BackupManifest> {
  const partial = `${path}.partial`;
  try {
    const handle = await open(partial, "w", 0o600);
    let manifest: BackupManifest;
    try {
      const to = writerOf(handle);
      manifest = await receive(to);
      to.end();
      await finished(to);
      await handle.sync();
    } finally {
      await handle.close();
    }
    if ((await sumOf(partial)) !== manifest.sha256) {
      throw new GamError("CORRUPT_FILE", `Cannot write ${path}: it reads back changed`);
    }
    await rm(manifestFile(path), { force: true });
    await moveFile(partial, path);
    await replaceFile(manifestFile(path), `${JSON.stringify(manifest, undefined, 2)}\n`);
    return manifest;
  } catch (thrown) {
    rethrowInvariant(thrown);
    await rm(partial, { force: true });
    if (thrown instanceof GamError || !isOfDisk(thrown)) throw thrown;
    throw new GamError("BAD_REQUEST", `Cannot write ${path}: ${fileReason(thrown)}`);
  }
}

/** Resolves to undefined where the file has no manifest. Errors: CORRUPT_FILE, BAD_REQUEST. */
export async function manifestBeside(path: string): Promise<BackupManifest | undefined> {
  const beside = manifestFile(path);
  try {
    return checkBackupManifest(jsonOr(await readFile(beside, "utf8"), undefined), "manifest");
  } catch (thrown) {
    rethrowInvariant(thrown);
    if (hasCode(thrown, "ENOENT")) return undefined;
    if (thrown instanceof GamError) {
      throw new GamError("CORRUPT_FILE", `Cannot read ${beside}: ${thrown.message}`);
    }
    throw new GamError("BAD_REQUEST", `Cannot read ${beside}: ${fileReason(thrown)}`);
  }
}

function writerOf(handle: FileHandle): Writable {
  const all = async (piece: Buffer): Promise<void> => {
    for (let at = 0; at < piece.length; ) at += (await handle.write(piece, at)).bytesWritten;
  };
  return new Writable({
    write: (piece: Buffer, _coding, done) => void all(piece).then(() => done(), done),
  });
}

async function sumOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}

function isOfDisk(thrown: unknown): boolean {
  return thrown instanceof Error && "syscall" in thrown;
}
