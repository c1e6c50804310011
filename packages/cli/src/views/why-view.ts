/** Why view: what `gam why` shows of a report: the causes, what is asked, each node, and the tasks that failed. */
import { sizeText } from "@gam/core";
import type { WhyAsked, WhyNode, WhyReport, WhyTask } from "@gam/state/answers";
import { age } from "./age.ts";
import { columns } from "./columns.ts";
import type { Paint } from "./status-view.ts";

/** Nodes in the table. */
const nodesShown = 50;

export interface WhyViewOptions {
  readonly paint: Paint;
  readonly nowMs: number;
}

/** Lines to print. */
export function whyView(report: WhyReport, { paint, nowMs }: WhyViewOptions): string[] {
  const { kind, name, causes, asked, nodes, tasks } = report;
  return [
    `${paint.bold(name)} (${kind})`,
    ...causes.map((cause) => `  ${cause}`),
    ...(asked === null ? [] : ["", `Asks for ${askedText(asked)}`]),
    ...nodeTable(nodes, paint),
    ...tasks.flatMap((task) => ["", ...taskLines(task, { paint, nowMs })]),
  ];
}

function askedText({ nanoCpus, memoryBytes, generic, ports, constraints }: WhyAsked): string {
  const parts = [
    ...(nanoCpus > 0 ? [`${cpus(nanoCpus)} CPUs`] : []),
    ...(memoryBytes > 0 ? [`${sizeText(memoryBytes)} of memory`] : []),
    ...generic,
    ...ports.map((port) => `port ${port} of its host`),
    ...constraints.map((one) => `a node with ${one}`),
  ];
  return parts.length === 0 ? "nothing in particular" : parts.join(", ");
}

function nodeTable(nodes: readonly WhyNode[], paint: Paint): string[] {
  if (nodes.length === 0) return [];
  const titles = [
    "NODE",
    "RANK",
    "TASKS",
    "LOAD",
    "IMAGE",
    "CPUS FREE",
    "MEMORY FREE",
    "AGAINST IT",
  ];
  const rows = nodes
    .slice(0, nodesShown)
    .map((node) => [
      node.hostname,
      node.rank === null ? "-" : String(node.rank),
      `${node.ofService}`,
      `${Math.round((node.cost * 100) / costMax)}%`,
      node.hasImage ? "yes" : "no",
      `${cpus(node.freeNanoCpus)} of ${cpus(node.nanoCpus)}`,
      `${sizeText(node.freeMemoryBytes)} of ${sizeText(node.memoryBytes)}`,
      { text: againstIt(node), paint: node.rank === null ? paint.red : paint.yellow },
    ]);
  const more = nodes.length - nodesShown;
  return [
    "",
    ...columns([titles.map((text) => ({ text, paint: paint.dim })), ...rows]),
    ...(more > 0 ? [`… and ${more} more. "--json" shows all`] : []),
  ];
}

/** The cost of a full node. */
const costMax = 60;

function againstIt({ obstacles, failing }: WhyNode): string {
  return [...obstacles, ...(failing ? ["the service keeps failing here"] : [])].join("; ");
}

function taskLines(task: WhyTask, { paint, nowMs }: WhyViewOptions): string[] {
  const { name, id, node, state, at, error, exitCode, engine, log, unread } = task;
  const where = node === "" ? "" : ` on ${node}`;
  const code = exitCode === null ? "" : `, exit code ${exitCode}`;
  const since = age(nowMs - Date.parse(at));
  return [
    `${paint.bold(name)} ${id.slice(0, 12)} ${state}${where} ${since}${code}`,
    ...(error === "" ? [] : [`  ${paint.red(error)}`]),
    ...engine.filter((one) => !error.includes(one)).map((one) => `  ${one}`),
    ...(unread === "" ? [] : [`  ${paint.yellow(`No log: ${unread}`)}`]),
    ...log.map((line) => `  ${paint.dim("|")} ${line}`),
  ];
}

/** Returns: "1.5" for 1500000000. */
function cpus(nanoCpus: number): string {
  return String(Math.round(nanoCpus / 1e7) / 100);
}
