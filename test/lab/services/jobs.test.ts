/** Jobs by a schedule, and crash loops, on real hosts. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { checkJobHistory, type JobHistory } from "@gam/state/answers";
import { type Host, Lab, labUnavailable } from "../clusters/lab.ts";
import { LabMesh } from "../clusters/lab-mesh.ts";
import { mustDocker } from "../clusters/must-docker.ts";

const skip = labUnavailable() ?? false;
const number = 52;
const patienceMs = 120_000;
const stepMs = 5000;

describe("jobs on three hosts", { skip }, () => {
  let lab: Lab;
  let mesh: LabMesh;
  let asked: Host;

  before(async () => {
    lab = await Lab.up({ hosts: 3, number, agents: true });
    mesh = await LabMesh.form(lab);
    const leader = await mesh.leader(lab.host(1));
    asked = lab.hosts.find((host) => host.number !== leader) as Host;
  });
  after(async () => {
    await Lab.down(number);
  });

  const create = async (
    name: string,
    options: readonly string[],
    script: string,
  ): Promise<void> => {
    const command = ["gam/test:1", "-c", script];
    const fixed = ["service", "create", "--detach", "--name", name, "--entrypoint", "sh"];
    await mustDocker(asked, [...fixed, ...options, ...command]);
  };
  const job = ["--mode", "replicated-job"];
  const history = async (name: string): Promise<JobHistory> => {
    const { code, stdout, stderr } = await asked.gam(["job", "history", "--json", name]);
    assert.equal(code, 0, stderr);
    return checkJobHistory(JSON.parse(stdout), "job");
  };
  const completed = async (name: string): Promise<number> =>
    (await history(name)).runs.filter(({ result }) => result === "complete").length;

  /** Errors: AssertionError for a due time between the first and the last run that is neither run nor noted. */
  const noneMissing = ({ runs, missed }: JobHistory): void => {
    const scheduled = runs.filter(({ by }) => by === "schedule").map(({ dueMs }) => dueMs);
    assert.deepEqual(
      scheduled,
      [...new Set(scheduled)].toSorted((a, b) => a - b),
    );
    const [first = 0] = scheduled;
    for (let dueMs = first; dueMs <= (scheduled.at(-1) ?? 0); dueMs += stepMs) {
      const isNoted = missed.some(({ fromMs, untilMs }) => fromMs <= dueMs && dueMs <= untilMs);
      const at = new Date(dueMs).toISOString();
      assert.ok(scheduled.includes(dueMs) !== isNoted, `${at}: ${JSON.stringify(missed)}`);
    }
  };

  test("a job with a schedule does not run when it is created, and then at each due time", async () => {
    const labels = ["--label", "gam.cron=*/5 * * * * *", "--label", "gam.cron.history=100"];
    await create("tick", [...job, ...labels], "echo tick is done");
    await mesh.until("three runs have completed", patienceMs, async () => {
      return (await completed("tick")) >= 3;
    });
    const found = await history("tick");
    assert.ok(found.runs.every(({ dueMs }) => dueMs % stepMs === 0));
    noneMissing(found);
    const { stdout } = await asked.gam(["job", "ls"]);
    assert.match(stdout, /^tick +\*\/5 \* \* \* \* \* \(UTC\) /m);
    const [done] = found.runs.filter(({ result }) => result === "complete");
    const logs = await asked.gam(["job", "logs", "--run", String(done?.number), "tick"]);
    assert.deepEqual([logs.code, logs.stdout.trim()], [0, "tick is done"]);
  });

  test("the schedule goes on when the leader loses power", async () => {
    const runs = await completed("tick");
    await lab.host(await mesh.leader(asked)).kill();
    await mesh.until("three more runs have completed", patienceMs, async () => {
      return (await completed("tick")) >= runs + 3;
    });
    noneMissing(await history("tick"));
    await mustDocker(asked, ["service", "rm", "tick"]);
  });

  test("a run by hand waits for its end, and a failed one ends with code 1", async () => {
    const labels = ["--label", "gam.cron=@yearly", "--label", "gam.job.retries=0"];
    for (const [name, script, code, result] of [
      ["good", "echo good", 0, "complete"],
      ["bad", "exit 3", 1, "failed: task: non-zero exit \\(3\\)"],
    ] as const) {
      await create(name, [...job, ...labels], script);
      assert.deepEqual((await history(name)).runs, []);
      const ran = await asked.gam(["job", "run", "--wait", name], { timeoutMs: patienceMs });
      assert.equal(ran.code, code, ran.stderr);
      assert.match(ran.stdout, new RegExp(`Run 1 of ${name} has ended: ${result}`));
    }
    await mustDocker(asked, ["service", "update", "--detach", "--force", "good"]);
    await mesh.until("a forced update has run it", patienceMs, async () => {
      return (await completed("good")) === 2;
    });
  });

  test("a crash loop backs off, and docker and gam say so", async () => {
    await create("loop", ["--restart-delay", "1s"], "exit 5");
    const ps = ["service", "ps", "--no-trunc", "loop", "--format", "{{.Error}}"];
    await mesh.until("docker shows the wait", patienceMs, async () => {
      const errors = await mustDocker(asked, ps);
      return /restarts in \d+ s, after \d+ failures in a row: task: non-zero exit \(5\)/.test(
        errors,
      );
    });
    await mesh.until("gam status names the service", patienceMs, async () => {
      const { stdout } = await asked.gam(["status"]);
      return /Service loop does not come up: task: non-zero exit \(5\)/.test(stdout);
    });
  });
});
