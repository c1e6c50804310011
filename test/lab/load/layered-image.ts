/**
 * Layered image: the test image with layers of random bytes on top, as `docker save` makes it.
 *
 * No two layers are alike, so a test sees which of them cross to a host. The same options give the same image.
 */
import { createCipheriv, createHash } from "node:crypto";
import { createReadStream, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { must } from "../hosts/run.ts";
import { makeTestTree, tarOf } from "./test-image.ts";

export interface LayeredImage {
  readonly name: string;
  /** Each layer is made from one of these texts. The file `/layer-N` in it holds the bytes. */
  readonly seeds: readonly string[];
  readonly layerBytes: number;
}

/** Makes the tar `FOLDER.tar`. Returns: its path. */
export async function makeLayeredImage(folder: string, image: LayeredImage): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const tree = join(folder, "tree");
  await makeTestTree(tree);
  writeFileSync(join(folder, "base.tar"), await tarOf(tree));
  rmSync(tree, { recursive: true });
  const files = ["base.tar"];
  for (const [at, seed] of image.seeds.entries()) {
    writeFileSync(join(folder, `layer-${at}`), bytesOf(seed, image.layerBytes));
    const words = ["-C", folder, "--owner=0", "--group=0", "--mtime=2026-01-01"];
    await must("tar", [...words, "-cf", join(folder, `${at}.tar`), `layer-${at}`]);
    rmSync(join(folder, `layer-${at}`));
    files.push(`${at}.tar`);
  }
  const diffs: string[] = [];
  for (const file of files) diffs.push(await digestOf(join(folder, file)));
  const config = {
    architecture: process.arch === "arm64" ? "arm64" : "amd64",
    os: "linux",
    created: "2026-01-01T00:00:00Z",
    config: { Cmd: ["idle"], Env: ["PATH=/bin"] },
    rootfs: { type: "layers", diff_ids: diffs },
  };
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  const manifest = [{ Config: "config.json", RepoTags: [image.name], Layers: files }];
  writeFileSync(join(folder, "manifest.json"), JSON.stringify(manifest));
  await must("tar", ["-C", folder, "-cf", `${folder}.part`, "."]);
  renameSync(`${folder}.part`, `${folder}.tar`);
  rmSync(folder, { recursive: true });
  return `${folder}.tar`;
}

/** Bytes that do not compress, the same for the same seed. */
function bytesOf(seed: string, length: number): Buffer {
  const key = createHash("sha256").update(seed).digest();
  return createCipheriv("aes-256-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(length));
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(path)) hash.update(piece as Buffer);
  return `sha256:${hash.digest("hex")}`;
}
