import assert from "node:assert/strict";
import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { HostCipher } from "@gam/files";
import { openRecords } from "@gam/peer";
import { Disk } from "./disk.ts";

const cipher = new HostCipher(new Uint8Array(32).fill(1));

const entry = (index: number) => ({
  index,
  term: 1,
  kind: "data" as const,
  data: Uint8Array.of(index),
});

async function write(folder: string, indexes: number[], snapshotAt?: number): Promise<void> {
  const { disk, recovered } = await Disk.open(folder, cipher);
  for (const index of indexes) {
    const configuration = { voters: [], votersOutgoing: [], learners: [], standbys: [] };
    const snapshot =
      index === snapshotAt ? { index, term: 1, configuration, data: Uint8Array.of(7) } : undefined;
    recovered.journal.request({ write: index, entries: snapshot ? [] : [entry(index)], snapshot });
    const step = recovered.journal.take();
    assert.ok(step !== undefined);
    await disk.perform(step);
    recovered.journal.persisted();
  }
  await disk.close();
}

test("Disk returns after a restart what it wrote before", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "gam-disk-"));
  t.after(() => rm(folder, { recursive: true }));
  await write(folder, [1, 2]);
  await write(folder, [3, 4]);
  const { recovered } = await Disk.open(folder, cipher);
  assert.deepEqual(
    recovered.restored.entries.map(({ index }) => index),
    [1, 2, 3, 4],
  );
});

test("Disk keeps the files that a new life of the cluster replaces, until the next new life", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "gam-disk-"));
  t.after(() => rm(folder, { recursive: true }));
  const dropped = async (): Promise<string[]> =>
    (await readdir(folder)).filter((name) => name.endsWith(".dropped"));
  const beginLife = async (id: string): Promise<void> => {
    const { disk, recovered } = await Disk.open(folder, cipher);
    recovered.journal.beginLife({ life: [id], contacts: [] });
    const step = recovered.journal.take();
    assert.ok(step !== undefined);
    await disk.perform(step);
    await disk.close();
  };
  await write(folder, [1, 2]);
  const before = await readFile(join(folder, "journal-0000000001"));
  await beginLife("two");
  assert.deepEqual(await dropped(), ["journal-0000000001.dropped"]);
  assert.deepEqual(await readFile(join(folder, "journal-0000000001.dropped")), before);
  const { recovered } = await Disk.open(folder, cipher);
  assert.deepEqual(recovered.restored.entries, []);
  assert.deepEqual(recovered.journal.life, ["two"]);
  // Snapshots in the new life do not remove it.
  await write(folder, [1, 2], 2);
  assert.deepEqual(await dropped(), ["journal-0000000001.dropped"]);
  await beginLife("three");
  assert.deepEqual(await dropped(), ["journal-0000000003.dropped"]);
});

test("Disk cuts off a torn tail, and removes an unfinished file", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "gam-disk-"));
  t.after(() => rm(folder, { recursive: true }));
  await write(folder, [1, 2]);
  const [file = ""] = await readdir(folder);
  const whole = await readFile(join(folder, file));
  await appendFile(join(folder, file), whole.subarray(0, 30));
  await writeFile(join(folder, "journal-0000000002.unfinished"), "half");
  await write(folder, [3, 4], 4);
  assert.deepEqual(await readdir(folder), ["journal-0000000002"]);
  const { recovered } = await Disk.open(folder, cipher);
  assert.equal(recovered.restored.snapshot?.index, 4);
});

/** The journal's files as an older release wrote them. */
async function plain(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const file = { name: name.replace(".dropped", ""), bytes: await readFile(path) };
    const open = (sealed: Uint8Array, file: string, sequence: number): Uint8Array =>
      cipher.of(`journal ${file}`).open(sealed, String(sequence));
    const options = { salvage: false, remedy: "" };
    await writeFile(path, openRecords(file, open, options).plain.bytes);
  }
}

test("Disk writes nothing in plain text, and reads nothing with another key", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "gam-disk-"));
  t.after(() => rm(folder, { recursive: true }));
  const mark = "a-planted-mark";
  const { disk, recovered } = await Disk.open(folder, cipher);
  const data = Buffer.from(mark);
  for (const index of [1, 2]) {
    recovered.journal.request({ write: index, entries: [{ ...entry(index), data }] });
    const step = recovered.journal.take();
    assert.ok(step !== undefined && Buffer.from(step.bytes).includes(mark));
    await disk.perform(step);
    recovered.journal.persisted();
  }
  await disk.close();
  const [name = ""] = await readdir(folder);
  const bytes = await readFile(join(folder, name));
  assert.ok(bytes.length > 2 * mark.length && !bytes.includes(mark));
  const other = new HostCipher(new Uint8Array(32).fill(2));
  await assert.rejects(Disk.open(folder, other), {
    code: "CORRUPT_FILE",
    message: /Cannot decrypt journal "journal-0000000001".*Put back the "host\.key"/,
  });
  assert.deepEqual(await readFile(join(folder, name)), bytes);
});

test("Disk takes over a plain journal with a torn tail, and encrypts it", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "gam-disk-"));
  t.after(() => rm(folder, { recursive: true }));
  await write(folder, [1, 2]);
  await plain(folder);
  const [name = ""] = await readdir(folder);
  const path = join(folder, name);
  await appendFile(path, (await readFile(path)).subarray(0, 30));
  assert.equal((await readFile(path)).subarray(0, 4).toString(), "GAMR");
  await write(folder, [3]);
  assert.equal((await readFile(path)).subarray(0, 4).toString(), "GAMS");
  assert.ok(!(await readFile(path)).includes("GAMR"));
  const { recovered } = await Disk.open(folder, cipher);
  assert.deepEqual(
    recovered.restored.entries.map(({ index }) => index),
    [1, 2, 3],
  );
});

test("Disk leaves a damaged plain journal as it was, and still salvages it", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "gam-disk-"));
  t.after(() => rm(folder, { recursive: true }));
  await write(folder, [1]);
  const [name = ""] = await readdir(folder);
  const path = join(folder, name);
  await plain(folder);
  const first = (await readFile(path)).length;
  await write(folder, [2, 3]);
  await plain(folder);
  const broken = await readFile(path);
  broken[first + 20] = (broken[first + 20] ?? 0) ^ 1;
  await writeFile(path, broken);
  await assert.rejects(Disk.open(folder, cipher), { code: "CORRUPT_FILE" });
  const { recovered } = await Disk.open(folder, cipher, true);
  assert.equal(recovered.restored.entries.length, 1);
  assert.deepEqual(await readFile(path), broken);
});
