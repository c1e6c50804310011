import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId, TaskId, VolumeName } from "@gam/core";
import { counterMint, seededRandom } from "@gam/core/testing";
import type { Change, Labels, PlannedChange } from "@gam/state";
import { aNode, aService, aTask, TestLog } from "@gam/state/testing";
import { planBackups } from "./backups.ts";
import { Orchestrator } from "./orchestrator.ts";

const id = "data" as VolumeName;
const [a, b] = ["a", "b"] as [NodeId, NodeId];
const Mounts = [{ Type: "volume" as const, Source: "data", Target: "/data" }];
const template = { ContainerSpec: { Image: "db:1", Mounts } };
const status = { Timestamp: "2026-01-01T00:00:00.000Z", State: "assigned" } as const;
const hourMs = 3_600_000;
const daily = { "gam.backup.schedule": "0 3 * * *", "gam.backup.to": "/srv" };

/** A database with these labels, whose tasks have used the volume on these nodes. */
function grown(labels: Labels = daily, nodes: readonly NodeId[] = [a]): TestLog {
  const log = new TestLog();
  for (const node of [a, b]) log.write({ kind: "joinNode", node: aNode(node) });
  log.write(aService("db", { replicas: nodes.length, template, spec: { Labels: labels } }));
  for (const [at, node] of nodes.entries()) {
    const task = `t${at}` as TaskId;
    log.write({ kind: "createTask", task: aTask("db", task, { slot: at + 1, template }) });
    log.write({ kind: "assignTask", id: task, node, status });
  }
  return log;
}

const mint = counterMint("m");

function plan(log: TestLog): readonly PlannedChange[] {
  return planBackups(log.store, { nowMs: log.nowMs, mint }).changes;
}

/** Plans and writes until nothing is left to do. */
function settle(log: TestLog): void {
  for (let changes = plan(log); changes.length > 0; changes = plan(log)) log.write(...changes);
}

function finish(log: TestLog): void {
  for (const { id: backup, end } of log.store.volume(id)?.Backups?.list ?? []) {
    if (end !== undefined) continue;
    const whole = { result: "complete", atMs: log.nowMs, reason: "" } as const;
    log.write({ kind: "endBackup", id, backup, end: whole, dropped: [] });
  }
}

const due = (log: TestLog): readonly string[] => {
  const list = log.store.volume(id)?.Backups?.list ?? [];
  return list.map(({ dueMs, node }) => `${new Date(dueMs).toISOString().slice(5, 16)} ${node}`);
};
const missed = (log: TestLog): readonly string[] => {
  const all = log.store.volume(id)?.Backups?.missed ?? [];
  return all.map(({ count, reason }) => `${count}: ${reason}`);
};

test("a due backup begins once, and the next is due a day later", () => {
  const log = grown();
  settle(log);
  assert.deepEqual(due(log), []);
  const { againAtMs } = planBackups(log.store, { nowMs: log.nowMs, mint });
  assert.equal(againAtMs, log.nowMs + 3 * hourMs);
  log.nowMs += 3 * hourMs;
  settle(log);
  assert.deepEqual(due(log), ["01-01T03:00 a"]);
  finish(log);
  log.nowMs += 24 * hourMs;
  settle(log);
  assert.deepEqual(due(log), ["01-01T03:00 a", "01-02T03:00 a"]);
});

test("each home is backed up", () => {
  const log = grown(daily, [a, b]);
  settle(log);
  log.nowMs += 3 * hourMs;
  settle(log);
  assert.deepEqual(due(log), ["01-01T03:00 a", "01-01T03:00 b"]);
});

const down: Change = { kind: "judgeNode", id: a, status: { State: "down" } };
const misses: readonly (readonly [
  title: string,
  before: (log: TestLog) => void,
  hours: number,
  want: string,
])[] = [
  ["the host is down", (log) => log.write(down), 3, "1: host-a was down"],
  [
    "the one before is still being made",
    (log) =>
      log.write({ kind: "backupVolume", id, backup: { id: "x", node: a, to: "/s", dueMs: 1 } }),
    3,
    "1: the backup before was still being made on host-a",
  ],
  [
    "the volume is restored",
    (log) => {
      const of = { restore: "r", node: a, source: "x", bytes: 1, digest: "0".repeat(64) };
      log.write({ kind: "restoreVolume", id, ...of });
    },
    3,
    "1: volume data is being restored",
  ],
];

