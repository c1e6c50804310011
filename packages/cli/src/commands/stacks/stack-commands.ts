/** Stack commands: `gam stack deploy|ls|ps|services|config|rm`, over the same Engine API that the docker client uses. */
import { dirname, resolve } from "node:path";
import { type Problem, readStack, showFile, showProblem, stackLabel } from "@gam/compose";
import { GamError } from "@gam/core";
import type { PlanReport } from "@gam/state/answers";
import { createColors } from "picocolors";
import type { AgentClient } from "../../agent/agent-client.ts";
import type { CommandIo } from "../../agent/command-io.ts";
import { checkNodes, checkServices, checkTasks, listPath } from "../../agent/engine-calls.ts";
import { readIfThere, readInputFile } from "../../agent/input-file.ts";
import { registryAuth } from "../../agent/registry-auth.ts";
import { columns } from "../../views/columns.ts";
import { progressLine } from "../../views/convergence.ts";
import { changesView, planView } from "../../views/plan-view.ts";
import { serviceRows } from "../../views/service-rows.ts";
import type { Paint } from "../../views/status-view.ts";
import { taskRows } from "../../views/task-rows.ts";
import { deploySteps, perform, type ResolveImage, type Step } from "./stack-deploy.ts";
import { removeStack } from "./stack-remove.ts";
import { obstacles, type Survey, surveyStack } from "./stack-survey.ts";
import { waitForStack } from "./stack-wait.ts";

export interface FileOptions {
  readonly composeFile: readonly string[];
  readonly profile: readonly string[];
}

export interface DeployOptions extends FileOptions {
  /** The stack's name. */
  readonly name: string;
  readonly prune?: boolean;
  readonly resolveImage: ResolveImage;
  readonly withRegistryAuth?: boolean;
  /** Do not wait until the services run. */
  readonly detach?: boolean;
  readonly quiet?: boolean;
  /** Only show what would follow. */
  readonly plan?: boolean;
  /** Print the plan as JSON. */
  readonly json?: boolean;
}

type Read = Extract<ReturnType<typeof readStack>, { ok: true }>;

/** Returns: whether it came to its end; false after Ctrl-C. Errors: those of AgentClient; BAD_REQUEST, REFUSED. */
export async function deploy(
  client: AgentClient,
  io: CommandIo,
  options: DeployOptions,
): Promise<boolean> {
  const { name, detach = false, quiet = false } = options;
  if (options.json && !options.plan) {
    throw new GamError("BAD_REQUEST", 'Cannot print JSON of a deployment. Add "--plan"');
  }
  const { stack } = readFiles(io, name, options);
  if (options.plan) return await showPlan(client, io, { ...options, stack, shows: planView });
  const { steps, survey } = await stepsOf(client, io, { ...options, stack });
  let stopped = false;
  const restore = io.onInterrupt(() => {
    stopped = true;
  });
  try {
    const { done, left } = await perform(steps, io, () => stopped);
    if (left.length > 0) {
      const before = done.length === 0 ? "nothing" : done.join(", ");
      io.complain(`Interrupted. Done: ${before}. Not done: ${left.join(", ")}`);
      io.complain("Run the command again to complete the stack");
      return false;
    }
    if (detach) {
      io.complain(`Run "gam stack ps ${name}" to see where its tasks run`);
      return true;
    }
    const services = new Set(stack.services.map(({ spec }) => spec.Name));
    const before = survey.services;
    const wait = { name, services, before, quiet, isStopped: () => stopped };
    const result = await waitForStack(client, io, wait);
    return verdict(io, { name, count: services.size, ...result });
  } finally {
    restore();
  }
}

type Deployed = DeployOptions & { readonly stack: Read["stack"] };

/** Returns: the writes of a deployment. Errors: BAD_REQUEST when the cluster would refuse some of them. */
async function stepsOf(
  client: AgentClient,
  io: CommandIo,
  { name, stack, prune = false, resolveImage, withRegistryAuth }: Deployed,
): Promise<{ readonly steps: readonly Step[]; readonly survey: Survey }> {
  const survey = await surveyStack(client, stack);
  const found = obstacles(survey, { name, stack, prune });
  if (found.length > 0) throw refused(io, name, found);
  const auth = withRegistryAuth ? registryAuth(io.environment) : () => undefined;
  const steps = deploySteps(client, io, {
    ...{ name, stack, survey, prune, resolveImage },
    registryAuth: auth,
  });
  return { steps, survey };
}

