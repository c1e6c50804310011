/**
 * Private registry: serves one image to those who know its password, on the loopback of a lab host.
 *
 *   node private-registry.ts FOLDER PORT USER PASSWORD
 *
 * FOLDER is one that makeRegistryImage() has filled. Prints a line for each request: the status and the path.
 * An engine uses plain HTTP for loopback without being told.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { argv } from "node:process";
import { gzipSync } from "node:zlib";
import { makeTestTree, tarOf } from "./test-image.ts";

const manifestType = "application/vnd.docker.distribution.manifest.v2+json";

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** Makes the image gam/test:1 as a registry stores it: files named by their digests, and `manifest`. */
export async function makeRegistryImage(folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const tree = join(folder, "tree");
  await makeTestTree(tree);
  const tar = await tarOf(tree);
  rmSync(tree, { recursive: true });
  const layer = gzipSync(tar);
  const config = Buffer.from(
    JSON.stringify({
      architecture: process.arch === "arm64" ? "arm64" : "amd64",
      os: "linux",
      config: { Cmd: ["idle"], Env: ["PATH=/bin"] },
      rootfs: { type: "layers", diff_ids: [digestOf(tar)] },
    }),
  );
  const part = (mediaType: string, bytes: Buffer) => {
    writeFileSync(join(folder, digestOf(bytes)), bytes);
    return { mediaType, size: bytes.length, digest: digestOf(bytes) };
  };
  const manifest = {
    schemaVersion: 2,
    mediaType: manifestType,
    config: part("application/vnd.docker.container.image.v1+json", config),
    layers: [part("application/vnd.docker.image.rootfs.diff.tar.gzip", layer)],
  };
  writeFileSync(join(folder, "manifest"), JSON.stringify(manifest));
}

function serve(folder: string, port: number, credentials: string): void {
  const wanted = `Basic ${Buffer.from(credentials).toString("base64")}`;
  const manifest = readFileSync(join(folder, "manifest"));
  const server = createServer((request, response) => {
    const path = request.url ?? "";
    const answer = (status: number, headers = {}, body?: Uint8Array): void => {
      process.stdout.write(`${status} ${path}\n`);
      response.writeHead(status, headers).end(request.method === "HEAD" ? undefined : body);
    };
    if (request.headers.authorization !== wanted) {
      return answer(401, { "www-authenticate": 'Basic realm="lab"' });
    }
    const [, kind, name = ""] = /^\/v2\/.+\/(manifests|blobs)\/([\w:.]+)$/.exec(path) ?? [];
    if (kind === undefined) return answer(200);
    const bytes = kind === "manifests" ? manifest : readFileSync(join(folder, name));
    answer(
      200,
      {
        "content-type": kind === "manifests" ? manifestType : "application/octet-stream",
        "content-length": bytes.length,
        "docker-content-digest": digestOf(bytes),
      },
      bytes,
    );
  });
  server.listen(port, "127.0.0.1", () => process.stdout.write("listens\n"));
}

if (import.meta.main) {
  const [, , folder = "", port = "", user = "", password = ""] = argv;
  serve(folder, Number(port), `${user}:${password}`);
}
