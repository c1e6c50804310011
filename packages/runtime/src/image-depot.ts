/**
 * Image depot: the images of this host's engine, as peers exchange them.
 *
 * Finds images, says which layers the engine has, brings layers from the engine into the cache, and loads an image
 * from the cache. Decides nothing about peers.
 *
 * Only for engines that keep images in their own store. With containerd's store an image has another id and its
 * layers other digests; such an engine neither gives nor takes images, and pulls from registries as before.
 */
import { check, GamError, messageOf, rethrowInvariant } from "@gam/core";
import { EngineClient, EngineRefusal, EngineUnreachable } from "@gam/engine";
import { pinnedDigest } from "@gam/state";
import { diskFreeBytes } from "./host-usage.ts";
import type { ForeignNames } from "./images/foreign-names.ts";
import { aDigest, layerList, layersIn, readImageTar, writeImageTar } from "./images/image-tar.ts";
import type { LayerCache } from "./images/layer-cache.ts";
import { jsonLines } from "./json-lines.ts";

/** What it takes to make an image: its config, once it is known, and its layers, lowest first. */
export interface Recipe {
  readonly layers: readonly string[];
  readonly config?: Uint8Array;
}

/** An image of this host's engine. */
export interface LocalImage {
  readonly id: string;
  /** Digests of its layers, lowest first. */
  readonly layers: readonly string[];
  /** As the engine counts them. */
  readonly bytes: number;
  readonly tags: readonly string[];
  /** `NAME@DIGEST`, as registries know the image. */
  readonly digests: readonly string[];
}

interface About {
  /** Where the engine keeps images. */
  readonly folder: string;
  readonly isOwnStore: boolean;
}

const askMs = 10_000;
/** An engine may be restarted with another store. */
const aboutMs = 60_000;
/** An engine writes the whole image to its disk before it sends the first byte, and before it answers a load. */
const wholeMs = 1_800_000;
const knownMax = 4096;
const recipesMax = 16;

const texts = check.optional(check.orNull(check.list(check.string(1 << 12), 1 << 16)));
const inspected = check.object({
  Id: aDigest,
  RepoTags: texts,
  RepoDigests: texts,
  Size: check.integer(),
  RootFS: check.object({ Layers: check.optional(check.orNull(layerList)) }),
});
const rowsShape = check.list(
  check.object({ Id: aDigest, RepoTags: texts, RepoDigests: texts, Size: check.integer() }),
  1 << 16,
);
const listed = check.list(check.object({ Id: check.string() }), 1 << 16);
const info = check.object({
  DockerRootDir: check.string(),
  DriverStatus: check.optional(check.orNull(check.list(check.list(check.string(1 << 16), 8), 256))),
});
const progress = check.object({ error: check.optional(check.string(1 << 20)) });

export class ImageDepot {
  readonly cache: LayerCache;
  readonly #client: EngineClient;
  readonly #names: ForeignNames;
  /** The layers of each image that the engine has, lowest first. An id never has others. */
  readonly #layersOf = new Map<string, readonly string[]>();
  /** By image id, of the images that were exchanged lately. */
  readonly #recipes = new Map<string, Recipe>();
  #known: About | undefined;

  constructor(socketPath: string, cache: LayerCache, names: ForeignNames) {
    this.#client = new EngineClient(socketPath);
    this.cache = cache;
    this.#names = names;
  }