interface Showing extends Deployed {
  readonly shows: (report: PlanReport, paint: Paint) => string[];
}

/** Deploys into a copy of the cluster's state, and shows what would follow. Returns: true. */
async function showPlan(
  client: AgentClient,
  io: CommandIo,
  { shows, ...options }: Showing,
): Promise<true> {
  const report = await foreseen(client, io, options);
  if (options.json) io.print(JSON.stringify(report, undefined, 2));
  else for (const line of shows(report, createColors(io.isTerminal))) io.print(line);
  return true;
}

async function foreseen(
  client: AgentClient,
  io: CommandIo,
  options: Deployed,
): Promise<PlanReport> {
  const { PlanClient } = await import("../../agent/plan-client.ts");
  // What a deployment prints on its way has not happened.
  const silent = { ...io, print: () => undefined };
  return await PlanClient.rehearse(client, async (plan) => {
    const { steps } = await stepsOf(plan, silent, options);
    await perform(steps, silent, () => false);
  });
}

/**
 * Shows what is different between the files and what runs. Services of the stack that are not in the files count as
 * different. Returns: whether nothing is. Errors: as deploy().
 */
export async function diff(
  client: AgentClient,
  io: CommandIo,
  {
    name,
    json = false,
    ...files
  }: FileOptions & { readonly name: string; readonly json?: boolean },
): Promise<boolean> {
  const { stack } = readFiles(io, name, files);
  const options = { ...files, name, stack, prune: true, resolveImage: "never" } as const;
  const report = await foreseen(client, io, options);
  const { objects } = report;
  if (json) io.print(JSON.stringify(objects, undefined, 2));
  else for (const line of changesView(report, createColors(io.isTerminal))) io.print(line);
  return objects.length === 0;
}

function verdict(
  io: CommandIo,
  {
    name,
    count,
    failed,
    open,
  }: Awaited<ReturnType<typeof waitForStack>> & { readonly name: string; readonly count: number },
): boolean {
  for (const one of failed) io.complain(`Failed: ${progressLine(one)}`);
  if (open.length > 0) {
    io.complain("Interrupted. All writes are done; these services go on in the background:");
    for (const one of open) io.complain(`  ${progressLine(one)}`);
    io.complain(`Run "gam stack ps ${name}" to see how they go on`);
    return false;
  }
  if (failed.length > 0) {
    const message = `${failed.length} of ${count} services of stack "${name}" do not run. Run "gam stack ps ${name}" to see why`;
    throw new GamError("REFUSED", message);
  }
  io.print(`Stack ${name} runs: ${count} service${count === 1 ? "" : "s"} converged`);
  return true;
}

/** Prints the files as one, with variables filled in. Errors: BAD_REQUEST for files with errors. */
export function config(io: CommandIo, options: FileOptions): void {
  io.print(showFile(readFiles(io, configName, options).file));
}

/** A stack's name changes nothing in its files. */
const configName = "stack";

function readFiles(io: CommandIo, name: string, options: FileOptions): Read {
  const [first = "-"] = options.composeFile;
  const workingDir = first === "-" ? io.cwd : dirname(resolve(io.cwd, first));
  const files = options.composeFile.map((path) => ({
    name: path === "-" ? "stdin" : path,
    text: readInputFile(io, path),
  }));
  const environment = Object.fromEntries(
    Object.entries(io.environment).flatMap(([key, value]) =>
      value === undefined ? [] : [[key, value]],
    ),
  );
  const result = readStack(files, {
    ...{ projectName: name, environment, workingDir, profiles: options.profile },
    readFile: readIfThere,
  });
  const paint = createColors(io.isTerminal);
  tell(io, result.warnings, paint.yellow("warning"));
  if (result.ok) return result;
  throw refused(io, name, result.errors);
}

function tell(io: CommandIo, problems: readonly Problem[], word: string): void {
  for (const problem of problems) io.complain(`${word}: ${showProblem(problem)}`);
}

