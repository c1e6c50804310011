/** Job commands: what jobs there are, their runs, and a run now. */
import { check } from "@gam/core";
import { checkJobHistory, checkJobs, type JobRun } from "@gam/state/answers";
import type { AgentClient } from "../agent/agent-client.ts";
import type { CommandIo } from "../agent/command-io.ts";
import { historyView, jobsView } from "../views/job-view.ts";
import { LogLines } from "../views/see/log-lines.ts";

/** How often the end of a run is looked for. */
const lookMs = 500;
const checkBegun = check.object({ run: check.integer() });

interface Printing {
  readonly json?: boolean;
}

export async function list(
  client: AgentClient,
  io: CommandIo,
  { json = false }: Printing,
): Promise<void> {
  const answer = await client.get("/gam/v1/jobs");
  const jobs = checkJobs(answer, "jobs");
  if (json) io.print(JSON.stringify(answer, undefined, 2));
  else for (const line of jobsView(jobs, io.nowMs())) io.print(line);
}

export async function history(
  client: AgentClient,
  io: CommandIo,
  { name, json = false }: Printing & { readonly name: string },
): Promise<void> {
  const answer = await client.get(pathOf(name));
  const job = checkJobHistory(answer, "job");
  if (json) io.print(JSON.stringify(answer, undefined, 2));
  else for (const line of historyView(job, io.nowMs())) io.print(line);
}

/** Returns: whether the run has not failed, as far as the command has waited for it. */
export async function runNow(
  client: AgentClient,
  io: CommandIo,
  { name, wait = false }: { readonly name: string; readonly wait?: boolean },
): Promise<boolean> {
  const { run } = checkBegun(await client.post(`${pathOf(name)}/run`, {}), "run");
  io.print(`Run ${run} of ${name} has begun`);
  if (!wait) return true;
  const ended = await endOf(client, io, { name, run });
  const why = ended.reason === "" ? "" : `: ${ended.reason}`;
  io.print(`Run ${run} of ${name} has ended: ${ended.result}${why}`);
  return ended.result === "complete";
}

async function endOf(
  client: AgentClient,
  io: CommandIo,
  { name, run }: { readonly name: string; readonly run: number },
): Promise<JobRun> {
  for (;;) {
    const { runs } = checkJobHistory(await client.get(pathOf(name)), "job");
    const found = runs.find(({ number }) => number === run);
    // The tasks of a job without a schedule are made a moment after its run began.
    if (found !== undefined && found.result !== "active") return found;
    await io.pause(lookMs);
  }
}

export async function logs(
  client: AgentClient,
  io: CommandIo,
  { name, run, timestamps = false }: Logs,
): Promise<void> {
  const wanted = [
    ["stdout", "1"],
    ["stderr", "1"],
    ...(timestamps ? [["timestamps", "1"]] : []),
    ...(run === undefined ? [] : [["run", run]]),
  ];
  const lines = new LogLines(io);
  const query = new URLSearchParams(wanted);
  await client.stream(`${pathOf(name)}/logs?${query}`, (piece, type) => lines.add(piece, type));
  lines.end();
}

interface Logs {
  readonly name: string;
  /** Number of a run. Absent: the newest one. */
  readonly run?: string;
  readonly timestamps?: boolean;
}

function pathOf(name: string): string {
  return `/gam/v1/jobs/${encodeURIComponent(name)}`;
}
