import assert from "node:assert/strict";
import { test } from "node:test";
import type { Task, TaskExtra, TaskStatus } from "../objects/task.ts";
import { aTask, TestLog } from "../testing/index.ts";
import { aService } from "../testing/objects.ts";
import { crashesWith, restartNote } from "./crash-loop.ts";

const endMs = Date.UTC(2026, 0, 1);

interface Case {
  readonly status?: Partial<TaskStatus>;
  readonly extra?: Partial<TaskExtra>;
  readonly windowS?: number;
  readonly desired?: Task["DesiredState"];
}

function aStored({ status, extra, windowS = 0, desired = "ready" }: Case): Task {
  const log = new TestLog();
  const RestartPolicy = { Window: windowS * 1e9 };
  const wish = { node: "a", desired, extra: extra ?? {}, template: {} };
  const task = aTask("web", "t", wish);
  log.write(aService("web"), {
    kind: "createTask",
    task: {
      ...task,
      Spec: { ...task.Spec, RestartPolicy },
      Status: { Timestamp: new Date(endMs).toISOString(), State: "failed", ...status },
    },
  });
  return log.store.tasks()[0] as Task;
}

const before = { count: 3, reason: "because" };
const counts: readonly (readonly [name: string, stored: Case, want: number])[] = [
  ["the first one", {}, 1],
  ["one that never ran", { extra: { crashes: before } }, 4],
  ["a short run", { extra: { crashes: before, startedAtMs: endMs - 59_999 } }, 4],
  ["a healthy run", { extra: { crashes: before, startedAtMs: endMs - 60_000 } }, 1],
  [
    "a run that its policy calls healthy",
    { windowS: 9, extra: { crashes: before, startedAtMs: endMs - 9000 } },
    1,
  ],
  [
    "a run by a clock that was set back",
    { extra: { crashes: before, startedAtMs: endMs + 9e6 } },
    4,
  ],
];
for (const [name, stored, want] of counts) {
  test(`crashes in a row with ${name}: ${want}`, () => {
    assert.equal(crashesWith(aStored(stored)).count, want);
  });
}

test("the reason of a crash is what the task's error says, or its exit code", () => {
  const error = { Err: "No such image: x" };
  assert.equal(crashesWith(aStored({ status: error })).reason, "No such image: x");
  const done = { State: "complete", ContainerStatus: { ExitCode: 0 } } as const;
  assert.equal(crashesWith(aStored({ status: done })).reason, "task: exit (0)");
  assert.equal(crashesWith(aStored({ status: { Err: "x".repeat(8192) } })).reason.length, 512);
});

const waits = {
  crashes: { count: 6, reason: "task: non-zero exit (1)" },
  startAfterMs: endMs + 39_500,
};
const notes: readonly (readonly [name: string, stored: Case, want: string | undefined])[] = [
  [
    "waits",
    { extra: waits, status: { State: "ready" } },
    "restarts in 40 s, after 6 failures in a row: task: non-zero exit (1)",
  ],
  [
    "is due",
    { extra: { ...waits, startAfterMs: endMs }, status: { State: "ready" } },
    "restarts now, after 6 failures in a row: task: non-zero exit (1)",
  ],
  ["could not be prepared", { extra: waits, status: { State: "rejected" } }, undefined],
  ["may run", { extra: waits, status: { State: "ready" }, desired: "running" }, undefined],
  [
    "waits for the first time",
    { extra: { ...waits, crashes: { count: 1, reason: "x" } }, status: { State: "ready" } },
    undefined,
  ],
  ["never failed", { status: { State: "ready" } }, undefined],
];
for (const [name, stored, want] of notes) {
  test(`a task that ${name} ${want === undefined ? "has no note" : "says why"}`, () => {
    assert.equal(restartNote(aStored(stored), endMs), want);
  });
}
