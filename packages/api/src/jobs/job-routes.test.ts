/** gam's calls about jobs: what they show, and what they refuse. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { checkJobHistory, checkJobs, type JobHistory } from "@gam/state/answers";
import { aTask } from "@gam/state/testing";
import { Rig } from "../testing/rig.ts";

let rig: Rig;

before(async () => {
  rig = await Rig.start(1);
});
after(() => rig.stop());

async function create(name: string, more: object): Promise<string> {
  const TaskTemplate = { ContainerSpec: { Image: "tiny:1" } };
  const answer = await rig.call("POST", "/services/create", { Name: name, TaskTemplate, ...more });
  assert.equal(answer.status, 201, answer.text);
  return answer.body.ID;
}

const job = { ReplicatedJob: { MaxConcurrent: 1, TotalCompletions: 1 } };

async function history(ref: string): Promise<JobHistory> {
  return checkJobHistory((await rig.call("GET", `/gam/v1/jobs/${ref}`)).body, "job");
}

async function run(ref: string): Promise<readonly [number, unknown]> {
  const { status, body } = await rig.call("POST", `/gam/v1/jobs/${ref}/run`, {});
  return [status, body];
}

test("a job with a schedule is listed with its next run, and runs now if it is asked to", async () => {
  const Labels = { "gam.cron": "0 0 1 1 *", "gam.cron.timezone": "Europe/Berlin" };
  const id = await create("yearly", { Mode: job, Labels });
  const [listed] = checkJobs((await rig.call("GET", "/gam/v1/jobs")).body, "jobs");
  assert.ok(listed);
  assert.deepEqual(
    [listed.id, listed.name, listed.schedule, listed.timezone, listed.active, listed.last],
    [id, "yearly", "0 0 1 1 *", "Europe/Berlin", 0, null],
  );
  assert.equal(new Date(listed.nextMs ?? 0).toISOString().slice(4), "-12-31T23:00:00.000Z");
  assert.deepEqual(await run("yearly"), [200, { run: 1 }]);
  const { runs, active } = await history(id.slice(0, 12));
  assert.deepEqual(
    [active, runs.map(({ number, by, result }) => [number, by, result])],
    [1, [[1, "hand", "active"]]],
  );
  const [status, body] = await run("yearly");
  assert.equal(status, 403);
  assert.match(JSON.stringify(body), /run 1 of yearly is still active: wait for its end/);
});

test("a job without a schedule has the runs of its tasks", async () => {
  const id = await create("once", { Mode: job });
  const node = rig.door.self;
  const done = aTask(id, "t1", { slot: 0, node, state: "complete", desired: "complete" });
  const failed = aTask(id, "t2", { slot: 0, node, state: "failed", desired: "shutdown" });
  const Status = { ...failed.Status, Err: "task: non-zero exit (3)" };
  // The door runs a task of the first run.
  rig.door.apply([
    { kind: "createTask", task: { ...done, JobIteration: { Index: 1 } } },
    { kind: "createTask", task: { ...failed, Status, JobIteration: { Index: 2 } } },
  ]);
  const { runs, schedule, nextMs } = await history("once");
  assert.deepEqual([schedule, nextMs], ["", null]);
  assert.deepEqual(
    runs.map(({ number, result, reason }) => [number, result, reason]),
    [
      [0, "active", ""],
      [1, "complete", ""],
      [2, "failed", "task: non-zero exit (3)"],
    ],
  );
});

const refused: readonly (readonly [path: string, status: number, message: RegExp])[] = [
  ["/gam/v1/jobs/nothing", 404, /service nothing not found/],
  ["/gam/v1/jobs/web", 400, /Service web is no job: only services of mode replicated-job/],
  ["/gam/v1/jobs/once/logs?stdout=1&run=x", 400, /"x" is no number of a run/],
  ["/gam/v1/jobs/once/logs?stdout=1&run=77", 404, /No task of run 77 of once is kept/],
];
test("what is no job, and a run that is not kept, are refused", async () => {
  await create("web", {});
  for (const [path, status, message] of refused) {
    const answer = await rig.call("GET", path);
    assert.equal(answer.status, status, path);
    assert.match(answer.body.message, message);
  }
});
