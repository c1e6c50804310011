import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { after, test } from "node:test";
import { GamError } from "@gam/core";
import type { BackupManifest } from "@gam/state/answers";
import { BackupFolder, type StoredTar } from "./backup-folder.ts";

const home = mkdtempSync(join(tmpdir(), "gam-backup-folder-"));
after(() => rmSync(home, { recursive: true, force: true }));
const { signal } = new AbortController();
let folders = 0;

function made(): { path: string; folder: BackupFolder } {
  folders += 1;
  const path = mkdtempSync(join(home, `f${folders}-`));
  return { path, folder: new BackupFolder(path) };
}

function manifest({ bytes, sha256 }: StoredTar): BackupManifest {
  const madeAt = "2026-01-02T03:04:05.000Z";
  return { format: 1, volume: "data", host: "host1", madeAt, bytes, sha256, labels: {}, notes: [] };
}

const sumOf = (content: string): string => createHash("sha256").update(content).digest("hex");

test("a backup is stored with its manifest, read, and removed", async () => {
  const { path, folder } = made();
  const said = await folder.write("a.tar", Readable.from([Buffer.from("tar")]), {
    manifest,
    signal,
  });
  assert.equal(said.sha256, sumOf("tar"));
  assert.deepEqual(readdirSync(path).sort(), ["a.json", "a.tar"]);
  assert.deepEqual(await folder.manifest("a.tar"), said);
  assert.equal(await text(folder.read("a.tar")), "tar");
  await folder.write("a.tar", Readable.from([Buffer.from("again")]), { manifest, signal });
  assert.equal((await folder.manifest("a.tar")).bytes, 5);
  await folder.remove("a.tar");
  await folder.remove("a.tar");
  assert.deepEqual(readdirSync(path), []);
});

const failures: readonly (readonly [
  title: string,
  from: () => Readable,
  manifest: (found: StoredTar) => BackupManifest,
  want: RegExp,
])[] = [
  [
    "a stream that breaks",
    () =>
      Readable.from(
        (async function* () {
          yield Buffer.from("half");
          throw new GamError("UNREACHABLE", "the host was lost");
        })(),
      ),
    manifest,
    /the host was lost/,
  ],
  [
    "a manifest that denies it",
    () => Readable.from([Buffer.from("tar")]),
    () => {
      throw new GamError("CORRUPT_FILE", "something else");
    },
    /something else/,
  ],
  [
    "a disk that returns something else",
    () => Readable.from([Buffer.from("tar")]),
    (found) => manifest({ ...found, sha256: sumOf("other") }),
    /reads back changed/,
  ],
];

for (const [title, from, say, want] of failures) {
  test(`${title} leaves nothing that looks whole, and the earlier backup`, async () => {
    const { path, folder } = made();
    await assert.rejects(folder.write("a.tar", from(), { manifest: say, signal }), want);
    assert.deepEqual(readdirSync(path), []);
    await folder.write("a.tar", Readable.from([Buffer.from("first")]), { manifest, signal });
    await assert.rejects(folder.write("a.tar", from(), { manifest: say, signal }), want);
    assert.equal(readFileSync(join(path, "a.tar"), "utf8"), "first");
    assert.equal((await folder.manifest("a.tar")).bytes, 5);
  });
}

test("a tar without a manifest, a shorter one, and a manifest that is none are refused", async () => {
  const { path, folder } = made();
  writeFileSync(join(path, "a.tar"), "tar");
  await assert.rejects(folder.manifest("a.tar"), /there is no manifest/);
  await folder.write("b.tar", Readable.from([Buffer.from("tar")]), { manifest, signal });
  truncateSync(join(path, "b.tar"), 2);
  await assert.rejects(folder.manifest("b.tar"), /has 2 bytes, and its manifest says 3/);
  writeFileSync(join(path, "b.json"), "{}");
  await assert.rejects(folder.manifest("b.tar"), { code: "CORRUPT_FILE" });
});

test("a folder that is missing, and names that lead elsewhere, are refused", async () => {
  const missing = new BackupFolder(join(home, "no", "such"));
  const from = (): Readable => Readable.from([Buffer.from("tar")]);
  await assert.rejects(missing.write("a.tar", from(), { manifest, signal }), /there is no folder/);
  const { folder } = made();
  for (const name of ["../a.tar", "/etc/a.tar", "a", ".a.tar", "a\n.tar"]) {
    await assert.rejects(folder.write(name, from(), { manifest, signal }), { code: "BAD_REQUEST" });
  }
});
