import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId, TaskId, VolumeName } from "@gam/core";
import { seededRandom, testId } from "@gam/core/testing";
import { checkVolume } from "../../checks/check-volume.ts";
import type { BackupStart, Change } from "../../log/change.ts";
import { backupsMax } from "../../objects/volumes/backup.ts";
import { aNode, aService, aTask, TestLog } from "../../testing/index.ts";

const id = "data" as VolumeName;
const [a, b] = [testId<NodeId>("a"), testId<NodeId>("b")];
const short = (name: string): string => name.replace(/0{9,}$/, "");
const task = testId<TaskId>("t1");
const digest = "0".repeat(64);
const Mounts = [{ Type: "volume" as const, Source: "data", Target: "/data" }];
const template = { ContainerSpec: { Image: "db:1", Mounts } };
const status = { Timestamp: "2026-01-01T00:00:00.000Z", State: "assigned" } as const;

const start = (name: string, node = a): BackupStart => {
  return { id: testId(name), node, to: "/srv/backups", dueMs: 1000 };
};
const begin = (name: string, node = a): Change => {
  return { kind: "backupVolume", id, backup: start(name, node) };
};
const end = (
  backup: string,
  result: "complete" | "failed" = "complete",
  dropped: readonly string[] = [],
): Change => {
  const whole = { result, atMs: 2000, reason: "", file: "data.tar", bytes: 5, digest };
  return {
    ...{ kind: "endBackup", id, backup: testId(backup), end: whole },
    dropped: dropped.map((one) => testId(one)),
  };
};
const due = (
  sinceMs: number | undefined,
  handledMs: number | undefined,
  names: readonly string[] = [],
): Change => ({
  ...{ kind: "handleBackupDue", id, sinceMs, handledMs, schedule: "@daily UTC", missed: [] },
  starts: names.map((name) => start(name)),
});
const restore = (name: string, node = a, volume = id): Change => {
  const of = { restore: testId(name), node, source: "x", bytes: 5, digest };
  return { kind: "restoreVolume", id: volume, ...of };
};
const restored = (name: string, error?: string): Change => {
  return { kind: "endVolumeRestore", id, restore: testId(name), ...(error && { error }) };
};

/** Two nodes, and a volume with its task on the first. */
function grown(): TestLog {
  const log = new TestLog();
  for (const [node, Hostname] of [
    [a, "host-a"],
    [b, "host-b"],
  ] as const) {
    log.write({ kind: "joinNode", node: aNode(node, { description: { Hostname } }) });
  }
  log.write(aService("db", { template }));
  log.write({ kind: "createTask", task: aTask("db", task, { slot: 1, template }) });
  log.write({ kind: "assignTask", id: task, node: a, status });
  return log;
}

/** Homes, then the backups with their ends, then the restore and the last one. */
function shown(log: TestLog, name = id): string {
  const volume = log.store.volume(name);
  if (volume === undefined) return "none";
  const { Homes, Backups, Restore, LastRestore } = volume;
  const list = Backups?.list.map(
    (one) => `${short(one.id)}:${one.by}:${one.end?.result ?? "active"}`,
  );
  return [
    Homes.map(({ node }) => short(node)).join(",") || "nowhere",
    ...(list ?? []),
    ...(Backups?.handledMs === undefined ? [] : [`until ${Backups.handledMs}`]),
    ...(Restore === undefined ? [] : [`restoring ${short(Restore.id)}`]),
    ...(LastRestore === undefined
      ? []
      : [`restored ${short(LastRestore.id)} ${LastRestore.error ?? ""}`]),
  ].join(" ");
}

const cases: readonly (readonly [title: string, changes: readonly Change[], want: string])[] = [
  ["a backup begins", [begin("x")], "a x:hand:active"],
  ["and ends", [begin("x"), end("x")], "a x:hand:complete"],
  ["an end of another one is void", [begin("x"), end("y")], "a x:hand:active"],
  ["a second end is void", [begin("x"), end("x", "failed"), end("x")], "a x:hand:failed"],
  [
    "one that is dropped is gone",
    [begin("x"), end("x"), begin("y"), end("y", "complete", ["x"])],
    "a y:hand:complete",
  ],
  [
    "one that is being made cannot be dropped",
    [begin("x"), end("x", "complete", ["x"])],
    "a x:hand:complete",
  ],
  ["a schedule begins", [due(undefined, 5)], "a until 5"],
  ["a due time is handled", [due(undefined, 5), due(5, 9, ["x"])], "a x:schedule:active until 9"],
  [
    "twice is void",
    [due(undefined, 5), due(5, 9, ["x"]), due(5, 9, ["y"])],
    "a x:schedule:active until 9",
  ],
  [
    "a due time begins no second backup of a home",
    [begin("x"), due(undefined, 5), due(5, 9, ["y"])],
    "a x:hand:active until 9",
  ],
  ["a schedule ends", [due(undefined, 5), due(5, undefined)], "a"],
  ["a restore begins", [restore("r")], "a restoring r"],
  ["and ends", [restore("r"), restored("r")], "a restored r "],
  ["and fails", [restore("r"), restored("r", "gone")], "a restored r gone"],
  ["an end of another restore is void", [restore("r"), restored("s")], "a restoring r"],
  [
    "what a removed node was doing is gone",
    [begin("x"), restore("r"), { kind: "removeNode", id: a }],
    "nowhere",
  ],
];