  /**
   * Returns: the image of that name, digest or id; undefined if the engine has none.
   * Errors:  ENGINE_MISSING, ENGINE_FAILED.
   */
  async find(image: string): Promise<LocalImage | undefined> {
    const digest = pinnedDigest(image);
    const found = (await this.#inspect(image)) ?? (digest && (await this.#inspect(digest)));
    if (found) return found;
    const id = this.#names.idOf(image);
    const known = id && (await this.#inspect(id));
    return known ? { ...known, digests: [...known.digests, image] } : undefined;
  }

  /** Whether so many bytes fit on the disks of the cache and of the engine. Errors: as find(). */
  async roomFor(bytes: number): Promise<{ readonly fits: boolean; readonly freeBytes: number }> {
    const here = await this.cache.roomFor(bytes);
    const there = await diskFreeBytes((await this.#about()).folder);
    const freeBytes = Math.min(here.freeBytes, there);
    return { fits: here.fits && bytes <= there, freeBytes };
  }

  /** Whether this engine's images can be exchanged. Errors: as find(). */
  async canExchange(): Promise<boolean> {
    return (await this.#about()).isOwnStore;
  }

  /** An engine takes long to describe itself, and none of this changes while it runs. */
  async #about(): Promise<About> {
    if (this.#known === undefined) {
      const { DockerRootDir: folder, DriverStatus } = info(await this.#get("/info"), "info");
      const rows = (DriverStatus ?? []).map((row) => row.join(" "));
      const isOwnStore = !rows.some((row) => row.includes("io.containerd.snapshotter"));
      this.#known = { folder, isOwnStore };
      setTimeout(() => {
        this.#known = undefined;
      }, aboutMs).unref();
    }
    return this.#known;
  }

  /**
   * Returns: how many of these layers the engine has, from the lowest on. An engine keeps a layer together with all
   *          below it, so a layer above a missing one does not count.
   * Errors:  as find().
   */
  async held(layers: readonly string[]): Promise<number> {
    const rows = listed(await this.#get("/images/json?all=1"), "images");
    let longest = 0;
    for (const { Id } of rows.slice(0, knownMax)) {
      let own = this.#layersOf.get(Id);
      if (own === undefined) {
        own = (await this.#inspect(Id))?.layers ?? [];
        this.#layersOf.set(Id, own);
      }
      const differs = layers.findIndex((layer, at) => own[at] !== layer);
      longest = Math.max(longest, differs < 0 ? layers.length : differs);
    }
    const ids = new Set(rows.map(({ Id }) => Id));
    for (const id of this.#layersOf.keys()) if (!ids.has(id)) this.#layersOf.delete(id);
    return longest;
  }

  /** Returns: undefined for an image that was not exchanged lately. */
  recipe(id: string): Recipe | undefined {
    return this.#recipes.get(id);
  }

  note(id: string, recipe: Recipe): void {
    this.#recipes.delete(id);
    this.#recipes.set(id, recipe);
    const [oldest] = this.#recipes.keys();
    if (this.#recipes.size > recipesMax && oldest !== undefined) this.#recipes.delete(oldest);
  }

  /** Brings the wanted layers of an image into the cache, one after the other. Errors: as find(); DISK_FAILED. */
  async takeOut(id: string, wants: (digest: string) => boolean): Promise<void> {
    const onConfig = (config: Uint8Array): void =>
      this.note(id, { layers: layersIn(config, id), config });
    await told(`Cannot take image ${id} out of the engine`, async () => {
      const path = `/images/${id}/get`;
      const tar = await this.#client.stream({ method: "GET", path, limitMs: wholeMs });
      await readImageTar(tar, { id, cache: this.cache, wants, onConfig });
    });
  }

  /** Gives the engine an image whose layers are in the cache or in the engine. Errors: as find(). */
  async load(id: string, config: Uint8Array): Promise<void> {
    await told(`Cannot load image ${id} into the engine`, async () => {
      const tar = writeImageTar(config, layersIn(config, id), this.cache);
      const answer = await this.#client.stream({
        method: "POST",
        path: "/images/load?quiet=1",
        upload: tar,
        limitMs: wholeMs,
      });
      for await (const line of jsonLines(answer)) {
        const { error } = progress(line, "progress of the load");
        if (error !== undefined) throw new GamError("ENGINE_FAILED", error);
      }
    });
    if ((await this.#inspect(id)) === undefined) {
      throw new GamError(
        "ENGINE_FAILED",
        `Cannot load image ${id} into the engine: it has another id there`,
      );
    }
  }

  /** Returns: all images, without those that are only steps of a build. Errors: as find(). */
  async list(): Promise<readonly Omit<LocalImage, "layers">[]> {
    const rows = rowsShape(await this.#get("/images/json"), "images");
    return rows.map(({ Id: id, Size: bytes, RepoTags, RepoDigests }) => ({
      ...{ id, bytes },
      tags: named(RepoTags),
      digests: named(RepoDigests),
    }));
  }

  /** Deletes an image, or one of its names. Errors: as find(); ENGINE_FAILED while a container uses it. */
  async remove(image: string): Promise<void> {
    await told(`Cannot delete image ${image}`, () =>
      this.#client.call({ method: "DELETE", path: `/images/${image}`, limitMs: askMs }),
    );
  }

  async close(): Promise<void> {
    this.#client.close();
    await this.cache.close();
  }

  async #inspect(image: string): Promise<LocalImage | undefined> {
    try {
      const found = inspected(await this.#get(`/images/${image}/json`), "image");
      const { Id: id, Size: bytes, RepoTags, RepoDigests, RootFS } = found;
      return {
        id,
        bytes,
        layers: RootFS.Layers ?? [],
        tags: RepoTags ?? [],
        digests: RepoDigests ?? [],
      };
    } catch (thrown) {
      if (thrown instanceof GamError && thrown.code === "NOT_FOUND") return undefined;
      throw thrown;
    }
  }

  async #get(path: string): Promise<unknown> {
    return await told(`Cannot ask engine for ${path}`, () =>
      this.#client.call({ method: "GET", path, limitMs: askMs }),
    );
  }
}

/** An engine shows an image without a name by the name "<none>". */
function named(names: readonly string[] | null | undefined): readonly string[] {
  return (names ?? []).filter((name) => !name.includes("<none>"));
}

async function told<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    rethrowInvariant(thrown);
    if (thrown instanceof GamError) throw thrown;
    const code =
      thrown instanceof EngineUnreachable
        ? "ENGINE_MISSING"
        : thrown instanceof EngineRefusal && thrown.status === 404
          ? "NOT_FOUND"
          : "ENGINE_FAILED";
    throw new GamError(code, `${what}: ${messageOf(thrown)}`, { cause: thrown });
  }
}
