/**
 * Image: writes the two descriptions that make a layer an image, as `docker load` reads them.
 *
 *   image.ts FOLDER amd64|arm64 VERSION      FOLDER has layer.tar
 *
 * The time of creation is that of SOURCE_DATE_EPOCH, so that two packages of one commit have the same bytes.
 * Source: the image specification, and the archives that `docker save` writes.
 */
import { createHash } from "node:crypto";
import { createReadStream, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";

const [folder, architecture, version] = process.argv.slice(2);
if (folder === undefined || architecture === undefined || version === undefined) {
  console.error("Wanted: scripts/packaging/image.ts FOLDER amd64|arm64 VERSION");
  process.exit(2);
}
const layer = createHash("sha256");
await pipeline(createReadStream(join(folder, "layer.tar")), layer);
const created = new Date(Number(process.env.SOURCE_DATE_EPOCH ?? 0) * 1000).toISOString();
const config = JSON.stringify({
  created,
  architecture,
  os: "linux",
  config: {
    Env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"],
    Entrypoint: ["/usr/bin/gam"],
    Cmd: ["agent"],
    Volumes: { "/var/lib/gam": {} },
    Labels: {
      "org.opencontainers.image.title": "gam",
      "org.opencontainers.image.version": version,
      "org.opencontainers.image.licenses": "Apache-2.0",
    },
  },
  rootfs: { type: "layers", diff_ids: [`sha256:${layer.digest("hex")}`] },
  history: [{ created, created_by: "scripts/package --only image" }],
});
const name = `${createHash("sha256").update(config).digest("hex")}.json`;
writeFileSync(join(folder, name), config);
const manifest = [{ Config: name, RepoTags: [`gam:${version}`], Layers: ["layer.tar"] }];
writeFileSync(join(folder, "manifest.json"), JSON.stringify(manifest));
