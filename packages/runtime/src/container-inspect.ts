/** Container inspect: reads the fields that gam uses from the engine's answers about containers. */
import { check, type TaskId } from "@gam/core";
import { label } from "@gam/state";
import type { ContainerState } from "@gam/worker";

const text = check.string(1 << 20);
const labels = check.optional(check.map(text, 4096));
const bindings = check.optional(
  check.map(check.optional(check.list(check.object({ HostPort: text }), 1024)), 4096),
);

/** An engine keeps five runs of a health check, with 4096 bytes of each. */
const probesMax = 64;
const probe = check.object({ ExitCode: check.integer(-(2 ** 31)), Output: text });

const inspected = check.object({
  Id: text,
  State: check.object({
    Status: text,
    Pid: check.integer(),
    ExitCode: check.integer(-(2 ** 31)),
    OOMKilled: check.optional(check.boolean),
    Health: check.optional(
      check.object({ Status: text, Log: check.optional(check.list(probe, probesMax)) }),
    ),
  }),
  Config: check.object({ Labels: labels, StopTimeout: check.optional(check.integer(-1)) }),
  NetworkSettings: check.object({
    Ports: bindings,
    Networks: check.optional(check.map(check.object({}), 4096)),
  }),
});

const listed = check.list(
  check.object({ Id: text, State: text, Status: text, Labels: labels }),
  1 << 20,
);

export interface Inspection {
  readonly state: ContainerState;
  /** The engine's default when the container sets no timeout. */
  readonly stopSeconds: number;
}

const stopSecondsDefault = 10;

/** Returns: `undefined` for a container that is not gam's. Errors: BAD_FRAME. */
export function readInspection(answer: unknown): Inspection | undefined {
  const { Id, State, Config, NetworkSettings } = inspected(answer, "container");
  const task = taskOf(Config.Labels);
  if (task === undefined) return undefined;
  const wanted = Number(Config.Labels?.[label.networks] ?? 0);
  const isWhole = Object.keys(NetworkSettings.Networks ?? {}).length >= wanted;
  const told = phaseOf(State.Status);
  const phase = told === "created" && !isWhole ? "unfinished" : told;
  const ports = Object.entries(NetworkSettings.Ports ?? {}).flatMap(([key, bound]) => {
    const [port, protocol = "tcp"] = key.split("/");
    return (bound ?? []).map(({ HostPort }) => ({
      Protocol: protocol as "tcp" | "udp" | "sctp",
      TargetPort: Number(port),
      PublishedPort: Number(HostPort),
      PublishMode: "host" as const,
    }));
  });
  const health = healthOf(State.Health?.Status ?? "none");
  // The stop of a container kills a run of its check, which has nothing to say then.
  const runs = health === "unhealthy" ? (State.Health?.Log ?? []) : [];
  const last =
    runs.findLast(({ ExitCode, Output }) => ExitCode !== 0 && Output !== "") ?? runs.at(-1);
  const state: ContainerState = {
    id: Id,
    task,
    phase,
    exitCode: State.ExitCode,
    pid: State.Pid,
    health,
    ports,
    ...(State.OOMKilled === true && { oomKilled: true }),
    ...(last && { probe: { exitCode: last.ExitCode, output: last.Output } }),
  };
  return { state, stopSeconds: Config.StopTimeout ?? stopSecondsDefault };
}

/** One row of the engine's container list: enough to see whether the container changed. */
export interface Listing {
  readonly id: string;
  readonly task: TaskId;
  readonly phase: ContainerState["phase"];
  readonly health: ContainerState["health"];
}

/** Returns: gam's containers only. Errors: BAD_FRAME. */
export function readList(answer: unknown): Listing[] {
  return listed(answer, "containers").flatMap(({ Id, State, Status, Labels }) => {
    const task = taskOf(Labels);
    if (task === undefined) return [];
    const found = /\((healthy|unhealthy|health: starting)\)/.exec(Status)?.[1] ?? "none";
    const health = healthOf(found.replace("health: ", ""));
    return [{ id: Id, task, phase: phaseOf(State), health }];
  });
}

/** The task of a container with these labels; `undefined` when the container is not gam's. */
export function taskOf(found: Readonly<Record<string, string>> | undefined): TaskId | undefined {
  if (found?.[label.cluster] === undefined) return undefined;
  return found[label.task] as TaskId | undefined;
}

function phaseOf(status: string): ContainerState["phase"] {
  if (status === "created") return "created";
  return status === "running" || status === "paused" || status === "restarting"
    ? "running"
    : "exited";
}

function healthOf(status: string): ContainerState["health"] {
  return status === "starting" || status === "healthy" || status === "unhealthy" ? status : "none";
}
