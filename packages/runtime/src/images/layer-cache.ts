/**
 * Layer cache: layers of images on this host's disk, as files that peers can be given, named by their digests.
 *
 * A layer is added only if its bytes have the digest. Layers that nobody uses are deleted: at once when they are more
 * than the limit, otherwise after some minutes. Nothing survives a restart: engines keep images, and this is only
 * what lies between two engines.
 */
import { createHash } from "node:crypto";
import { type FileHandle, mkdir, open, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { GamError, messageOf, rethrowInvariant } from "@gam/core";

export interface LayerCacheLimits {
  /** A layer that was not used for this long is deleted. */
  readonly idleMs: number;
  /** Idle layers together have at most so many bytes. */
  readonly idleBytesMax: number;
  /** Bytes that stay free on the disk. */
  readonly reserveBytes: number;
}

export const layerCacheLimits: LayerCacheLimits = {
  idleMs: 600_000,
  idleBytesMax: 4 * 1024 ** 3,
  reserveBytes: 256 * 1024 ** 2,
};

/** How long a layer that was just used is safe from the limit of bytes. */
const warmMs = 60_000;
/** How often the free space is looked at while a layer arrives. */
const lookEveryBytes = 32 * 1024 ** 2;

interface Entry {
  readonly path: string;
  readonly bytes: number;
  usedMs: number;
}

export interface AddedLayer {
  readonly digest: string;
  readonly bytes: number;
}

export class LayerCache {
  readonly #folder: string;
  readonly #limits: LayerCacheLimits;
  readonly #entries = new Map<string, Entry>();
  #opened: Promise<void> | undefined;
  #parts = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(folder: string, limits: LayerCacheLimits = layerCacheLimits) {
    this.#folder = folder;
    this.#limits = limits;
  }

  has(digest: string): boolean {
    return this.#entries.has(digest);
  }

  /** Returns: undefined for a layer that is not here. */
  bytesOf(digest: string): number | undefined {
    return this.#entries.get(digest)?.bytes;
  }

  get bytes(): number {
    return [...this.#entries.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** What prune() would delete now. */
  get bytesToPrune(): number {
    const due = [...this.#entries.values()].filter(isCold);
    return due.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Keeps these layers for some minutes more. */
  use(digests: Iterable<string>): void {
    for (const digest of digests) {
      const entry = this.#entries.get(digest);
      if (entry !== undefined) entry.usedMs = performance.now();
    }
  }

  /**
   * Reads a layer from `source` to its end. `digest`: what it must be; without one, any layer is taken.
   *
   * Errors: BAD_FRAME for bytes of another digest, or more than `bytesMax`; DISK_FAILED, also when the disk is
   *         nearly full; those of the source.
   */
  async add(
    source: AsyncIterable<Uint8Array>,
    { digest, bytesMax }: { readonly digest?: string; readonly bytesMax: number },
  ): Promise<AddedLayer> {
    await this.#open();
    this.#parts += 1;
    const path = join(this.#folder, String(this.#parts));
    try {
      const found = await this.#write(path, source, bytesMax);
      if (digest !== undefined && found.digest !== digest) {
        throw new GamError(
          "BAD_FRAME",
          `Cannot take layer ${digest}: its bytes are ${found.digest}`,
        );
      }
      const before = this.#entries.get(found.digest);
      this.#entries.set(found.digest, { path, bytes: found.bytes, usedMs: performance.now() });
      if (before !== undefined) await rm(before.path, { force: true });
      this.#sweepLater();
      return found;
    } catch (thrown) {
      await rm(path, { force: true });
      throw thrown;
    }
  }

  /** Opens a layer. It can be read to its end even if it is deleted meanwhile. Errors: NOT_FOUND; DISK_FAILED. */
  async read(digest: string): Promise<FileHandle> {
    const entry = this.#entries.get(digest);
    if (entry === undefined)
      throw new GamError("NOT_FOUND", `Cannot read layer ${digest}: not here`);
    this.use([digest]);
    try {
      return await open(entry.path);
    } catch (thrown) {
      rethrowInvariant(thrown);
      this.#entries.delete(digest);
      throw diskFailed("Cannot read layer", thrown);
    }
  }

  /** Deletes all layers that were not used just now. Returns: their bytes. */
  async prune(): Promise<number> {
    return await this.#delete(isCold);
  }

  /** Whether so many bytes fit on the disk, with some to spare. */
  async roomFor(bytes: number): Promise<{ readonly fits: boolean; readonly freeBytes: number }> {
    await this.#open();
    const { bavail, bsize } = await statfs(this.#folder);
    const freeBytes = bavail * bsize;
    return { fits: bytes + this.#limits.reserveBytes <= freeBytes, freeBytes };
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#entries.clear();
    if (this.#opened !== undefined) await rm(this.#folder, { recursive: true, force: true });
  }

  async #write(
    path: string,
    source: AsyncIterable<Uint8Array>,
    bytesMax: number,
  ): Promise<AddedLayer> {
    const hash = createHash("sha256");
    const file = await open(path, "wx").catch((thrown: unknown) => {
      rethrowInvariant(thrown);
      throw diskFailed("Cannot keep layer", thrown);
    });
    let bytes = 0;
    let lookAt = 0;
    try {
      for await (const piece of source) {
        if (bytes >= lookAt) {
          const { fits } = await this.roomFor(lookEveryBytes);
          if (!fits)
            throw new GamError("DISK_FAILED", "Cannot keep layer: the disk is nearly full");
          lookAt = bytes + lookEveryBytes;
        }
        bytes += piece.length;
        if (bytes > bytesMax) {
          throw new GamError("BAD_FRAME", `Cannot take layer: it has over ${bytesMax} bytes`);
        }
        hash.update(piece);
        await file.write(piece).catch((thrown: unknown) => {
          rethrowInvariant(thrown);
          throw diskFailed("Cannot keep layer", thrown);
        });
      }
    } finally {
      await file.close();
    }
    return { digest: `sha256:${hash.digest("hex")}`, bytes };
  }

  /** Deletes what an earlier agent left. */
  async #open(): Promise<void> {
    this.#opened ??= (async () => {
      await rm(this.#folder, { recursive: true, force: true });
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    })().catch((thrown: unknown) => {
      rethrowInvariant(thrown);
      this.#opened = undefined;
      throw diskFailed("Cannot make the folder of layers", thrown);
    });
    await this.#opened;
  }

  /** An empty cache needs no timer. */
  #sweepLater(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#sweep().then(() => {
        if (this.#entries.size > 0) this.#sweepLater();
      });
    }, warmMs);
    this.#timer.unref();
  }

  async #sweep(): Promise<void> {
    const { idleMs, idleBytesMax } = this.#limits;
    await this.#delete(({ usedMs }) => performance.now() - usedMs > idleMs);
    let over = this.bytes - idleBytesMax;
    const oldest = [...this.#entries].sort(([, a], [, b]) => a.usedMs - b.usedMs);
    for (const [digest, { bytes, usedMs }] of oldest) {
      if (over <= 0 || performance.now() - usedMs <= warmMs) return;
      await this.#delete((entry) => entry === this.#entries.get(digest));
      over -= bytes;
    }
  }

  async #delete(isDue: (entry: Entry) => boolean): Promise<number> {
    let freed = 0;
    for (const [digest, entry] of this.#entries) {
      if (!isDue(entry)) continue;
      this.#entries.delete(digest);
      await rm(entry.path, { force: true }).catch(rethrowInvariant);
      freed += entry.bytes;
    }
    return freed;
  }
}

/** Whether the layer was not used just now. */
function isCold({ usedMs }: Entry): boolean {
  return performance.now() - usedMs > warmMs;
}

function diskFailed(what: string, thrown: unknown): GamError {
  if (thrown instanceof GamError) return thrown;
  return new GamError("DISK_FAILED", `${what}: ${messageOf(thrown)}`, { cause: thrown });
}
