/**
 * Restore folder: data that replaces that of a volume, in folders beside it on the same disk.
 *
 *   gam-restore-ID.partial   is being written
 *   gam-restore-ID.whole     verified and on the disk
 *   gam-restore-ID.old       what the volume had
 *
 * Two renames put the new data in place. The names say how far an agent came that was killed between them, so that the
 * volume has its old data or the new, and swap() can go on at any point.
 */
import { chmod, chown, mkdir, readdir, rm, rmdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { GamError, hasCode } from "@gam/core";
import { moveFile } from "@gam/files";
import { flushFolder } from "./folder-tar.ts";

const prefix = "gam-restore-";
const idForm = /^gam-restore-([a-z0-9]+)\.(?:partial|whole|old)$/;

export class RestoreFolder {
  readonly partial: string;
  readonly #folder: string;
  readonly #whole: string;
  readonly #old: string;

  /** `folder`: the volume's own. */
  constructor(folder: string, id: string) {
    this.#folder = folder;
    const path = join(dirname(folder), `${prefix}${id}`);
    this.partial = `${path}.partial`;
    this.#whole = `${path}.whole`;
    this.#old = `${path}.old`;
  }

  /** Makes an empty folder to write to, with the owner and the mode of the volume's: a tar may not have these. */
  async begin(): Promise<void> {
    await rm(this.partial, { recursive: true, force: true });
    await mkdir(this.partial);
    const { uid, gid, mode } = await stat(this.#folder);
    await chown(this.partial, uid, gid);
    await chmod(this.partial, mode & 0o7777);
  }

  /** All data is written and verified. Resolves when it is on the disk. */
  async finish(): Promise<void> {
    await flushFolder(this.partial);
    await moveFile(this.partial, this.#whole);
  }

  /**
   * Puts the new data in the volume's place; does nothing where that is done. No container may use the volume.
   *
   * Errors: NOT_FOUND where the new data is gone: the volume has its old one.
   */
  async swap(): Promise<void> {
    const [present, whole, old] = await Promise.all(
      [this.#folder, this.#whole, this.#old].map(isFolder),
    );
    if (!whole) {
      if (old && present) return;
      if (old) await moveFile(this.#old, this.#folder);
      throw new GamError("NOT_FOUND", "Cannot restore: the new data is gone from the disk");
    }
    if (present && old) {
      // Someone has made a folder in between. If it has files, they are not gam's to delete.
      await rmdir(this.#folder);
    } else if (present) await moveFile(this.#folder, this.#old);
    await moveFile(this.#whole, this.#folder);
  }

  /**
   * Removes the new data. It loses its name at once, so swap() never finds a part of it; what swap() did before stays.
   *
   * For a restore that the state may get all the same, after a write whose outcome is not known.
   */
  async discard(): Promise<void> {
    await rm(this.partial, { recursive: true, force: true });
    try {
      await moveFile(this.#whole, this.partial);
    } catch (thrown) {
      if (!hasCode(thrown, "ENOENT")) throw thrown;
    }
    await rm(this.partial, { recursive: true, force: true });
  }

  /** Removes everything but the volume's own folder. */
  async clean(): Promise<void> {
    for (const folder of [this.partial, this.#whole, this.#old]) {
      await rm(folder, { recursive: true, force: true });
    }
  }
}

/** Returns: the ids of restores that have left something beside the volume's folder. */
export async function restoresBeside(folder: string): Promise<readonly string[]> {
  const names = await readdir(dirname(folder)).catch((thrown: unknown) => {
    if (hasCode(thrown, "ENOENT")) return [];
    throw thrown;
  });
  const ids = names
    .filter((name) => name !== basename(folder))
    .map((name) => idForm.exec(name)?.[1]);
  return [...new Set(ids.filter((id) => id !== undefined))];
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (thrown) {
    if (hasCode(thrown, "ENOENT")) return false;
    throw thrown;
  }
}
