/**
 * Image tar: reads and writes the tars of `docker save` and `docker load`.
 *
 * Reads both forms: `ID/layer.tar` of older engines, and `blobs/sha256/…` of engines since 25. In both, the digests
 * of the layers' bytes are in the image's config (`rootfs.diff_ids`), and the digest of the config is the image's id.
 * Nothing else of the tar is used. Writes a config, layers and their order. An engine takes a tar that lacks the
 * layers which it has.
 */
import { createHash } from "node:crypto";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { check, GamError, jsonOr, messageOf, rethrowInvariant } from "@gam/core";
import { extract, pack } from "tar-stream";
import type { LayerCache } from "./layer-cache.ts";

/** A config has some kilobytes. */
export const configBytesMax = 4 * 1024 ** 2;
const layersMax = 512;
/** Larger layers are refused. */
export const layerBytesMax = 64 * 1024 ** 3;

/** Engines use no other kind of digest. */
export const aDigest = check.matching(/^sha256:[0-9a-f]{64}$/, "a sha256 digest", 80);
export const layerList = check.list(aDigest, layersMax);
const configShape = check.object({ rootfs: check.object({ diff_ids: layerList }) });

/** Returns: the layers that a config names, lowest first. Errors: BAD_FRAME for a config of another id. */
export function layersIn(config: Uint8Array, id: string): readonly string[] {
  const found = `sha256:${createHash("sha256").update(config).digest("hex")}`;
  if (found !== id) throw new GamError("BAD_FRAME", `Cannot take config of ${id}: it is ${found}`);
  const read = jsonOr(Buffer.from(config).toString("utf8"), undefined);
  return configShape(read, "config of an image").rootfs.diff_ids;
}

/**
 * Adds the wanted layers of a tar to the cache, and calls `onConfig` with the config once it is read.
 *
 * Errors: those of the tar's source and of LayerCache.add(); BAD_FRAME for a tar without the config.
 */
export async function readImageTar(
  tar: Readable,
  {
    id,
    cache,
    wants,
    onConfig,
  }: {
    readonly id: string;
    readonly cache: LayerCache;
    readonly wants: (digest: string) => boolean;
    readonly onConfig: (config: Uint8Array) => void;
  },
): Promise<void> {
  const parser = extract();
  tar.once("error", (error) => parser.destroy(error));
  tar.pipe(parser);
  let isConfigRead = false;
  try {
    for await (const entry of parser) {
      const { name, type, size = 0 } = entry.header;
      const digest = digestIn(name);
      if (type !== "file") entry.resume();
      else if (digest === id && size <= configBytesMax) {
        const config = await bytesOf(entry);
        layersIn(config, id);
        isConfigRead = true;
        onConfig(config);
      } else if (name.endsWith("/layer.tar")) {
        // The name says nothing of the digest, so it has to be read. A layer that nobody wants goes soon.
        await cache.add(entry, { bytesMax: layerBytesMax });
      } else if (digest !== undefined && wants(digest) && !cache.has(digest)) {
        await cache.add(entry, { digest, bytesMax: layerBytesMax });
      } else entry.resume();
    }
  } finally {
    tar.destroy();
  }
  if (!isConfigRead)
    throw new GamError("BAD_FRAME", `Cannot read image ${id}: its tar has no config`);
}

/** Returns: a tar for `docker load`. Layers that are not in the cache are left out. */
export function writeImageTar(
  config: Uint8Array,
  layers: readonly string[],
  cache: LayerCache,
): Readable {
  const tar = pack();
  const nameOf = (digest: string): string => `${digest.slice(digest.indexOf(":") + 1)}.tar`;
  const write = async (): Promise<void> => {
    tar.entry({ name: "config.json" }, Buffer.from(config));
    for (const digest of new Set(layers)) {
      const size = cache.bytesOf(digest);
      if (size === undefined) continue;
      const file = await cache.read(digest);
      const source = file.createReadStream();
      const sink = tar.entry({ name: nameOf(digest), size });
      source.once("error", (error) => sink.destroy(error));
      source.pipe(sink);
      await once(sink, "finish");
    }
    const manifest = [{ Config: "config.json", RepoTags: null, Layers: layers.map(nameOf) }];
    tar.entry({ name: "manifest.json" }, JSON.stringify(manifest));
    tar.finalize();
  };
  write().catch((thrown: unknown) => {
    rethrowInvariant(thrown);
    tar.destroy(new Error(messageOf(thrown)));
  });
  return tar;
}

/** Returns: the digest that a file of the tar has by its name. */
function digestIn(name: string): string | undefined {
  const [, hex] =
    /^(?:blobs\/sha256\/([0-9a-f]{64})|([0-9a-f]{64})\.json)$/.exec(name)?.filter(Boolean) ?? [];
  return hex === undefined ? undefined : `sha256:${hex}`;
}

async function bytesOf(source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of source) pieces.push(piece);
  return Buffer.concat(pieces);
}
