/**
 * Status view: what `gam status` shows of a mesh.
 *
 * Decides what a user must know first: whether there is a leader, which hosts are lost, what the next loss
 * would stop. Does not decide colours: the caller passes them in as functions.
 */
import { type GamStatus, type NodeSummary, oldCopyNotice } from "@gam/state/answers";
import { age } from "./age.ts";
import { type Cell, columns } from "./columns.ts";
import { notUpView } from "./not-up-view.ts";

/** Above this share in use, the view warns: of all subnets, and of the addresses in one network. */
const usedShareMax = 0.9;

export interface Paint {
  bold(text: string): string;
  dim(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  red(text: string): string;
}

/** Lines to print at `nowMs`, by the clock of this host. */
export function statusView(status: GamStatus, paint: Paint, nowMs: number): string[] {
  if (status.state === "inactive") {
    return [
      "This host is in no mesh",
      'Begin one with "gam init", or join one with "gam join TOKEN" ("gam token" on a member shows it)',
    ];
  }
  if (status.state === "locked") {
    return [
      paint.red("This host is locked: it takes no part in its mesh until it is unlocked"),
      'Run "gam unlock" here, with the key that "docker swarm unlock-key" on another manager shows',
      "Containers on this host keep running; names of services do not resolve here meanwhile",
    ];
  }
  const nodes = [...status.nodes].sort(
    (a, b) => compare(a.hostname, b.hostname) || compare(a.id, b.id),
  );
  return [
    headline(status, paint, nowMs),
    "",
    ...table(nodes, status, paint),
    ...section(nodes.flatMap((node) => trouble(node, paint))),
    ...section(notUpView(status, paint.yellow, nowMs)),
    ...section(refusals(status, paint)),
    ...section(status.problems.map((one) => `${paint.yellow("This host")}: ${one}`)),
    ...section(scarcity(status, paint)),
    ...section(rotation(status, paint)),
    ...section(rivalry(status, paint)),
    ...section(locks(status, paint)),
    ...section(versions(nodes, paint)),
    ...section(encryption(nodes, paint)),
    ...section(advice(status, paint)),
  ];
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

function section(lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ["", ...lines];
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

function headline(status: GamStatus, paint: Paint, nowMs: number): string {
  const { nodes, leader, term, isCaughtUp } = status;
  const down = nodes.filter((node) => node.state !== "ready" || !node.heard).length;
  const health =
    down === 0
      ? paint.green(nodes.length === 1 ? "it is ready" : "all are ready")
      : paint.red(`${down} of ${nodes.length} ${down === 1 ? "is" : "are"} not ready`);
  const leading = nodes.find(({ id }) => id === leader)?.hostname ?? leader;
  const who =
    leader === null
      ? paint.red("without a leader")
      : `led by ${paint.bold(leading ?? "")} (term ${term})`;
  const mesh = `Mesh of ${count(nodes.length, "host")}, ${who}`;
  if (isCaughtUp) return `${mesh}; ${health}`;
  return `${mesh}; ${paint.yellow(`this host has not caught up (${stateOf(status, nowMs)})`)}`;
}

/** How old the shown state is. What it says of hosts was true then. */
function stateOf({ stateAtMs }: GamStatus, nowMs: number): string {
  if (stateAtMs === 0) return "it knows no state yet";
  const at = new Date(stateAtMs).toISOString().slice(11, 19);
  return `state of ${at} UTC, ${age(nowMs - stateAtMs)}`;
}

const roleNames = {
  leader: "leader",
  voter: "voter",
  learner: "standby",
  worker: "worker",
} as const;

function table(nodes: readonly NodeSummary[], status: GamStatus, paint: Paint): string[] {
  const { self } = status;
  const titles = ["HOSTNAME", "ADDRESS", "STATE", "ROLE", "CPU", "MEM", "TASKS"];
  const rows = nodes.map((node): (Cell | string)[] => [
    `${node.hostname}${node.id === self ? " *" : ""}`,
    node.address,
    stateCell(node, status, paint),
    { text: roleNames[node.role], ...(node.role === "leader" && { paint: paint.bold }) },
    node.usage === null ? "-" : `${Math.round(node.usage.cpu * 100)}%`,
    memory(node.usage),
    String(node.tasks),
  ]);
  return columns([titles.map((text) => ({ text, paint: paint.dim })), ...rows]);
}

function stateCell(node: NodeSummary, { isCaughtUp }: GamStatus, paint: Paint): Cell {
  const { state, availability, heard, engine } = node;
  // The agent answers, so the host is not down. It keeps its vote, but cannot run tasks.
  if (heard && !engine) return { text: "no engine", paint: paint.yellow };
  if (isSilent({ state, heard })) {
    return { text: isCaughtUp ? `${state}, silent` : "silent", paint: paint.red };
  }
  if (state !== "ready") return { text: state, paint: state === "down" ? paint.red : paint.yellow };
  if (availability === "active") return { text: state, paint: paint.green };
  return { text: `${state}, ${availability}`, paint: paint.yellow };
}

/** The node does not answer, and the leader has not committed it as down yet. */
function isSilent({ state, heard }: Pick<NodeSummary, "state" | "heard">): boolean {
  return !heard && state !== "down";
}

function memory(usage: NodeSummary["usage"]): string {
  if (usage === null) return "-";
  const gibibytes = (bytes: number): string => (bytes / 2 ** 30).toFixed(1);
  return `${gibibytes(usage.memoryBytes)}/${gibibytes(usage.memoryTotalBytes)} GiB`;
}

function trouble(node: NodeSummary, paint: Paint): string[] {
  const { hostname, state, message, network, graceMs } = node;
  const left = Math.ceil((graceMs ?? 0) / 1000);
  const lines = [
    ...(graceMs === null || state === "down"
      ? []
      : [`its agent has stopped. If it is not back in ${left} s, its tasks start elsewhere`]),
    ...(message === "" || (state === "ready" && message === "ready") ? [] : [message]),
    ...(network === null || network.problem === ""
      ? []
      : [`no overlay networking: ${network.problem}`]),
  ];
  return lines.map((line) => `${paint.yellow(hostname)}: ${line}`);
}

/** Of the invalid input that this host has met in the last day, the newest are shown. */
const refusalsShown = 5;

function refusals({ troubles }: GamStatus, paint: Paint): string[] {
  if (troubles.length === 0) return [];
  const shown = troubles.slice(-refusalsShown);
  const more = troubles.length - shown.length;
  return [
    paint.red("This host refused or skipped invalid input:"),
    ...shown,
    ...(more === 0 ? [] : [`and ${more} more in the log of its agent`]),
  ];
}

/** Warns of address pools that are nearly used up. */
function scarcity({ pools }: GamStatus, paint: Paint): string[] {
  const { subnets, subnetsFree, networks } = pools;
  const full = networks.filter(({ used, size }) => used >= size * usedShareMax);
  const lines = [
    ...(subnets - subnetsFree < subnets * usedShareMax
      ? []
      : [`${subnetsFree} of ${subnets} subnets are left for new networks`]),
    ...full.map(
      ({ name, used, size }) => `Network ${name}: ${used} of ${size} addresses are in use`,
    ),
  ];
  return lines.map((line) => paint.yellow(line));
}

/** Hosts for which the replacement of the root key waits. */
function rotation({ rootAwaits, nodes }: GamStatus, paint: Paint): string[] {
  if (rootAwaits === null) return [];
  const awaited = nodes.filter(({ id }) => rootAwaits.includes(id));
  const names = awaited.map(({ hostname }) => hostname).join(", ");
  const waits = awaited.length === 0 ? "" : `; waiting for ${names}`;
  const lines = [paint.yellow(`The root key is being replaced${waits}`)];
  if (awaited.some(({ state, heard }) => state === "down" || !heard)) {
    lines.push('Remove a host that will not come back: "docker node rm --force HOST"');
  }
  return lines;
}

/** A locked manager is silent, so nobody can tell it from one that is down. */
function locks({ autolock, nodes }: GamStatus, paint: Paint): string[] {
  if (!autolock) return [];
  const silent = nodes.filter(({ role, heard }) => role !== "worker" && !heard);
  if (silent.length === 0) return [];
  const names = silent.map(({ hostname }) => hostname).join(", ");
  return [
    paint.yellow(`Managers are locked when they start; this host does not hear ${names}`),
    'If such a host has restarted, run "gam unlock" on it',
  ];
}

/** While hosts run different versions: which host runs which. */
function versions(nodes: readonly NodeSummary[], paint: Paint): string[] {
  const hosts = new Map<string, string[]>();
  for (const { hostname, version } of nodes) {
    if (version !== undefined) hosts.set(version, [...(hosts.get(version) ?? []), hostname]);
  }
  if (hosts.size < 2) return [];
  const rows = [...hosts].sort(([a], [b]) => compare(a, b));
  return [
    paint.yellow("The hosts run different versions of gam:"),
    ...rows.map(([version, names]) => `  ${version} on ${names.join(", ")}`),
    'Finish the upgrade with "gam upgrade --to FILE", or go back with "gam upgrade --back"',
  ];
}

/** Which traffic between hosts is encrypted by default. */
function encryption(nodes: readonly NodeSummary[], paint: Paint): string[] {
  const said = nodes.flatMap(({ network }) => network ?? []);
  if (said.length < 2) return [];
  const able = said.filter((one) => one.encryption === "kernel").length;
  if (able === said.length) return [paint.dim("Network traffic between hosts is encrypted")];
  if (able > 1) {
    return [
      `Network traffic is encrypted only between the ${able} hosts with WireGuard in the kernel`,
    ];
  }
  return said.some((one) => one.encryption === "userspace")
    ? ['Network traffic between hosts is not encrypted, except on networks with "--opt encrypted"']
    : ["Network traffic between hosts is not encrypted: WireGuard is missing"];
}

function votersWanted(voters: number): string {
  if (voters === 1) return "This host must reach the only voter";
  const majority = Math.floor(voters / 2) + 1;
  return `${majority} of ${voters} voters must reach each other, and this host must reach them`;
}

/** A mesh that has had no leader for so long needs its operator. */
const leaderlessMsMax = 30_000;
const recoverAdvice =
  'If they are gone for good, run "gam recover": it shows what this host could continue with alone';

/** The mesh has had no leader for long, and no majority of the voters answers. */
function isLost({ leaderlessMs, self, nodes, voters }: GamStatus): boolean {
  const heard = voters.filter((id) =>
    nodes.some((node) => node.id === id && (id === self || node.heard)),
  );
  return leaderlessMs > leaderlessMsMax && heard.length <= voters.length / 2;
}

/** Warns that "gam recover" was run on more than one survivor. */
function rivalry({ rivals, nodes }: GamStatus, paint: Paint): string[] {
  if (rivals.length === 0) return [];
  const names = rivals.map((id) => nodes.find((node) => node.id === id)?.hostname ?? id).join(", ");
  return [
    paint.red(`"gam recover" was run on ${names}, too: there is a second life of this cluster`),
    'Keep one of the two. On each host of the other, run "gam leave --force", then "gam join TOKEN"',
  ];
}

/** The worst thing that is wrong or may go wrong next, and what to do about it. */
function advice(status: GamStatus, paint: Paint): string[] {
  const { leader, nodes, voters, isMute } = status;
  if (isMute) {
    return [
      paint.red("The journal of this host is damaged, so this host takes no part in the mesh"),
      "If the other hosts have a leader, join again as the log of the agent says",
      'If they have none, run "gam recover": it shows what this host still has',
    ];
  }
  // A node whose engine does not answer has the state "down", but its peer still votes.
  const voting = nodes.filter(({ id, heard }) => heard && voters.includes(id));
  const majority = Math.floor(voters.length / 2) + 1;
  if (leader === null) {
    const silent = nodes.filter((node) => voters.includes(node.id) && !node.heard);
    const missing = silent.map(({ hostname }) => hostname).join(", ");
    return [
      paint.red(
        "Nothing can be scheduled until a leader is elected; running containers are not affected",
      ),
      paint.yellow(oldCopyNotice),
      `${votersWanted(voters.length)}${missing && `; not heard: ${missing}`}`,
      ...(isLost(status) ? [recoverAdvice] : []),
    ];
  }
  if (voters.length > 1 && voting.length === majority) {
    return [
      paint.yellow(
        `${voting.length} of ${voters.length} voters answer; losing one more stops scheduling`,
      ),
    ];
  }
  const managers = nodes.filter(({ role }) => role !== "worker");
  if (managers.length > 1 && managers.filter(({ heard }) => heard).length === 1) {
    return [
      paint.yellow("Only one manager answers; until another one does, writes are on one disk only"),
    ];
  }
  if (nodes.length === 2) {
    return [paint.dim("Add a third host: the mesh then survives the loss of any one host")];
  }
  return [];
}