/** Tells the errors. Returns: the error that ends the command. */
function refused(io: CommandIo, name: string, errors: readonly Problem[]): GamError {
  tell(io, errors, createColors(io.isTerminal).red("error"));
  const count = `${errors.length} error${errors.length === 1 ? "" : "s"}`;
  const message = `Cannot deploy "${name}": ${count} in its files, nothing was changed. Correct them and deploy again`;
  return new GamError("BAD_REQUEST", message);
}

export async function list(client: AgentClient, io: CommandIo): Promise<void> {
  const path = listPath("/services", { label: [stackLabel] });
  const counts = new Map<string, number>();
  for (const { Spec } of checkServices(await client.get(path), "services")) {
    const stack = Spec.Labels?.[stackLabel] ?? "";
    counts.set(stack, (counts.get(stack) ?? 0) + 1);
  }
  const names = [...counts].sort(([a], [b]) => collator.compare(a, b));
  const rows = names.map(([name, count]) => [name, String(count)]);
  for (const line of columns([["NAME", "SERVICES"], ...rows])) io.print(line);
}

const collator = new Intl.Collator("en", { numeric: true });

export interface ListOptions {
  /** The stack's name. */
  readonly name: string;
  /** `key=value`, as the docker client takes them. */
  readonly filter: readonly string[];
  readonly quiet?: boolean;
}

/** Errors: those of AgentClient; BAD_REQUEST for a filter without a value. */
export async function services(
  client: AgentClient,
  io: CommandIo,
  { name, filter, quiet = false }: ListOptions,
): Promise<void> {
  const path = listPath("/services?status=true", filtersOf(name, filter));
  const found = checkServices(await client.get(path), "services");
  if (found.length === 0) {
    io.complain(`Nothing found in stack: ${name}`);
    return;
  }
  const sorted = [...found].sort((a, b) => collator.compare(a.Spec.Name, b.Spec.Name));
  if (quiet) for (const { ID } of sorted) io.print(ID);
  else for (const line of columns(serviceRows(sorted))) io.print(line);
}

export interface TaskListOptions extends ListOptions {
  readonly trunc: boolean;
  /** Show names of services and nodes instead of their ids. */
  readonly resolve: boolean;
}

/** Errors: those of AgentClient; NOT_FOUND for a stack without tasks, BAD_REQUEST for a filter without a value. */
export async function tasks(
  client: AgentClient,
  io: CommandIo,
  { name, filter, quiet = false, trunc, resolve: names }: TaskListOptions,
): Promise<void> {
  const path = listPath("/tasks", filtersOf(name, filter));
  const found = checkTasks(await client.get(path), "tasks");
  if (found.length === 0) {
    const message = `nothing found in stack: ${name}. Run "gam stack ls" for the stacks`;
    throw new GamError("NOT_FOUND", message);
  }
  const services = names ? checkServices(await client.get(listPath("/services")), "services") : [];
  const nodes = names ? checkNodes(await client.get(listPath("/nodes")), "nodes") : [];
  const rows = taskRows({ tasks: found, services, nodes, nowMs: io.nowMs(), trunc });
  const ids = rows.slice(1).map(([id = ""]) => id);
  for (const line of quiet ? ids : columns(rows)) io.print(line);
}

function filtersOf(name: string, filter: readonly string[]): Record<string, string[]> {
  const filters: Record<string, string[]> = { label: [`${stackLabel}=${name}`] };
  for (const one of filter) {
    const [, key, value] = /^([^=]+)=(.*)$/.exec(one) ?? [];
    if (key === undefined || value === undefined) {
      throw new GamError("BAD_REQUEST", `Cannot filter by "${one}". Write key=value`);
    }
    filters[key] = [...(filters[key] ?? []), value];
  }
  return filters;
}

/** Errors: those of the first stack that could not be removed, after all were tried. */
export async function remove(
  client: AgentClient,
  io: CommandIo,
  names: readonly string[],
): Promise<void> {
  let failure: GamError | undefined;
  for (const name of names) {
    try {
      await removeStack(client, io, name);
    } catch (thrown) {
      if (!(thrown instanceof GamError) || thrown.code === "UNREACHABLE") throw thrown;
      failure ??= thrown;
    }
  }
  if (failure !== undefined) throw failure;
}
