/** Sent counter: the bytes that pass, and their SHA-256. */
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import type { StoredTar } from "@gam/runtime";

/** GNU tar ends an archive with two blocks of zeros. */
const tarEndBytes = 1024;

export class SentCounter {
  readonly #hash = createHash("sha256");
  #bytes = 0;
  #end = Buffer.alloc(0);

  through(from: Readable): Readable {
    return Readable.from(this.#count(from), { objectMode: false, highWaterMark: 1 << 18 });
  }

  /** Returns: what has passed. Called once, at the end. */
  found(): StoredTar {
    return { bytes: this.#bytes, sha256: this.#hash.digest("hex") };
  }

  /** Whether what has passed has the end of a tar: a tar can be cut off between two files and still be readable. */
  get hasTarEnd(): boolean {
    return this.#end.length === tarEndBytes && this.#end.every((byte) => byte === 0);
  }

  async *#count(from: Readable): AsyncGenerator<Buffer, void> {
    for await (const piece of from as AsyncIterable<Buffer>) {
      this.#hash.update(piece);
      this.#bytes += piece.length;
      this.#end = Buffer.concat([this.#end, piece.subarray(-tarEndBytes)]).subarray(-tarEndBytes);
      yield piece;
    }
  }
}
