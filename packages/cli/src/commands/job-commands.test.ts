import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { type TestContext, test } from "node:test";
import { testId } from "@gam/core/testing";
import type { JobHistory, JobRun } from "@gam/state/answers";
import { run } from "../program.ts";
import { fakeAgent, refusal, type Script } from "../testing/fake-agent.ts";

const nowMs = Date.UTC(2030, 0, 1, 12);
const dayMs = 86_400_000;
const aRun = (number: number, change: Partial<JobRun> = {}): JobRun => {
  const dueMs = nowMs + (number - 10) * dayMs;
  const startedMs = dueMs + 100;
  return {
    ...{ number, dueMs, startedMs, by: "schedule" },
    ...{ result: "complete", endedMs: startedMs + 90_000, reason: "" },
    ...change,
  };
};
const reason = "task: non-zero exit (1)";
const runs = [aRun(7), aRun(9, { result: "failed", reason })];
const job: JobHistory = {
  ...{ id: testId("j"), name: "report", schedule: "@daily", timezone: "UTC", suspended: false },
  ...{ nextMs: nowMs + dayMs / 2, active: 0, last: runs[1] ?? null, runs },
  missed: [
    {
      fromMs: nowMs - 2 * dayMs,
      untilMs: nowMs - 2 * dayMs,
      count: 1,
      reason: "run 7 was still active",
    },
  ],
};

async function gam(context: TestContext, script: Script, args: readonly string[]) {
  const agent = await fakeAgent(script);
  context.after(() => agent.close());
  const printed: string[] = [];
  const complained: string[] = [];
  const exit = await run(["--socket", agent.socket, ...args], {
    environment: {},
    cwd: tmpdir(),
    isTerminal: false,
    pause: () => Promise.resolve(),
    onInterrupt: () => () => undefined,
    nowMs: () => nowMs,
    print: (line) => printed.push(line),
    complain: (line) => complained.push(line),
  });
  return { exit, printed, complained };
}

test("gam job ls shows when jobs run next, and how the last run ended", async (context) => {
  const { runs: _, missed: __, ...summary } = job;
  const plain = { ...summary, name: "once", schedule: "", nextMs: null, last: null };
  const paused = { ...summary, name: "paused", suspended: true, nextMs: null };
  const script = { "GET /gam/v1/jobs": [summary, plain, paused] };
  const { exit, printed } = await gam(context, script, ["job", "ls"]);
  assert.equal(exit, 0);
  assert.deepEqual(printed, [
    "NAME    SCHEDULE      NEXT                 ACTIVE  LAST RUN      RESULT",
    "report  @daily (UTC)  2030-01-02 00:00:00  0       23 hours ago  failed",
    "once    -             -                    0       -             -",
    "paused  @daily (UTC)  suspended            0       23 hours ago  failed",
  ]);
});

test("gam job history shows runs and misses, newest first", async (context) => {
  const script = { "GET /gam/v1/jobs/report": job };
  const { printed } = await gam(context, script, ["job", "history", "report"]);
  assert.deepEqual(printed, [
    "Next: 2030-01-02 00:00:00",
    "",
    "RUN  DUE                  BY        TOOK  RESULT    REASON",
    "9    2029-12-31 12:00:00  schedule  90 s  failed    task: non-zero exit (1)",
    "-    2029-12-30 12:00:00  schedule  -     missed    run 7 was still active",
    "7    2029-12-29 12:00:00  schedule  90 s  complete",
  ]);
});

test("gam job run says the number of the run, and waits for its end if it is asked to", async (context) => {
  const script = {
    "POST /gam/v1/jobs/report/run": { run: 9 },
    "GET /gam/v1/jobs/report": job,
  };
  const begun = await gam(context, script, ["job", "run", "report"]);
  assert.deepEqual([begun.exit, begun.printed], [0, ["Run 9 of report has begun"]]);
  const failed = await gam(context, script, ["job", "run", "--wait", "report"]);
  const ended = `Run 9 of report has ended: failed: ${reason}`;
  assert.deepEqual([failed.exit, failed.printed.at(-1)], [1, ended]);
});

test("gam job run and logs show why they are refused", async (context) => {
  const script = {
    "POST /gam/v1/jobs/report/run": refusal(500, "run 1 of report is still active"),
    "GET /gam/v1/jobs/report/logs?stdout=1&stderr=1&run=4": refusal(404, "No task of run 4"),
  };
  const second = await gam(context, script, ["job", "run", "report"]);
  assert.deepEqual([second.exit, second.complained], [1, ["gam: run 1 of report is still active"]]);
  const { exit, complained } = await gam(context, script, ["job", "logs", "report", "--run", "4"]);
  assert.deepEqual([exit, complained], [1, ["gam: No task of run 4"]]);
});
