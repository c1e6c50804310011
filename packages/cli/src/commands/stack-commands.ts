/** Stack commands: `gam stack deploy|ls|ps|rm`, over the same Engine API that the docker client uses. */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { type Problem, readStack, showProblem, stackLabel } from "@gam/compose";
import { GamError, hasCode, messageOf, rethrowInvariant } from "@gam/core";
import { createColors } from "picocolors";
import type { AgentClient } from "../agent/agent-client.ts";
import type { CommandIo } from "../agent/command-io.ts";
import {
  checkNodes,
  checkServices,
  checkTasks,
  type ServiceItem,
  servicesOf,
  withFilters,
} from "../agent/engine-calls.ts";
import { columns } from "../views/columns.ts";
import { taskRows } from "../views/task-rows.ts";
import { deployStack, type ResolveImage, removeStack } from "./stack-deploy.ts";

export interface DeployOptions {
  /** The stack's name. */
  readonly name: string;
  readonly composeFile: readonly string[];
  readonly profile: readonly string[];
  readonly prune?: boolean;
  readonly resolveImage: ResolveImage;
}

export async function deploy(
  client: AgentClient,
  io: CommandIo,
  options: DeployOptions,
): Promise<void> {
  const { name } = options;
  const [first = "-"] = options.composeFile;
  const workingDir = first === "-" ? io.cwd : dirname(resolve(io.cwd, first));
  const files = options.composeFile.map((path) => ({
    name: path === "-" ? "stdin" : path,
    text: readStackFile(path === "-" ? 0 : resolve(io.cwd, path)),
  }));
  const result = readStack(files, {
    projectName: name,
    environment: Object.fromEntries(
      Object.entries(io.environment).flatMap(([key, value]) =>
        value === undefined ? [] : [[key, value]],
      ),
    ),
    workingDir,
    profiles: options.profile,
    envFile: (path) => readIfThere(resolve(workingDir, path)),
  });
  const paint = createColors(io.isTerminal);
  const tell = (problems: readonly Problem[], word: string): void => {
    for (const problem of problems) io.complain(`${word}: ${showProblem(problem)}`);
  };
  tell(result.warnings, paint.yellow("warning"));
  if (!result.ok) {
    tell(result.errors, paint.red("error"));
    const count = result.errors.length;
    throw new GamError(
      "BAD_REQUEST",
      `Cannot deploy "${name}": ${count} error${count === 1 ? "" : "s"} in its files. Correct them and deploy again`,
    );
  }
  const { prune = false, resolveImage } = options;
  await deployStack(client, io, { name, stack: result.stack, prune, resolveImage });
  io.complain(`Run "gam stack ps ${name}" to see where its tasks run`);
}

function readStackFile(path: string | 0): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    rethrowInvariant(cause);
    throw new GamError("NOT_FOUND", `Cannot read stack file: ${messageOf(cause)}`, { cause });
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (thrown) {
    if (hasCode(thrown, "ENOENT")) return undefined;
    throw thrown;
  }
}

export async function list(client: AgentClient, io: CommandIo): Promise<void> {
  const services = checkServices(
    await client.get(withFilters("/services", stackLabel)),
    "services",
  );
  const counts = new Map<string, number>();
  for (const { Spec } of services) {
    const stack = Spec.Labels?.[stackLabel] ?? "";
    counts.set(stack, (counts.get(stack) ?? 0) + 1);
  }
  const rows = [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const line of columns([
    ["NAME", "SERVICES"],
    ...rows.map(([name, count]) => [name, String(count)]),
  ])) {
    io.print(line);
  }
}

export async function tasks(client: AgentClient, io: CommandIo, name: string): Promise<void> {
  const found = checkTasks(
    await client.get(withFilters("/tasks", `${stackLabel}=${name}`)),
    "tasks",
  );
  if (found.length === 0)
    throw new GamError(
      "NOT_FOUND",
      `Cannot find stack "${name}": it has no tasks. Run "gam stack ls" for the stacks`,
    );
  const services: ServiceItem[] = await servicesOf(client, name);
  const nodes = checkNodes(await client.get("/v1.41/nodes"), "nodes");
  for (const line of columns(taskRows({ tasks: found, services, nodes, nowMs: io.nowMs() })))
    io.print(line);
}

export async function remove(
  client: AgentClient,
  io: CommandIo,
  names: readonly string[],
): Promise<void> {
  for (const name of names) await removeStack(client, io, name);
}
