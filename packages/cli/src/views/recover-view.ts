/**
 * Recover view: what a person must know before one host goes on alone: what it has and how old that is, who
 * answers, and what would be lost.
 */

import type { RecoverHost, RecoverReport } from "@gam/state/answers";
import { age } from "./age.ts";
import { type Cell, columns } from "./columns.ts";
import type { Paint } from "./status-view.ts";

const namesMax = 8;
const skippedShown = 3;

/** Lines to print. */
export function recoverView(report: RecoverReport, nowMs: number, paint: Paint): string[] {
  const { life, refusal, doubts } = report;
  return [
    `What this host would go on with alone, in life ${life + 1} of the cluster:`,
    "",
    ...columns(facts(report, nowMs)),
    "",
    ...columns([
      ["HOSTNAME", "VOTES", "ANSWERS", "LOG", "TASKS"].map((text) => ({ text, paint: paint.dim })),
      ...report.hosts.map((host) => row(host, report, paint)),
    ]),
    "",
    ...losses(report),
    ...doubts.map((doubt) => paint.yellow(`In doubt: ${doubt}`)),
    ...(refusal === "" ? [] : [paint.red(`Not now: ${refusal}`)]),
  ];
}

function facts(report: RecoverReport, nowMs: number): string[][] {
  const { leaderlessMs, writtenAtMs, lastIndex, unconfirmed, skipped, services, tasks } = report;
  const led = leaderlessMs === 0 ? "there is one" : `lost ${age(leaderlessMs)}`;
  const kept =
    unconfirmed === 0
      ? ""
      : `; ${unconfirmed} of them may not have been acknowledged, and are kept`;
  return [
    ["leader", led],
    [
      "state",
      writtenAtMs === 0 ? "none" : `changed last ${age(nowMs - writtenAtMs)}, ${utc(writtenAtMs)}`,
    ],
    ["log", `entries up to ${lastIndex}${kept}`],
    ...(skipped.length === 0 ? [] : [["left out", leftOut(skipped)]]),
    ["services", `${services.length}${services.length === 0 ? "" : `: ${some(services)}`}`],
    ["tasks", String(tasks)],
  ];
}

function leftOut(skipped: RecoverReport["skipped"]): string {
  const shown = skipped.slice(0, skippedShown).map(({ index, reason }) => `${index} (${reason})`);
  const more = skipped.length - shown.length;
  return `entries that cannot be applied: ${shown.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

function utc(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

function some(names: readonly string[]): string {
  const sorted = [...names].sort();
  const more = sorted.length - namesMax;
  return sorted.slice(0, namesMax).join(", ") + (more > 0 ? ` and ${more} more` : "");
}

function row(host: RecoverHost, { life }: RecoverReport, paint: Paint): (Cell | string)[] {
  const log =
    host.lastIndex === null
      ? "-"
      : host.life === life
        ? String(host.lastIndex)
        : `life ${host.life}`;
  return [
    `${host.hostname}${host.isSelf ? " *" : ""}`,
    host.votes ? "yes" : "no",
    host.answers ? "yes" : { text: "no", paint: paint.red },
    log,
    String(host.tasks),
  ];
}

function losses({ hosts, lastIndex }: RecoverReport): string[] {
  const silent = hosts.filter(({ answers }) => !answers);
  const lines =
    silent.length === 0
      ? []
      : [
          `Not answering: ${some(silent.map(({ hostname }) => hostname))}. What they have written behind entry ${lastIndex}`,
          "is lost. Their tasks start on other hosts. Should they come back, they drop their logs and are members",
          "again; containers that were replaced by then are removed. If they are not gone but cut off from this host, and",
          "still work together, they lose all that they write until they meet this host.",
        ];
  return [...lines, "Containers that run on hosts which answer run on."];
}
