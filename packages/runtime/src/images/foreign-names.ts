/**
 * Foreign names: names of images in specs that this host's engine does not know, and the ids behind them.
 *
 * An image that came from another host has no registry's digest in this engine. Only a manager that has the digest
 * could say again which id it stands for, and it may be lost. So the names are kept in a file over a restart. A file
 * that cannot be read or written costs only that, so it is no error.
 */
import { check, jsonOr, rethrowInvariant } from "@gam/core";
import { readIfThere, replaceFile } from "@gam/files";
import { aDigest } from "./image-tar.ts";

const namesMax = 1024;
const content = check.map(aDigest, namesMax, check.string(1024));

export class ForeignNames {
  readonly #ids = new Map<string, string>();
  /** Undefined: only in memory. */
  readonly #path: string | undefined;
  #writing: Promise<void> = Promise.resolve();

  private constructor(path: string | undefined) {
    this.#path = path;
  }

  static async open(path: string): Promise<ForeignNames> {
    const names = new ForeignNames(path);
    try {
      const text = (await readIfThere(path))?.toString("utf8") ?? "{}";
      for (const [name, id] of Object.entries(content(jsonOr(text, {}), "names of images"))) {
        names.#ids.set(name, id);
      }
    } catch (thrown) {
      rethrowInvariant(thrown);
    }
    return names;
  }

  static inMemory(): ForeignNames {
    return new ForeignNames(undefined);
  }

  idOf(name: string): string | undefined {
    return this.#ids.get(name);
  }

  /** Returns: the names of each id. */
  byId(): ReadonlyMap<string, readonly string[]> {
    const names = new Map<string, string[]>();
    for (const [name, id] of this.#ids) names.set(id, [...(names.get(id) ?? []), name]);
    return names;
  }

  note(name: string, id: string): void {
    if (this.#ids.get(name) === id) return;
    this.#ids.set(name, id);
    const [oldest] = this.#ids.keys();
    if (this.#ids.size > namesMax && oldest !== undefined) this.#ids.delete(oldest);
    this.#write();
  }

  forget(name: string): void {
    if (this.#ids.delete(name)) this.#write();
  }

  /** Resolves when the file is written. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  #write(): void {
    const path = this.#path;
    if (path === undefined) return;
    this.#writing = this.#writing.then(async () => {
      try {
        await replaceFile(path, JSON.stringify(Object.fromEntries(this.#ids)));
      } catch (thrown) {
        rethrowInvariant(thrown);
      }
    });
  }
}
