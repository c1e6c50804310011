/** What becomes of the runs of a job with a schedule, change by change. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServiceId } from "@gam/core";
import type { Change } from "../log/change.ts";
import type { CronMiss, ServiceSpec } from "../objects/service.ts";
import { aService, TestLog } from "../testing/index.ts";

const id = "job" as ServiceId;
const jobMode = { ReplicatedJob: { MaxConcurrent: 1, TotalCompletions: 1 } };

function logOf(labels: Readonly<Record<string, string>> = {}): TestLog {
  const log = new TestLog();
  const Labels = { "gam.cron": "@hourly", ...labels };
  log.write(aService("job", { mode: jobMode, spec: { Labels } }));
  return log;
}

function due(log: TestLog, change: Partial<Extract<Change, { kind: "handleDue" }>> = {}): Change {
  const service = log.store.service(id);
  const sinceMs = service?.Gam.cron?.handledMs;
  const basedOn = service?.Version.Index ?? 0;
  return { kind: "handleDue", id, basedOn, sinceMs, handledMs: 5, missed: [], ...change };
}

function update(log: TestLog, change: (spec: ServiceSpec) => ServiceSpec): void {
  const service = log.store.service(id);
  assert.ok(service);
  const basedOn = service.Version.Index;
  const { outcome } = log.write({ kind: "updateService", id, spec: change(service.Spec), basedOn });
  assert.ok(!("code" in outcome));
}

/** Each run as `1 schedule complete`. */
function runs(log: TestLog): string[] {
  const { runs = [] } = log.store.service(id)?.Gam.cron ?? {};
  return runs.map(({ iteration, by, end }) => `${iteration} ${by} ${end?.result ?? "active"}`);
}

function misses(log: TestLog): readonly CronMiss[] {
  return log.store.service(id)?.Gam.cron?.missed ?? [];
}

const iterationOf = (log: TestLog) => log.store.service(id)?.JobStatus?.JobIteration.Index ?? 0;
const end = (iteration: number): Change => ({
  ...{ kind: "endRun", id, iteration },
  end: { result: "complete", atMs: 9, reason: "" },
});

test("a job with a schedule has no run when it is created, and one when it is due", () => {
  const log = logOf();
  assert.deepEqual([runs(log), iterationOf(log)], [[], 0]);
  log.write(due(log, { startMs: 5 }));
  assert.deepEqual([runs(log), iterationOf(log)], [["1 schedule active"], 1]);
  assert.equal(log.store.service(id)?.Gam.cron?.handledMs, 5);
  log.write(end(1));
  assert.deepEqual(runs(log), ["1 schedule complete"]);
});

test("a due time that was handled by another leader, or of another version, is void", () => {
  const log = logOf();
  const late = due(log, { startMs: 5 });
  log.write(late);
  assert.deepEqual(log.write(late).events, []);
  assert.deepEqual(log.write(due(log, { basedOn: 0, startMs: 6 })).events, []);
  assert.deepEqual(log.write(end(2), end(1), end(1)).events.length, 1);
});

test("a new run replaces the active one, or runs beside it", () => {
  const replacing = logOf({ "gam.cron.concurrency": "replace" });
  replacing.write(due(replacing, { startMs: 5 }));
  replacing.write(due(replacing, { handledMs: 6, startMs: 6 }));
  assert.deepEqual(runs(replacing), ["1 schedule replaced", "2 schedule active"]);
  const overlapping = logOf({ "gam.cron.concurrency": "allow" });
  overlapping.write(due(overlapping, { startMs: 5 }));
  overlapping.write(due(overlapping, { handledMs: 6, startMs: 6 }));
  assert.deepEqual(runs(overlapping), ["1 schedule active", "2 schedule active"]);
});

test("a run by hand is refused while one is active, and for what is no job", () => {
  const log = logOf();
  assert.ok(!("code" in log.write({ kind: "runJob", id }).outcome));
  assert.deepEqual(runs(log), ["1 hand active"]);
  const refused = log.write({ kind: "runJob", id }).outcome;
  assert.match(JSON.stringify(refused), /run 1 of job is still active: wait for its end/);
  log.write(aService("web"));
  const { outcome } = log.write({ kind: "runJob", id: "web" as ServiceId });
  assert.match(JSON.stringify(outcome), /service web is no job/);
});

test("an update begins no run, unless it is forced", () => {
  const log = logOf();
  log.write(due(log, { startMs: 5 }));
  update(log, (spec) => {
    return { ...spec, TaskTemplate: { ...spec.TaskTemplate, ContainerSpec: { Image: "tiny:2" } } };
  });
  assert.deepEqual([runs(log), iterationOf(log)], [["1 schedule active"], 1]);
  update(log, (spec) => ({ ...spec, TaskTemplate: { ...spec.TaskTemplate, ForceUpdate: 1 } }));
  assert.deepEqual(runs(log), ["1 schedule replaced", "2 hand active"]);
});

test("another schedule begins anew, and the same one goes on", () => {
  const log = logOf();
  const labelled = (labels: Readonly<Record<string, string>>) =>
    update(log, (spec) => ({ ...spec, Labels: { ...spec.Labels, ...labels } }));
  log.write(due(log));
  labelled({ "gam.cron.suspend": "true" });
  assert.equal(log.store.service(id)?.Gam.cron?.handledMs, 5);
  labelled({ "gam.cron.suspend": "false" });
  assert.equal(log.store.service(id)?.Gam.cron?.wasSuspended, true);
  log.write(due(log, { handledMs: 6 }));
  assert.equal(log.store.service(id)?.Gam.cron?.wasSuspended, undefined);
  labelled({ "gam.cron": "@daily" });
  assert.equal(log.store.service(id)?.Gam.cron?.handledMs, undefined);
});

test("a job that gets a schedule keeps its run, and one that loses it goes on as a job", () => {
  const log = new TestLog();
  log.write(aService("job", { mode: jobMode }));
  update(log, (spec) => ({ ...spec, Labels: { "gam.cron": "@daily" } }));
  assert.deepEqual(runs(log), ["0 hand active"]);
  update(log, (spec) => ({ ...spec, Labels: {} }));
  assert.equal(log.store.service(id)?.Gam.cron, undefined);
  assert.equal(iterationOf(log), 0);
});

test("so many ended runs and notes are kept, and a note continues the one before it", () => {
  const log = logOf({ "gam.cron.history": "2" });
  for (let n = 1; n <= 4; n += 1) log.write(due(log, { handledMs: n, startMs: n }), end(n));
  assert.deepEqual(runs(log), ["3 schedule complete", "4 schedule complete"]);
  const miss = (ms: number, reason: string): CronMiss => ({
    fromMs: ms,
    untilMs: ms,
    count: 1,
    reason,
  });
  log.write(due(log, { handledMs: 6, missed: [miss(5, "a"), miss(6, "a")] }));
  assert.deepEqual(misses(log), [{ fromMs: 5, untilMs: 6, count: 2, reason: "a" }]);
  log.write(due(log, { handledMs: 7, startMs: 7 }), end(5));
  log.write(due(log, { handledMs: 9, missed: [miss(8, "a"), miss(9, "b")] }));
  assert.deepEqual(misses(log), [miss(8, "a"), miss(9, "b")]);
});
