import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { after, test } from "node:test";
import { CommandFailed } from "../data-plane/kernel/command.ts";
import {
  bytesOfFolder,
  digestFolder,
  flushFolder,
  packFolder,
  unpackFolder,
} from "./folder-tar.ts";

const home = mkdtempSync(join(tmpdir(), "gam-folder-tar-"));
after(() => rmSync(home, { recursive: true, force: true }));

const never = new AbortController().signal;
let folders = 0;

function empty(): string {
  folders += 1;
  const folder = join(home, `folder${folders}`);
  mkdirSync(folder);
  return folder;
}

/** Names, modes, links, a hole and a time with nanoseconds. */
function filled(): string {
  const folder = empty();
  const script = `
    mkdir -p deep/er && chmod 0750 deep && echo kept > deep/er/file && chmod 4711 deep/er/file
    ln deep/er/file hard && ln -s deep/er soft && mkfifo pipe
    printf x > "$(printf 'a name\\nwith\\tmore')" && truncate -s 30000000 hole
    dd if=/dev/urandom of=big bs=65536 count=40 2>/dev/null`;
  execFileSync("sh", ["-ec", script], { cwd: folder });
  utimesSync(join(folder, "big"), 981_173_106.25, 981_173_106.123_456);
  return folder;
}

async function packed(folder: string): Promise<Buffer> {
  const pieces: Buffer[] = [];
  const to = new PassThrough();
  const reading = (async () => {
    for await (const piece of to as AsyncIterable<Buffer>) pieces.push(piece);
  })();
  await packFolder(folder, to, { signal: never });
  await reading;
  return Buffer.concat(pieces);
}

test("a copy has the same checksum, and holes stay holes", async () => {
  const from = filled();
  const to = empty();
  const tar = await packed(from);
  assert.ok(tar.length < 20_000_000, "the hole was written out");
  await unpackFolder(to, Readable.from([tar]), never);
  await flushFolder(to);
  assert.equal(await digestFolder(to, never), await digestFolder(from, never));
  assert.ok(statSync(join(to, "hole")).blocks < 1000);
  assert.ok(Math.abs((await bytesOfFolder(to)) - (await bytesOfFolder(from))) < 1_000_000);
});

const faults: readonly (readonly [string, string])[] = [
  ["a byte", "printf y | dd of=big bs=1 seek=99999 conv=notrunc 2>/dev/null && touch -r hole big"],
  ["a mode", "chmod 0644 deep/er/file"],
  ["a time", "touch -d '2020-01-01' deep/er/file"],
  ["a name", "mv pipe pipe2"],
  ["a missing file", "rm pipe"],
  ["one more file", "touch more"],
  ["a link", "rm soft && ln -s deep soft"],
  ["a hard link that is a copy", "rm hard && cp -p deep/er/file hard"],
];

for (const [name, script] of faults) {
  test(`the checksum finds what differs: ${name}`, async () => {
    const folder = filled();
    const time = ["-ec", "touch -d '2020-05-05' hole big"];
    execFileSync("sh", time, { cwd: folder });
    const before = await digestFolder(folder, never);
    execFileSync("sh", ["-ec", script], { cwd: folder });
    assert.notEqual(await digestFolder(folder, never), before);
  });
}

test("half a tar is an error", async () => {
  const tar = await packed(filled());
  const half = Readable.from([tar.subarray(0, tar.length / 2)]);
  await assert.rejects(unpackFolder(empty(), half, never), CommandFailed);
});

test("a stream that breaks gives its own error", async () => {
  const tar = await packed(filled());
  const broken = Readable.from(
    (async function* () {
      yield tar.subarray(0, 100_000);
      throw new Error("the host was lost");
    })(),
  );
  await assert.rejects(unpackFolder(empty(), broken, never), /the host was lost/);
});

test("a folder that is not there is an error with tar's words", async () => {
  await assert.rejects(digestFolder(join(home, "none"), never), /Cannot run tar: .*none/);
});

test("names that leave the folder are not written outside of it", async () => {
  const folder = empty();
  const outside = join(home, "outside");
  writeFileSync(join(folder, "x"), "x");
  const tar = execFileSync("tar", ["-cPf", "-", "--transform", "s,^x$,../outside,", "x"], {
    cwd: folder,
  });
  const target = empty();
  await unpackFolder(target, Readable.from([tar]), never).catch((thrown: unknown) => {
    assert.ok(thrown instanceof CommandFailed);
  });
  assert.equal(statSync(outside, { throwIfNoEntry: false }), undefined);
});

test("a copy ends when it is told to", async () => {
  const ending = new AbortController();
  const copying = unpackFolder(empty(), new PassThrough(), ending.signal);
  ending.abort();
  await assert.rejects(copying);
});

test("all that is behind the end of an archive is read, whenever tar stops to listen", async () => {
  const tar = await packed(filled());
  let read = 0;
  const source = Readable.from(
    (function* () {
      for (const piece of [tar, ...Array.from({ length: 64 }, () => Buffer.alloc(1 << 16))]) {
        read += piece.length;
        yield piece;
      }
    })(),
  );
  await unpackFolder(empty(), source, never);
  assert.equal(read, tar.length + (64 << 16));
});
