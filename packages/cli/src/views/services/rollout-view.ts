/** Rollout view: what `gam service rollout` shows: the versions, the steps, and what comes next. */
import type { ServiceRollout, ShownRollout } from "@gam/state/answers";
import { age } from "../age.ts";
import { columns } from "../columns.ts";

/** Lines to print. */
export function rolloutView({ name, status, rollout }: ServiceRollout, nowMs: number): string[] {
  if (rollout === null) {
    return [
      `${name} has had no rollout. An update begins one if the service has the label "gam.rollout"`,
    ];
  }
  const versions = [
    ["VERSION", "IMAGE", "RUNNING", "NEW CONNECTIONS"],
    ["old", bare(rollout.old.image), String(rollout.old.running), `${100 - rollout.weight} %`],
    ["new", bare(rollout.fresh.image), String(rollout.fresh.running), `${rollout.weight} %`],
  ];
  const { failed, failuresMax } = rollout;
  const fails = `Failed tasks of the new version: ${failed.length}; allowed: ${failuresMax}`;
  return [
    `${name}: ${status || "its last rollout"}`,
    "",
    ...columns(versions),
    "",
    ...(rollout.end === null ? columns(stepRows(rollout, nowMs)) : endLines(rollout, nowMs)),
    ...(failed.length === 0 ? [] : ["", fails]),
  ];
}

function endLines({ end }: ShownRollout, nowMs: number): string[] {
  if (end === null) return [];
  const reason = end.reason === "" ? "" : `: ${end.reason}`;
  return [`${end.result} ${age(nowMs - end.atMs)}${reason}`];
}

function stepRows({ steps, step: present, phase, sinceMs, paused }: ShownRollout, nowMs: number) {
  const rows = steps.map(({ weight, waitMs, tasks }, index) => {
    const began = `began ${age(nowMs - sinceMs)}`;
    const doing = phase === "starting" ? `${began}, starts tasks` : began;
    const state =
      index < present
        ? "done"
        : index > present
          ? ""
          : paused === null
            ? doing
            : `${doing}, paused (${paused})`;
    const time = waitMs === null ? "until resumed" : `${waitMs / 1000} s`;
    return [String(index + 1), `${weight} %`, String(tasks), time, state];
  });
  return [["STEP", "WEIGHT", "TASKS", "FOR", "STATE"], ...rows];
}

function bare(image: string): string {
  return image.replace(/@.*$/, "");
}
