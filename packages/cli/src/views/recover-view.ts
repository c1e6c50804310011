/**
 * Recover view: what a user must know before one host continues alone: its state and how old that is, which hosts
 * answer, and what would be lost.
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
    `State with which this host would continue alone, as life ${life + 1} of the cluster:`,
    "",
    ...columns(facts(report, nowMs)),
    "",
    ...columns([
      ["HOSTNAME", "VOTES", "ANSWERS", "LOG", "TASKS"].map((text) => ({ text, paint: paint.dim })),
      ...report.hosts.map((host) => row(host, report, paint)),
    ]),
    "",
    ...losses(report),
    ...doubts.map((doubt) => paint.yellow(`Doubt: ${doubt}`)),
    ...(refusal === "" ? [] : [paint.red(`Cannot recover now: ${refusal}`)]),
  ];
}

function facts(report: RecoverReport, nowMs: number): string[][] {
  const { leaderlessMs, writtenAtMs, lastIndex, unconfirmed, skipped, services, tasks } = report;
  const led = leaderlessMs === 0 ? "known" : `lost ${age(leaderlessMs)}`;
  const kept =
    unconfirmed === 0
      ? ""
      : `; ${unconfirmed} of them were perhaps never acknowledged, and are kept`;
  return [
    ["leader", led],
    [
      "state",
      writtenAtMs === 0 ? "none" : `last changed ${age(nowMs - writtenAtMs)}, ${utc(writtenAtMs)}`,
    ],
    ["log", `entries up to ${lastIndex}${kept}`],
    ...(skipped.length === 0 ? [] : [["skipped", leftOut(skipped)]]),
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
          `Not answering: ${some(silent.map(({ hostname }) => hostname))}. Their log entries after ${lastIndex} will be lost.`,
          "Their tasks start on other hosts. A host that comes back drops its log and is a member again;",
          "those of its containers that were replaced are removed. If these hosts still run and are only cut off",
          "from this one, they lose everything that they write until they reach this host.",
        ];
  return [...lines, "Containers on hosts that answer keep running."];
}
