/**
 * Disk: performs the journal's steps on real files, and nothing else.
 *
 * Any error ends the agent: after a failed fsync the contents of the disk are unknown, and a second try may
 * report success for pages that are lost. The containers keep running, and the next start reads the journal.
 */
import { type FileHandle, mkdir, open, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { moveFile, replaceFile } from "@gam/files";
import { type DiskStep, isJournalFile, type Recovered, recoverJournal } from "@gam/peer";

/** Suffix of files that another life of the cluster has replaced. No start reads them. */
const aside = ".dropped";

export class Disk {
  readonly #folder: string;
  #handle: FileHandle | undefined;
  #file = "";

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Reads the journal with recoverJournal(). Errors: CORRUPT_FILE, with what to do; those of the file system. */
  static async open(
    folder: string,
    salvage = false,
  ): Promise<{ disk: Disk; recovered: Recovered }> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const names = (await readdir(folder)).filter(isJournalFile);
    const files = await Promise.all(
      names.map(async (name) => ({ name, bytes: await readFile(join(folder, name)) })),
    );
    const recovered = recoverJournal(files, salvage);
    if (recovered.cut !== undefined) {
      const handle = await open(join(folder, recovered.cut.file), "r+");
      await handle.truncate(recovered.cut.toBytes);
      await handle.datasync();
      await handle.close();
    }
    return { disk: new Disk(folder), recovered };
  }

  /** Resolves when the step is durable. */
  async perform(step: DiskStep): Promise<void> {
    if (step.kind === "begin") return await this.#begin(step);
    if (this.#handle === undefined || this.#file !== step.file) {
      await this.#handle?.close();
      this.#handle = await open(join(this.#folder, step.file), "a");
      this.#file = step.file;
    }
    await writeAll(this.#handle, step.bytes);
    await this.#handle.datasync();
  }

  async close(): Promise<void> {
    await this.#handle?.close();
    this.#handle = undefined;
  }

  async #begin({ file, bytes, setAside }: Extract<DiskStep, { kind: "begin" }>): Promise<void> {
    await this.#handle?.close();
    this.#handle = undefined;
    await replaceFile(join(this.#folder, file), bytes);
    for (const name of await readdir(this.#folder)) {
      const path = join(this.#folder, name);
      if (name === file || (name.endsWith(aside) && !setAside)) continue;
      if (setAside && isJournalFile(name)) await moveFile(path, path + aside);
      // If a power loss restores this file, it is older than the new one, and the next start does not read it.
      else await rm(path, { force: true });
    }
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  let at = 0;
  while (at < bytes.length) {
    const { bytesWritten } = await handle.write(bytes, at, bytes.length - at);
    at += bytesWritten;
  }
}
