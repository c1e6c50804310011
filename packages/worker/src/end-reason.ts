/**
 * End reason: the text of a task's error when its container failed.
 *
 * Swarm's words come first, because people and programs search for them. What the engine knows beside the exit code
 * follows in brackets: the memory limit that the container ran into, and what its health check said last.
 */
import { sizeText } from "@gam/core";
import type { Task } from "@gam/state";
import type { ContainerState } from "./action.ts";

/** The text is replicated to all hosts, so it has a part of what a check printed. */
const probeTextMax = 200;

/** Returns: "task: non-zero exit (137) (killed: out of memory, limit 64 MiB)" and the like. */
export function endReason(
  { exitCode, health, oomKilled, probe }: ContainerState,
  task: Pick<Task, "Spec">,
): string {
  const isUnhealthy = health === "unhealthy";
  const cause = isUnhealthy ? ": dockerexec: unhealthy container" : "";
  const parts = [
    ...(oomKilled === true ? [outOfMemory(task)] : []),
    ...(isUnhealthy && probe !== undefined ? [probeText(probe)] : []),
  ];
  const more = parts.length === 0 ? "" : ` (${parts.join("; ")})`;
  return `task: non-zero exit (${exitCode})${cause}${more}`;
}

function outOfMemory({ Spec }: Pick<Task, "Spec">): string {
  const limit = Spec.Resources?.Limits?.MemoryBytes ?? 0;
  const bound = limit > 0 ? `limit ${sizeText(limit)}` : "the task has no limit of its own";
  return `killed: out of memory, ${bound}`;
}

function probeText({ exitCode, output }: NonNullable<ContainerState["probe"]>): string {
  const shown = oneLine(output);
  return `last health check: exit ${exitCode}${shown === "" ? "" : `, "${shown}"`}`;
}

/** Returns: the text on one line, without control characters, and cut. */
function oneLine(text: string): string {
  const line = text.replace(/[\p{Cc}\p{Cf}\s]+/gu, " ").trim();
  const letters = [...line];
  return letters.length <= probeTextMax ? line : `${letters.slice(0, probeTextMax).join("")}…`;
}
