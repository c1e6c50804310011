/**
 * File room: the files of tasks (secrets and configs) on this host, in memory only.
 *
 *   ROOM/TASK/0, ROOM/TASK/1 …    one file for each TaskFile, in the task's order
 *
 * Decides nothing: the worker says which tasks have files, and the agent gets their data. A file is written anew
 * before its container starts, so a file that a crash left half written is never read. A file that is mounted in
 * a container is there until the container ends, also when it was deleted here.
 */
import { constants } from "node:fs";
import { mkdir, open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import {
  assert,
  GamError,
  hasCode,
  messageOf,
  rethrowInvariant,
  type TaskId,
  unreachable,
} from "@gam/core";
import type { ActionOutcome, EngineAction, TaskFile } from "@gam/worker";
import type { MemoryFolder } from "./memory-folder.ts";

/** Where secret data comes from. Errors: UNREACHABLE while no manager answers; any other GamError is final. */
export interface ContentSource {
  /** The data of each file, templates expanded. The caller may overwrite it. */
  files(task: TaskId, files: readonly TaskFile[]): Promise<readonly Uint8Array[]>;
  /** The `X-Registry-Auth` with which the task's image is pulled. */
  credentials(task: TaskId): Promise<string>;
}

/** Where secret data comes from, and the folder in which it is kept (memory-folder.ts). */
export interface EngineContents {
  readonly source: ContentSource;
  readonly folder: string;
}

/** A mount of the Engine API. */
export interface FileMount {
  readonly Type: "bind";
  readonly Source: string;
  readonly Target: string;
  readonly ReadOnly: true;
}

type FileAction = Extract<EngineAction, { kind: "placeFiles" | "dropFiles" | "sweepFiles" }>;

export class FileRoom {
  readonly #folder: MemoryFolder;
  readonly #source: ContentSource;

  constructor(folder: MemoryFolder, source: ContentSource) {
    this.#folder = folder;
    this.#source = source;
  }

  /** Never rejects because of what a manager or the file system does. */
  async perform(action: FileAction): Promise<ActionOutcome> {
    try {
      await this.#do(action);
      return { ok: true };
    } catch (thrown) {
      rethrowInvariant(thrown);
      return withoutContents(thrown);
    }
  }

  /** Shape: in the order of `files`. */
  mountsOf(task: TaskId, files: readonly TaskFile[]): FileMount[] {
    return files.map(({ target }, index) => ({
      Type: "bind",
      Source: join(this.#folderOf(task), String(index)),
      Target: target,
      ReadOnly: true,
    }));
  }

  async #do(action: FileAction): Promise<void> {
    switch (action.kind) {
      case "placeFiles":
        return await this.#place(action.task, action.files);
      case "dropFiles":
        if (await this.#folder.isOpen()) await removeAll(this.#folderOf(action.task));
        return;
      case "sweepFiles":
        return await this.#sweep(new Set<string>(action.keep));
      default:
        unreachable(action);
    }
  }

  async #place(task: TaskId, files: readonly TaskFile[]): Promise<void> {
    await this.#folder.open();
    const contents = await this.#source.files(task, files);
    assert(contents.length === files.length, "each file has its data");
    const folder = this.#folderOf(task);
    await removeAll(folder);
    try {
      await mkdir(folder, { mode: 0o700 });
      for (const [index, file] of files.entries()) {
        const data = contents[index] ?? new Uint8Array();
        await write(join(folder, String(index)), file, data).catch((thrown: unknown) => {
          if (!hasCode(thrown, "ENOSPC")) throw thrown;
          throw this.#full(file);
        });
      }
    } catch (thrown) {
      // Other tasks need the room now.
      await removeAll(folder);
      throw thrown;
    } finally {
      for (const data of contents) data.fill(0);
    }
  }

  #full({ kind, name }: TaskFile): GamError {
    return new GamError(
      "DISK_FAILED",
      `Cannot write ${kind} "${name}": the file system in memory at "${this.#folder.path}" is full. Mount a larger tmpfs there, or run fewer tasks with large secrets and configs on this node`,
    );
  }

  async #sweep(kept: ReadonlySet<string>): Promise<void> {
    if (!(await this.#folder.isOpen())) return;
    for (const name of await readdir(this.#folder.path)) {
      if (!kept.has(name)) await removeAll(join(this.#folder.path, name));
    }
  }

  #folderOf(task: TaskId): string {
    return join(this.#folder.path, task);
  }
}

/** The outcome of an action that did not get its data, or could not write it. */
export function withoutContents(thrown: unknown): ActionOutcome {
  const isUnanswered = thrown instanceof GamError && thrown.code === "UNREACHABLE";
  const failure = isUnanswered ? "contents" : "refused";
  return { ok: false, failure, message: messageOf(thrown) };
}

async function removeAll(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
}

async function write(path: string, file: TaskFile, data: Uint8Array): Promise<void> {
  const { O_CREAT, O_EXCL, O_WRONLY } = constants;
  const handle = await open(path, O_CREAT | O_EXCL | O_WRONLY, 0o600);
  try {
    await handle.writeFile(data);
    await handle.chown(file.uid, file.gid);
    await handle.chmod(file.mode);
  } finally {
    await handle.close();
  }
}
