import assert from "node:assert/strict";
import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Disk } from "./disk.ts";

const entry = (index: number) => ({
  index,
  term: 1,
  kind: "data" as const,
  data: Uint8Array.of(index),
});

async function write(folder: string, indexes: number[], snapshotAt?: number): Promise<void> {
  const { disk, recovered } = await Disk.open(folder);
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
  const { recovered } = await Disk.open(folder);
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
    const { disk, recovered } = await Disk.open(folder);
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
  const { recovered } = await Disk.open(folder);
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
  const { recovered } = await Disk.open(folder);
  assert.equal(recovered.restored.snapshot?.index, 4);
});
