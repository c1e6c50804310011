/**
 * Frail disk: a file system in memory that fails at a given step, and lists what a power loss may leave.
 *
 * A file's content lasts once the file is synced, a name once its directory is. Each piece that is not
 * synced may have reached the disk or not, as on a real one.
 */
import { constants } from "node:fs";
import { dirname } from "node:path";
import type { FileSystem, OpenFile } from "../replace-file.ts";

interface Inode {
  /** What programs read. */
  bytes: Uint8Array;
  /** What was synced. */
  lasting: Uint8Array;
}

type Names = ReadonlyMap<string, Inode>;

export interface FrailDiskOptions {
  /** The step that fails, counted from 0. Absent: no step fails. */
  readonly failAt?: number;
  /** Planted faults: a sync of these reports success and does nothing. */
  readonly forgets?: "files" | "directories";
}

export class FrailDisk implements FileSystem {
  readonly #options: FrailDiskOptions;
  #names: Map<string, Inode>;
  #lasting: Names;
  readonly #directories: ReadonlySet<string>;
  /** Number of steps so far, including the failed one. */
  steps = 0;
  /** Number of files opened and not closed. */
  openFiles = 0;

  /** The only directories are those of the initial files. */
  constructor(files: Readonly<Record<string, string>>, options: FrailDiskOptions = {}) {
    this.#options = options;
    const inodes = Object.entries(files).map(([path, text]): [string, Inode] => {
      const bytes = Buffer.from(text);
      return [path, { bytes, lasting: bytes }];
    });
    this.#names = new Map(inodes);
    this.#lasting = new Map(inodes);
    this.#directories = new Set(Object.keys(files).map((path) => dirname(path)));
  }

  /** What a program reads at that path. */
  read(path: string): string | undefined {
    return textOf(this.#names.get(path)?.bytes);
  }

  /** What may be at that path after a power loss now. */
  afterPowerLoss(path: string): Set<string | undefined> {
    const found = new Set<string | undefined>();
    for (const names of [this.#names, this.#lasting]) {
      const inode = names.get(path);
      found.add(textOf(inode?.bytes));
      found.add(textOf(inode?.lasting));
      // A part of the write has reached the disk.
      const { bytes, lasting } = inode ?? {};
      if (bytes !== lasting) found.add(textOf(bytes?.subarray(0, bytes.length / 2)));
    }
    return found;
  }

  async open(path: string, flags: number): Promise<OpenFile> {
    this.#step();
    const inode = this.#names.get(path);
    const isDirectory = this.#directories.has(path);
    if (inode === undefined && !isDirectory && (flags & constants.O_CREAT) === 0) {
      throw Object.assign(new Error(`ENOENT: "${path}"`), { code: "ENOENT" });
    }
    this.openFiles += 1;
    if (isDirectory) return this.#directory();
    const file = inode ?? { bytes: Buffer.alloc(0), lasting: Buffer.alloc(0) };
    this.#names.set(path, file);
    return this.#file(file);
  }

  async rename(from: string, to: string): Promise<void> {
    this.#step();
    const inode = this.#names.get(from);
    if (inode === undefined)
      throw Object.assign(new Error(`ENOENT: "${from}"`), { code: "ENOENT" });
    this.#names.delete(from);
    this.#names.set(to, inode);
  }

  async rm(path: string): Promise<void> {
    this.#step();
    this.#names.delete(path);
  }

  #step(): void {
    const step = this.steps;
    this.steps += 1;
    if (step === this.#options.failAt) {
      throw Object.assign(new Error("EIO: the disk failed"), { code: "EIO" });
    }
  }

  #file(inode: Inode): OpenFile {
    return {
      chmod: async () => this.#step(),
      // Writes half of it, as a nearly full disk may.
      write: async (bytes, offset, length, position) => {
        this.#step();
        const taken = bytes.slice(offset, offset + Math.ceil(length / 2));
        const written = Buffer.alloc(Math.max(inode.bytes.length, position + taken.length));
        written.set(inode.bytes);
        written.set(taken, position);
        inode.bytes = written;
        return { bytesWritten: taken.length };
      },
      truncate: async (bytes) => {
        this.#step();
        inode.bytes = inode.bytes.slice(0, bytes);
      },
      sync: async () => {
        this.#step();
        if (this.#options.forgets !== "files") inode.lasting = inode.bytes;
      },
      close: async () => this.#close(),
    };
  }

  #directory(): OpenFile {
    const never = async (): Promise<never> => {
      throw new Error("EISDIR: it is a directory");
    };
    return {
      chmod: never,
      write: never,
      truncate: never,
      sync: async () => {
        this.#step();
        if (this.#options.forgets !== "directories") this.#lasting = new Map(this.#names);
      },
      close: async () => this.#close(),
    };
  }

  #close(): void {
    this.openFiles -= 1;
    this.#step();
  }
}

function textOf(bytes: Uint8Array | undefined): string | undefined {
  return bytes && Buffer.from(bytes).toString();
}
