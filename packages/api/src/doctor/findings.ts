/**
 * Findings: what is wrong, the most urgent first, each with what follows from it.
 *
 * One cause makes many checks fail: a host that is off fails a check on each other host. A person wants the cause.
 * Decides which failed check explains which. Pairs of hosts with the same fault are one finding.
 */
import type { DoctorFinding } from "@gam/state/answers";
import { inWords, type Ruling, type Topic, topics } from "./ruling.ts";

/** By topic of a cause, the topics that follow from it on the same hosts. */
const consequences: Readonly<Partial<Record<Topic, readonly Topic[]>>> = {
  leader: ["agents"],
  journal: ["log", "data planes"],
  disks: ["log", "engines", "data planes"],
  leftovers: ["data planes", "overlay"],
  engines: ["data planes"],
  kernels: ["data planes", "overlay"],
};

/** `self`: the name of the asked host. */
export function findingsOf(rulings: readonly Ruling[], self: string): DoctorFinding[] {
  const wrong = joinPairs(rulings.filter(({ result }) => result === "failed"));
  const sorted = wrong.sort((a, b) => rankOf(a, self) - rankOf(b, self));
  const causes: { ruling: Ruling; follows: string[] }[] = [];
  for (const ruling of sorted) {
    const cause = causes.find((one) => explains(one.ruling, ruling, self));
    if (cause === undefined) causes.push({ ruling, follows: [] });
    else cause.follows.push(sentenceOf(ruling));
  }
  return causes.map(({ ruling, follows }) => ({
    topic: ruling.topic,
    cause: sentenceOf(ruling),
    remedy: ruling.remedy,
    follows,
    hosts: ruling.hosts,
    fix: fixOf(ruling),
  }));
}

/** A host that is cut off sees no majority, so its own line comes even before that. */
function rankOf({ topic, hosts }: Ruling, self: string): number {
  if (topic === "line" && hosts.includes(self)) return -1;
  return topics.indexOf(topic);
}

function explains(cause: Ruling, other: Ruling, self: string): boolean {
  if (cause.topic === "line" && cause.hosts.includes(self)) {
    return ["leader", "agents", "mesh", "overlay"].includes(other.topic);
  }
  const isConsequence = consequences[cause.topic]?.includes(other.topic) ?? false;
  if (!isConsequence || cause.hosts.length === 0) return false;
  return cause.topic === "leader" || cause.topic === "disks"
    ? other.hosts.every((host) => cause.hosts.includes(host))
    : other.hosts.some((host) => cause.hosts.includes(host));
}

function sentenceOf({ subject, found, cause }: Ruling): string {
  return cause ?? `${subject}: ${found}`;
}

function fixOf({ mend, hosts }: Ruling): string {
  const where = inWords(hosts);
  switch (mend) {
    case "engine":
      return `start the engine of ${where}`;
    case "conntrack":
      return `double the number of connections that the kernel of ${where} may track`;
    case "modules":
      return `load the missing kernel modules on ${where}`;
    default:
      return "";
  }
}

/** Makes one ruling of the pairs that fail in the same way. */
function joinPairs(rulings: readonly Ruling[]): Ruling[] {
  const groups = new Map<string, Ruling[]>();
  for (const ruling of rulings) {
    const { topic, subject, remedyAt } = ruling;
    // A connection is missing to a host, whatever its address; two ways through one network are two faults.
    const kind = remedyAt === undefined ? `${topic} ${subject} ${ruling.found}` : kindOf(ruling);
    groups.set(kind, [...(groups.get(kind) ?? []), ruling]);
  }
  return [...groups.values()].map(joined);
}

function kindOf({ topic, found, remedyAt }: Ruling): string {
  return `${topic} ${topic === "mesh" ? "" : found} ${remedyAt?.("")}`;
}

function joined(group: readonly Ruling[]): Ruling {
  const [first] = group as [Ruling, ...Ruling[]];
  if (group.length === 1 || first.remedyAt === undefined) return first;
  const hosts = [...new Set(group.flatMap((one) => one.hosts))];
  const common = hosts.filter((host) => group.every((one) => one.hosts.includes(host)));
  const isPair = hosts.length === 2;
  // Every other host fails with this one and with no other: its own side is the likely one.
  const where =
    common.length === 1
      ? `on ${common[0]}`
      : isPair
        ? "between the two"
        : `between ${inWords(hosts)}`;
  const found = first.topic === "mesh" ? "There is no connection" : first.found;
  const subjects = group.map(({ subject }) => subject).join(", ");
  return {
    ...first,
    hosts,
    cause: `${found} (${subjects})`,
    remedy: first.remedyAt(where),
  };
}
