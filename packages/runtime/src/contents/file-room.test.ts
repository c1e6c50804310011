import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { SecretId } from "@gam/core";
import { GamError, type TaskId } from "@gam/core";
import type { TaskFile } from "@gam/worker";
import { type Run, runCommand } from "../data-plane/kernel/command.ts";
import { FakeRun } from "../testing/fake-run.ts";
import { FileRoom } from "./file-room.ts";
import { MemoryFolder } from "./memory-folder.ts";

const isRoot = process.getuid?.() === 0;
const skip = isRoot ? false : "mounting needs root";
const [one, two] = ["task1", "task2"] as TaskId[] as [TaskId, TaskId];

const noCredentials = { credentials: async () => "" };

const aFile = (change: Partial<Omit<TaskFile, "kind" | "id">> = {}): TaskFile => ({
  kind: "secret",
  id: "secret1" as SecretId,
  name: "key",
  content: 1,
  target: "/run/secrets/key",
  uid: 0,
  gid: 0,
  mode: 0o444,
  ...change,
});

/** Not mounted yet. */
function aFolder(t: TestContext, run?: Run): MemoryFolder {
  const dir = mkdtempSync(join(tmpdir(), "gam-room-"));
  const folder = new MemoryFolder(join(dir, "files"), run);
  t.after(async () => {
    await folder.remove();
    rmSync(dir, { recursive: true });
  });
  return folder;
}

/** A room in which each file holds its name and content. */
function aRoom(t: TestContext): { room: FileRoom; path: string } {
  const folder = aFolder(t);
  const { path } = folder;
  const files = async (_: TaskId, wanted: readonly TaskFile[]): Promise<Buffer[]> =>
    wanted.map(({ name, content }) => Buffer.from(`${name} ${content}`));
  return { room: new FileRoom(folder, { ...noCredentials, files }), path };
}

test("a task's files have their data, owner and mode, in a folder for root alone", {
  skip,
}, async (t) => {
  const { room, path } = aRoom(t);
  const files = [
    aFile(),
    aFile({ name: "conf", target: "/conf", uid: 1000, gid: 33, mode: 0o640 }),
  ];
  assert.deepEqual(await room.perform({ kind: "placeFiles", id: 1, task: one, files }), {
    ok: true,
  });
  const mounts = room.mountsOf(one, files);
  assert.deepEqual(mounts, [
    { Type: "bind", Source: join(path, one, "0"), Target: "/run/secrets/key", ReadOnly: true },
    { Type: "bind", Source: join(path, one, "1"), Target: "/conf", ReadOnly: true },
  ]);
  const found = mounts.map(({ Source }) => {
    const { uid, gid, mode } = statSync(Source);
    return [readFileSync(Source, "utf8"), uid, gid, mode & 0o7777];
  });
  assert.deepEqual(found, [
    ["key 1", 0, 0, 0o444],
    ["conf 1", 1000, 33, 0o640],
  ]);
  for (const folder of [path, join(path, one)]) assert.equal(statSync(folder).mode & 0o7777, 0o700);
  const mounted = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  assert.match(mounted.find((line) => line.includes(` ${path} `)) ?? "", / nosuid|nodev|noexec/);
});

test("files are placed again over those of a crash, dropped, and swept", { skip }, async (t) => {
  const { room, path } = aRoom(t);
  const place = (task: TaskId, content: number) =>
    room.perform({ kind: "placeFiles", id: 1, task, files: [aFile({ content })] });
  await place(one, 1);
  await place(two, 1);
  writeFileSync(join(path, one, "7"), "left by a crash");
  await place(one, 2);
  assert.deepEqual(readdirSync(join(path, one)), ["0"]);
  assert.equal(readFileSync(join(path, one, "0"), "utf8"), "key 2");
  await room.perform({ kind: "dropFiles", id: 2, task: one });
  await room.perform({ kind: "dropFiles", id: 3, task: one });
  assert.deepEqual(readdirSync(path), [two]);
  mkdirSync(join(path, "left"));
  await room.perform({ kind: "sweepFiles", id: 4, keep: [two, one] });
  assert.deepEqual(readdirSync(path), [two]);
  await room.perform({ kind: "sweepFiles", id: 5, keep: [] });
  assert.deepEqual(readdirSync(path), []);
});

test("an agent that starts again finds the folder of the one before", { skip }, async (t) => {
  const { room, path } = aRoom(t);
  await room.perform({ kind: "placeFiles", id: 1, task: one, files: [aFile()] });
  const later = new MemoryFolder(path);
  await later.open();
  assert.deepEqual(readdirSync(path), [one], "no second mount hides the first");
  await later.remove();
  assert.ok(!existsSync(path));
});

test("a task whose files do not fit is refused, with what to do, and leaves nothing", {
  skip,
}, async (t) => {
  const small: Run = (name, args, ...rest) => {
    const sized = args.map((one) => (one.startsWith("mode=") ? `${one},size=64k` : one));
    return runCommand(name, name === "mount" ? sized : args, ...rest);
  };
  const folder = aFolder(t, small);
  const files = async (_: TaskId, wanted: readonly TaskFile[]): Promise<Buffer[]> =>
    wanted.map(() => Buffer.alloc(40_000));
  const room = new FileRoom(folder, { ...noCredentials, files });
  const both = [aFile(), aFile({ name: "large", target: "/large" })];
  const outcome = await room.perform({ kind: "placeFiles", id: 1, task: one, files: both });
  assert.deepEqual(outcome, {
    ok: false,
    failure: "refused",
    message: `Cannot write secret "large": the file system in memory at "${folder.path}" is full. Mount a larger tmpfs there, or run fewer tasks with large secrets and configs on this node`,
  });
  assert.deepEqual(readdirSync(folder.path), []);
});

test("nothing is written where no memory can be mounted", async (t) => {
  const run = new FakeRun();
  run.answers.set("mount", { stderr: "mount: permission denied." });
  let asked = 0;
  const files = async (): Promise<Buffer[]> => {
    asked += 1;
    return [];
  };
  const room = new FileRoom(aFolder(t, run.run), { ...noCredentials, files });
  const outcome = await room.perform({ kind: "placeFiles", id: 1, task: one, files: [aFile()] });
  assert.deepEqual(outcome, {
    ok: false,
    failure: "refused",
    message: "Cannot run mount: mount: permission denied.",
  });
  assert.equal(asked, 0);
  assert.equal(run.log.length, 2, "with noswap and without");
  for (const kind of ["dropFiles", "sweepFiles"] as const) {
    assert.deepEqual(await room.perform({ kind, id: 2, task: one, keep: [] }), { ok: true });
  }
});

test("a task waits while no manager answers, and is refused where one refuses", {
  skip,
}, async (t) => {
  const cases = [
    ["UNREACHABLE", "contents"],
    ["REFUSED", "refused"],
  ] as const;
  for (const [code, failure] of cases) {
    const room = new FileRoom(aFolder(t), {
      ...noCredentials,
      files: () => Promise.reject(new GamError(code, "Cannot get it")),
    });
    const outcome = await room.perform({ kind: "placeFiles", id: 1, task: one, files: [aFile()] });
    assert.deepEqual(outcome, { ok: false, failure, message: "Cannot get it" });
  }
});