for (const [title, changes, want] of cases) {
  test(title, () => {
    const log = grown();
    for (const change of changes) {
      assert.equal(log.write(change).outcome.kind, "applied");
    }
    assert.equal(shown(log), want);
    const volume = log.store.volume(id);
    assert.deepEqual(checkVolume(volume, "volume"), volume);
  });
}

test("a restore gives a volume without a record, or without a home, its home", () => {
  const log = grown();
  const fresh = "fresh" as VolumeName;
  log.write(restore("r", b, fresh));
  assert.equal(shown(log, fresh), "b restoring r");
  log.write({ kind: "removeNode", id: a });
  log.write({ kind: "removeTask", id: task });
});

const refusals: readonly (readonly [
  title: string,
  before: readonly Change[],
  change: Change,
  want: RegExp,
])[] = [
  ["a backup of another node", [], begin("x", b), /no service has used volume data on host-b/],
  ["a second backup", [begin("x")], begin("y"), /is being backed up on host-a/],
  ["a backup during a restore", [restore("r")], begin("x"), /data is being restored/],
  ["a restore elsewhere", [], restore("r", b), /has its data on host-a, not on host-b/],
  ["a second restore", [restore("r")], restore("s"), /is being restored/],
  ["a restore on a node that is gone", [], restore("r", testId<NodeId>("c")), /node c0+ not found/],
  [
    "a move during a restore",
    [restore("r")],
    { kind: "moveVolume", id, move: "m", from: a, to: b },
    /is being restored/,
  ],
  [
    "a restore during a move",
    [{ kind: "moveVolume", id, move: "m", from: a, to: b }],
    restore("r"),
    /is being moved/,
  ],
];

for (const [title, before, change, want] of refusals) {
  test(`refused: ${title}`, () => {
    const log = grown();
    log.write(...before);
    const { outcome } = log.write(change);
    assert.ok(outcome.kind === "refused");
    assert.match(outcome.message, want);
  });
}

test("the list of backups stays bounded, and keeps those that are being made", () => {
  const log = grown();
  for (let n = 0; n < backupsMax + 20; n += 1) log.write(begin(`x${n}y`), end(`x${n}y`));
  log.write(begin("last"));
  const list = log.store.volume(id)?.Backups?.list ?? [];
  assert.equal(list.length, backupsMax + 1);
  assert.equal(list.at(-1)?.id, testId("last"));
  assert.equal(list[0]?.id, testId("x20y"));
});

test("whatever happens, a home has one backup that is being made, and the record passes its check", () => {
  for (let seed = 1; seed <= 200; seed += 1) {
    const random = seededRandom(seed);
    const log = grown();
    const name = (): string => `x${random.below(4)}`;
    const makers: readonly (() => Change)[] = [
      () => begin(name(), random.below(4) === 0 ? b : a),
      () => end(name(), random.below(2) === 0 ? "complete" : "failed", [name()]),
      () => due(log.store.volume(id)?.Backups?.handledMs, random.below(99), [name(), name()]),
      () => due(random.below(99), random.below(99), [name()]),
      () => restore(name(), random.below(4) === 0 ? b : a),
      () => restored(name()),
      () => ({ kind: "moveVolume", id, move: testId(name()), from: a, to: b }),
      () => ({ kind: "stopVolumeMove", id, move: testId(name()), error: "no" }),
    ];
    for (let step = 0; step < 40; step += 1) {
      log.write((makers[random.below(makers.length)] as () => Change)());
      const volume = log.store.volume(id);
      if (volume === undefined) continue;
      checkVolume(volume, "volume");
      const active = (volume.Backups?.list ?? []).filter((one) => one.end === undefined);
      assert.ok(active.length <= 1, `seed ${seed}: ${active.length} backups at once`);
      assert.ok(!(volume.Move && volume.Restore), `seed ${seed}: moved and restored at once`);
    }
  }
});

test("due times that were missed are one miss only if no backup was due between", () => {
  const log = grown();
  const miss = (sinceMs: number | undefined, atMs: number): void => {
    const missed = [{ fromMs: atMs, untilMs: atMs, count: 1, reason: "busy" }];
    log.write({ ...due(sinceMs, atMs), missed } as Change);
  };
  miss(undefined, 500);
  miss(500, 800);
  log.write(due(800, 1000, ["b1"]));
  miss(1000, 1200);
  const missed = log.store.volume(id)?.Backups?.missed ?? [];
  assert.deepEqual(
    missed.map(({ fromMs, untilMs, count }) => [fromMs, untilMs, count]),
    [
      [500, 800, 2],
      [1200, 1200, 1],
    ],
    "the backup is still being made",
  );
});
