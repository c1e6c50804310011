import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { type TestContext, test } from "node:test";
import { type Pack, pack } from "tar-stream";
import { layersIn, readImageTar, writeImageTar } from "./image-tar.ts";
import { LayerCache, layerCacheLimits } from "./layer-cache.ts";

const hexOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const digestOf = (bytes: Uint8Array): string => `sha256:${hexOf(bytes)}`;

const layers = ["base", "two", "three"].map((text) => Buffer.from(text));
const digests = layers.map(digestOf);
const config = Buffer.from(JSON.stringify({ os: "linux", rootfs: { diff_ids: digests } }));
const id = digestOf(config);

function aCache(t: TestContext, limits = layerCacheLimits): LayerCache {
  const folder = mkdtempSync(join(tmpdir(), "gam-layers-"));
  const cache = new LayerCache(join(folder, "layers"), limits);
  t.after(async () => {
    await cache.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return cache;
}

/** As engines before 25 write it: a layer twice is a link. */
function oldTar(): Pack {
  const tar = pack();
  for (const [at, layer] of layers.entries()) {
    tar.entry({ name: `${at}/`, type: "directory" });
    tar.entry({ name: `${at}/VERSION` }, "1.0");
    tar.entry({ name: `${at}/layer.tar` }, layer);
  }
  tar.entry({ name: "9/layer.tar", type: "symlink", linkname: "../1/layer.tar" });
  tar.entry({ name: `${hexOf(config)}.json` }, config);
  tar.entry({ name: "manifest.json" }, "[]");
  tar.finalize();
  return tar;
}

/** As engines since 25 write it. */
function newTar(): Pack {
  const tar = pack();
  for (const bytes of [...layers, config])
    tar.entry({ name: `blobs/sha256/${hexOf(bytes)}` }, bytes);
  tar.entry({ name: "index.json" }, "{}");
  tar.finalize();
  return tar;
}

test("both forms of a saved image give its config and its layers", async (t) => {
  for (const tar of [oldTar(), newTar()]) {
    const cache = aCache(t);
    const read: Uint8Array[] = [];
    await readImageTar(tar, { id, cache, wants: () => true, onConfig: (one) => read.push(one) });
    assert.deepEqual(read.map(String), [String(config)]);
    assert.deepEqual(
      digests.map((digest) => cache.bytesOf(digest)),
      [4, 3, 5],
    );
  }
});

test("what is written can be read again, and lacks what the cache lacks", async (t) => {
  const [cache, copy] = [aCache(t), aCache(t)];
  for (const layer of layers.slice(1)) await cache.add(Readable.from([layer]), { bytesMax: 9 });
  const names: string[] = [];
  const { extract } = await import("tar-stream");
  const parser = extract();
  writeImageTar(config, digests, cache).pipe(parser);
  for await (const entry of parser) {
    names.push(entry.header.name);
    if (entry.header.name === "manifest.json") {
      const pieces: Buffer[] = [];
      for await (const piece of entry) pieces.push(piece as Buffer);
      const [manifest] = JSON.parse(Buffer.concat(pieces).toString());
      assert.deepEqual(manifest, {
        Config: "config.json",
        RepoTags: null,
        Layers: digests.map((digest) => `${digest.slice(7)}.tar`),
      });
    } else if (entry.header.name.endsWith(".tar")) {
      await copy.add(entry, { bytesMax: 9 });
    } else entry.resume();
  }
  assert.deepEqual(names, [
    "config.json",
    ...digests.slice(1).map((one) => `${one.slice(7)}.tar`),
    "manifest.json",
  ]);
  assert.deepEqual(
    digests.map((digest) => copy.has(digest)),
    [false, true, true],
  );
});

test("a tar that breaks off, or has another config, is refused", async (t) => {
  const cache = aCache(t);
  const wants = (): boolean => true;
  const read = (tar: Readable, id: string): Promise<void> =>
    readImageTar(tar, { id, cache, wants, onConfig: () => undefined });
  await assert.rejects(read(newTar(), digests[0] ?? ""), { code: "BAD_FRAME" });
  const other = digestOf(Buffer.from("other"));
  await assert.rejects(read(newTar(), other), {
    message: `Cannot read image ${other}: its tar has no config`,
  });
  const broken = Readable.from(
    (async function* () {
      yield Buffer.alloc(100);
      throw new Error("cut off");
    })(),
  );
  await assert.rejects(read(broken, id), { message: "cut off" });
  assert.throws(() => layersIn(Buffer.from("{}"), digestOf(Buffer.from("{}"))), {
    code: "BAD_FRAME",
  });
});

test("a layer is added only if its bytes have its digest and its length", async (t) => {
  const cache = aCache(t);
  const digest = digests[0] ?? "";
  const add = (text: string, bytesMax = 9): Promise<unknown> =>
    cache.add(Readable.from([Buffer.from(text)]), { digest, bytesMax });
  await assert.rejects(add("basd"), { code: "BAD_FRAME" });
  await assert.rejects(add("base", 3), { code: "BAD_FRAME" });
  await assert.rejects(cache.read(digest), { code: "NOT_FOUND" });
  await add("base");
  const file = await cache.read(digest);
  assert.equal(String(await file.readFile()), "base");
  await file.close();
  assert.equal(cache.bytes, 4);
  assert.equal(await cache.prune(), 0, "it was used just now");
});

test("a disk that is nearly full takes no layer", async (t) => {
  const cache = aCache(t, { ...layerCacheLimits, reserveBytes: Number.MAX_SAFE_INTEGER / 2 });
  await assert.rejects(cache.add(Readable.from([Buffer.from("base")]), { bytesMax: 9 }), {
    code: "DISK_FAILED",
  });
  assert.equal(cache.bytes, 0);
});