for (const [title, before, hours, want] of misses) {
  test(`missed: ${title}`, () => {
    const log = grown();
    settle(log);
    before(log);
    log.nowMs += hours * hourMs;
    settle(log);
    assert.deepEqual(missed(log), [want]);
    settle(log);
    assert.deepEqual(missed(log), [want]);
  });
}

test("after a night without power, the last one is made and the others are missed", () => {
  const log = grown();
  settle(log);
  log.nowMs += 75 * hourMs;
  settle(log);
  assert.deepEqual(due(log), ["01-04T03:00 a"]);
  assert.deepEqual(missed(log), ["3: a later one was due as well when a leader looked"]);
});

test("another schedule begins now, and none ends it", () => {
  const log = grown();
  settle(log);
  log.nowMs += 2 * hourMs;
  const service = log.store.services()[0];
  assert.ok(service !== undefined);
  const write = (Labels: Labels): void => {
    const { ID, Spec, Version } = log.store.service(service.ID) ?? service;
    const change = { kind: "updateService", id: ID, basedOn: Version.Index } as const;
    log.write({ ...change, spec: { ...Spec, Labels } });
  };
  write({ ...daily, "gam.backup.schedule": "0 * * * *" });
  settle(log);
  assert.deepEqual(due(log), []);
  log.nowMs += hourMs;
  settle(log);
  assert.deepEqual(due(log), ["01-01T03:00 a"]);
  write({});
  settle(log);
  assert.equal(log.store.volume(id)?.Backups?.handledMs, undefined);
  log.nowMs += 1000 * hourMs;
  write(daily);
  settle(log);
  assert.deepEqual(missed(log), []);
});

test("a lost plan, a new leader or a clock that is set back repeats and loses none", () => {
  for (let seed = 1; seed <= 60; seed += 1) {
    const random = seededRandom(seed);
    const log = grown({ ...daily, "gam.backup.schedule": "7 */2 * * *" });
    let leader = new Orchestrator(mint);
    leader.noticeAll();
    const tell = (changes: readonly Change[]): void => {
      for (const event of log.write(...changes).events) leader.notice(event);
    };
    const facts = () => ({ nowMs: log.nowMs, verdicts: new Map() });
    const lead = (): void => {
      for (let round = 0; round < 4; round += 1) {
        const changes = leader
          .plan(log.store, facts())
          .filter(({ kind }) => kind === "handleBackupDue");
        if (random.below(4) > 0) tell(changes);
        // The plan of the leader before arrives as well.
        if (random.below(4) === 0) tell(changes);
      }
    };
    lead();
    settle(log);
    const beginMs = log.nowMs;
    let highestMs = log.nowMs;
    for (let step = 0; step < 100; step += 1) {
      log.nowMs += random.below(90) * 60_000;
      // A jump of more than three hours means that the clock was wrong before.
      if (random.below(10) === 0) log.nowMs = highestMs - 2 * hourMs;
      highestMs = Math.max(highestMs, log.nowMs);
      if (random.below(8) === 0) {
        leader = new Orchestrator(mint);
        leader.noticeAll();
      }
      lead();
      if (random.below(3) > 0) finish(log);
    }
    log.nowMs = Math.max(highestMs, log.nowMs);
    settle(log);
    const times = (log.store.volume(id)?.Backups?.list ?? []).map(({ dueMs }) => dueMs);
    assert.equal(new Set(times).size, times.length, `seed ${seed}: a due time twice`);
    const handled = times.length + sum(log);
    const wanted = Math.floor((log.nowMs - beginMs) / (2 * hourMs) + 1 - 7 / 120);
    assert.ok(times.length > 5, `seed ${seed}: ${times.length} backups`);
    assert.equal(handled, wanted, `seed ${seed}: ${handled} of ${wanted} due times handled`);
  }
});

function sum(log: TestLog): number {
  const all = log.store.volume(id)?.Backups?.missed ?? [];
  return all.reduce((total, { count }) => total + count, 0);
}
