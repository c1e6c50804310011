/**
 * Disk: performs the journal's steps on real files, and encrypts them on the way.
 *
 * The key of each file follows from the host's key and the file's name, and each record is bound to its place. A
 * journal that an older release has written plain is encrypted before it is read.
 *
 * Any error ends the agent: after a failed fsync the contents of the disk are unknown, and a second try may
 * report success for pages that are lost. The containers keep running, and the next start reads the journal.
 */
import { type FileHandle, mkdir, open, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { rethrowInvariant } from "@gam/core";
import {
  type FileCipher,
  type HostCipher,
  moveFile,
  otherKeyRemedy,
  replaceFile,
} from "@gam/files";
import {
  type DiskStep,
  formOf,
  isJournalFile,
  type JournalFile,
  openRecords,
  type Recovered,
  recoverJournal,
  sealRecord,
  sealRecords,
} from "@gam/peer";
import { diskFailed } from "./disk-failed.ts";

/** Suffix of files that another life of the cluster has replaced. No start reads them. */
const aside = ".dropped";

export class Disk {
  readonly #folder: string;
  readonly #ciphers: Ciphers;
  #handle: FileHandle | undefined;
  #file = "";

  private constructor(folder: string, ciphers: Ciphers) {
    this.#folder = folder;
    this.#ciphers = ciphers;
  }

  /**
   * Reads the journal with recoverJournal().
   *
   * Errors: CORRUPT_FILE, with what to do; those of the file system.
   */
  static async open(
    folder: string,
    cipher: HostCipher,
    salvage = false,
  ): Promise<{ disk: Disk; recovered: Recovered }> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const ciphers = new Ciphers(cipher);
    // To salvage is to change nothing.
    if (!salvage) await sealPlainFiles(folder, ciphers);
    const newest = newestOf(await readdir(folder));
    if (newest === undefined) {
      return { disk: new Disk(folder, ciphers), recovered: recoverJournal([], salvage) };
    }
    const file = { name: newest, bytes: await readFile(join(folder, newest)) };
    const { plain, cutToBytes } = openFile(file, ciphers, salvage);
    const recovered = recoverJournal([plain], salvage);
    if (cutToBytes !== undefined && !salvage) await cut(join(folder, newest), cutToBytes);
    return { disk: new Disk(folder, ciphers), recovered };
  }

  /** Resolves when the step is durable. Errors: DISK_FAILED, with the file and what to do. */
  async perform(step: DiskStep): Promise<void> {
    try {
      await this.#perform(step);
    } catch (thrown) {
      rethrowInvariant(thrown);
      throw diskFailed(join(this.#folder, step.file), thrown);
    }
  }

  async #perform(step: DiskStep): Promise<void> {
    if (step.kind === "begin") return await this.#begin(step);
    if (this.#handle === undefined || this.#file !== step.file) {
      await this.#handle?.close();
      this.#handle = await open(join(this.#folder, step.file), "a");
      this.#file = step.file;
    }
    await writeAll(this.#handle, sealRecord(step.bytes, step.file, this.#ciphers.seal));
    await this.#handle.datasync();
  }

  async close(): Promise<void> {
    await this.#handle?.close();
    this.#handle = undefined;
  }

  async #begin({ file, bytes, setAside }: Extract<DiskStep, { kind: "begin" }>): Promise<void> {
    await this.#handle?.close();
    this.#handle = undefined;
    await replaceFile(join(this.#folder, file), sealRecord(bytes, file, this.#ciphers.seal));
    for (const name of await readdir(this.#folder)) {
      const path = join(this.#folder, name);
      if (name === file || (name.endsWith(aside) && !setAside)) continue;
      if (setAside && isJournalFile(name)) await moveFile(path, path + aside);
      // If a power loss restores this file, it is older than the new one, and the next start does not read it.
      else await rm(path, { force: true });
    }
  }
}

/** The ciphers of the journal's files. Keeps the last one, because every write uses it. */
class Ciphers {
  readonly #host: HostCipher;
  #file = "";
  #last: FileCipher | undefined;

  constructor(host: HostCipher) {
    this.#host = host;
  }

  readonly seal = (payload: Uint8Array, file: string, sequence: number): Uint8Array =>
    this.#of(file).seal(payload, String(sequence));

  readonly open = (sealed: Uint8Array, file: string, sequence: number): Uint8Array =>
    this.#of(file).open(sealed, String(sequence));

  #of(file: string): FileCipher {
    if (this.#last === undefined || this.#file !== file) {
      this.#last = this.#host.of(`journal ${file}`);
      this.#file = file;
    }
    return this.#last;
  }
}

/** A crash may leave the file of the generation before. Shape: the numbers in the names have equally many digits. */
function newestOf(names: readonly string[]): string | undefined {
  return names.filter(isJournalFile).sort().at(-1);
}

interface Opened {
  readonly plain: JournalFile;
  /** Absent: the file has no torn tail. */
  readonly cutToBytes?: number;
}

/** A plain file stays as it is: only salvaging meets one here. */
function openFile(file: JournalFile, ciphers: Ciphers, salvage: boolean): Opened {
  if (formOf(file.bytes) === "plain") return { plain: file };
  const options = { salvage, remedy: otherKeyRemedy };
  const { plain, endBytes } = openRecords(file, ciphers.open, options);
  return endBytes === file.bytes.length ? { plain } : { plain, cutToBytes: endBytes };
}

/**
 * Encrypts what an older release has written, each file at once.
 *
 * Errors: CORRUPT_FILE for a damaged journal, which stays as it was.
 */
async function sealPlainFiles(folder: string, ciphers: Ciphers): Promise<void> {
  const files = await readdir(folder);
  const newest = newestOf(files);
  for (const file of files) {
    const name = file.endsWith(aside) ? file.slice(0, -aside.length) : file;
    if (!isJournalFile(name)) continue;
    const path = join(folder, file);
    const bytes = await readFile(path);
    if (formOf(bytes) === "sealed") continue;
    // No start reads the others. People may salvage those that were set aside: keep what salvaging would.
    const sealed = sealRecords({ name, bytes }, ciphers.seal, file !== newest);
    if (sealed.length > 0) await replaceFile(path, sealed);
  }
}

async function cut(path: string, toBytes: number): Promise<void> {
  const handle = await open(path, "r+");
  await handle.truncate(toBytes);
  await handle.datasync();
  await handle.close();
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  let at = 0;
  while (at < bytes.length) {
    const { bytesWritten } = await handle.write(bytes, at, bytes.length - at);
    at += bytesWritten;
  }
}
