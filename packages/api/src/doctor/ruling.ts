/** Ruling: one check of the doctor with what folding needs, beside what clients see. */
import type { NodeId } from "@gam/core";
import type { Node, View } from "@gam/state";
import type { DoctorCheck } from "@gam/state/answers";
import type { Mend } from "../door/doctor-facts.ts";

/** The most urgent first: what is wrong with an earlier one may be the cause of a later one. */
export const topics = [
  "leader",
  "line",
  "journal",
  "disks",
  "agents",
  "log",
  "leftovers",
  "clocks",
  "engines",
  "names",
  "kernels",
  "mesh",
  "overlay",
  "memory",
  "connections",
  "data planes",
  "encryption",
  "addresses",
  "versions",
] as const;
export type Topic = (typeof topics)[number];

export interface Ruling extends DoctorCheck {
  readonly topic: Topic;
  /** Names of the hosts that it is about. */
  readonly hosts: readonly string[];
  /** The whole sentence for people, where `found` after the subject is not one. */
  readonly cause?: string;
  readonly mend?: Mend;
  /** The remedy for several pairs of hosts at once: `where` is "on host2", or "between the two". */
  readonly remedyAt?: (where: string) => string;
}

type Words = Pick<Ruling, "found" | "remedy"> &
  Partial<Pick<Ruling, "cause" | "mend" | "remedyAt">>;

export function passed(topic: Topic, subject: string): Ruling {
  return { topic, subject, hosts: [subject], result: "passed", found: "", remedy: "" };
}

/** `hosts`: as Ruling; the subject if absent. */
export function failed(
  topic: Topic,
  subject: string,
  words: Words,
  hosts: readonly string[] = [subject],
): Ruling {
  return { topic, subject, hosts, result: "failed", ...words };
}

export function unknown(topic: Topic, subject: string, found: string): Ruling {
  return { topic, subject, hosts: [subject], result: "unknown", found, remedy: "" };
}

export function hostOf(node: Node): string {
  return node.Description.Hostname || node.ID;
}

export function nameOf(view: View, id: NodeId): string {
  const node = view.node(id);
  return node === undefined ? id : hostOf(node);
}

/** Returns: `host1, host2 and host3`. */
export function inWords(names: readonly string[]): string {
  if (names.length < 2) return names.join("");
  return `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
