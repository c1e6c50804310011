/** What a rollout makes of its checks. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { counterMint } from "@gam/core/testing";
import type { PlannedChange, Rollout, TaskCheck } from "@gam/state";
import { aRollout } from "@gam/state/testing";
import { Orchestrator } from "../orchestrator.ts";
import { logOf, on, second, show, startMs } from "../plan-suite.ts";
import type { CheckFacts, ServiceAnswer } from "./analysis.ts";

const labels = {
  "gam.rollout": "canary",
  "gam.rollout.steps": "50%:10s",
  "gam.rollout.deadline": "60s",
};
const byTask = { ...labels, "gam.rollout.check.http": ":80/health" };
const byUrl = { ...labels, "gam.rollout.check.http": "http://probe/" };
const byQuery = {
  ...labels,
  "gam.rollout.check.prometheus.url": "http://prom",
  "gam.rollout.check.prometheus.query": "errors",
  "gam.rollout.check.prometheus.max": "1",
};

const well: TaskCheck = { failures: 0, reason: "" };
const ill = (failures: number): TaskCheck => ({ failures, reason: "status 500" });
const known = (check: TaskCheck): ServiceAnswer => ({ ...check, isKnown: true });

const goesOn = "rollout 1 starting 50% []: updating";
const stays = "rollout 0 watching 50% []: updating";
const back = (why: string): string => `rollback: canary rolled back at 50 %: ${why}`;

interface Case {
  readonly name: string;
  readonly labels: Record<string, string>;
  readonly task?: TaskCheck;
  readonly answer?: ServiceAnswer;
  readonly nowS: number;
  readonly rollout?: Partial<Rollout>;
  readonly want: string;
}

const cases: readonly Case[] = [
  { name: "goes on without checks", labels, nowS: 10, want: goesOn },
  { name: "goes on when its task is well", labels: byTask, task: well, nowS: 10, want: goesOn },
  { name: "stays while its task was not asked", labels: byTask, nowS: 10, want: stays },
  { name: "stays after a failure", labels: byTask, task: ill(1), nowS: 10, want: stays },
  {
    name: "goes back after three failures in a row",
    ...{ labels: byTask, task: ill(3), nowS: 1 },
    want: back("task n1, asked for /health, failed 3 times in a row: status 500"),
  },
  {
    name: "goes back after as many failures as its owner allows",
    ...{ labels: { ...byTask, "gam.rollout.check.failures": "1" }, task: ill(1), nowS: 1 },
    want: back("task n1, asked for /health, failed 1 times in a row: status 500"),
  },
  {
    name: "goes back in a pause as well",
    ...{ labels: byTask, task: ill(3), nowS: 1 },
    rollout: { paused: { atMs: startMs, by: "person" } },
    want: back("task n1, asked for /health, failed 3 times in a row: status 500"),
  },
  {
    name: "goes back when nobody answers until the deadline",
    ...{ labels: byTask, nowS: 70 },
    want: back("its checks do not pass: task n1, asked for /health, was not asked yet"),
  },
  {
    name: "goes on when the URL is well",
    labels: byUrl,
    answer: known(well),
    nowS: 10,
    want: goesOn,
  },
  {
    name: "goes back when the URL is not",
    ...{ labels: byUrl, answer: known(ill(3)), nowS: 1 },
    want: back("http://probe/ failed 3 times in a row: status 500"),
  },
  {
    name: "goes on when the query is in bounds",
    labels: byQuery,
    answer: known(well),
    nowS: 10,
    want: goesOn,
  },
  {
    name: "stays when the query has no result",
    ...{ labels: byQuery, answer: { ...well, reason: "no result", isKnown: false }, nowS: 10 },
    want: stays,
  },
  {
    name: "does not judge tasks that have just started",
    ...{ labels: byTask, task: ill(9), nowS: 0 },
    rollout: { phase: "starting", weight: 0 },
    want: stays,
  },
];

for (const { name, labels: Labels, task, answer, nowS, rollout, want } of cases) {
  test(`a canary ${name}`, () => {
    const log = logOf({
      service: { replicas: 2, spec: { Labels } },
      imageBefore: "tiny:0",
      tasks: [
        ["t1", on("a", 1)],
        ["t2", on("a", 2)],
        ["n1", on("b", 1, { extra: second })],
      ],
      update: {
        rollout: aRollout({
          ...{ version: 2, base: 1, sinceMs: startMs, phase: "watching", weight: 50 },
          ...rollout,
        }),
      },
      nowS,
    });
    const checks: CheckFacts = {
      taskCheck: ({ ID }) => (ID === "n1" ? task : ill(100)),
      serviceAnswer: () => answer,
    };
    const orchestrator = new Orchestrator(counterMint("new"));
    orchestrator.noticeAll();
    const facts = { nowMs: log.nowMs, verdicts: new Map(), checks };
    const planned: readonly PlannedChange[] = orchestrator.plan(log.store, facts);
    assert.deepEqual(planned.map(show), [want]);
  });
}

test("what it waits for is in the update status", () => {
  const log = logOf({
    service: { replicas: 1, spec: { Labels: byTask } },
    imageBefore: "tiny:0",
    tasks: [
      ["t1", on("a", 1)],
      ["n1", on("b", 1, { extra: second })],
    ],
    update: {
      rollout: aRollout({ version: 2, base: 1, sinceMs: startMs, phase: "watching", weight: 50 }),
    },
    nowS: 10,
  });
  const orchestrator = new Orchestrator(counterMint("new"));
  orchestrator.noticeAll();
  const [change] = orchestrator.plan(log.store, { nowMs: log.nowMs, verdicts: new Map() });
  assert.equal(
    change?.kind === "progressRollout" && change.status.Message,
    "canary, step 1 of 2: 50 % of new connections go to the new version; waits for its checks: " +
      "task n1, asked for /health, was not asked yet",
  );
});
