/**
 * Memory folder: a folder that is never on a disk.
 *
 * Decides where it comes from: a tmpfs that is mounted there already (a container engine's volume, or an earlier
 * agent's), or one that it mounts. Does not decide what is in it (file-room.ts).
 */
import { lstat, mkdir, rmdir, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { hasCode } from "@gam/core";
import { CommandFailed, type Run, runCommand } from "../data-plane/kernel/command.ts";

/** What `statfs` says of a tmpfs. */
const tmpfsType = 0x01021994;
/** The kernel's default limits its size to half of the memory. */
const options = "mode=0700,nosuid,nodev,noexec";

export class MemoryFolder {
  readonly path: string;
  readonly #run: Run;
  #opening: Promise<void> | undefined;

  constructor(path: string, run: Run = runCommand) {
    this.path = path;
    this.#run = run;
  }

  /** Resolves when the folder is in memory. Errors: CommandFailed; those of the file system. */
  async open(): Promise<void> {
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    });
    await this.#opening;
  }

  /** Whether the folder is there, in memory. */
  async isOpen(): Promise<boolean> {
    try {
      const [own, above] = await Promise.all([lstat(this.path), lstat(dirname(this.path))]);
      // A folder in /run is in a tmpfs, too, but in one that others share.
      return own.dev !== above.dev && (await statfs(this.path)).type === tmpfsType;
    } catch (thrown) {
      if (!hasCode(thrown, "ENOENT")) throw thrown;
      return false;
    }
  }

  /** Unmounts and removes it. Errors: as open(). */
  async remove(): Promise<void> {
    if (!(await this.isOpen())) return;
    await this.#run("umount", [this.path]);
    await rmdir(this.path);
  }

  async #open(): Promise<void> {
    if (await this.isOpen()) return;
    await mkdir(this.path, { recursive: true, mode: 0o700 });
    try {
      await this.#mount(`${options},noswap`);
    } catch (thrown) {
      // Linux before 6.4 does not know "noswap".
      if (!(thrown instanceof CommandFailed) || thrown.missing) throw thrown;
      await this.#mount(options);
    }
  }

  async #mount(all: string): Promise<void> {
    await this.#run("mount", ["-t", "tmpfs", "-o", all, "gam-files", this.path]);
  }
}
