/** Steering labels: how connections find the tasks of a service, and how they end. */
import type { ServiceSpec } from "../objects/service.ts";
import { isJob } from "./cron-labels.ts";
import { duration, type LabelRule, words } from "./label-rule.ts";

export const stickyLabel: LabelRule<"client"> = {
  name: "gam.sticky",
  ...words("client"),
  does: "sends all connections of a client's address to one task",
  without: "connections go to any task",
};

export const ingressLabel: LabelRule<"local"> = {
  name: "gam.ingress",
  ...words("local"),
  does: "lets a published port prefer tasks on the asked host",
  without: "connections go to all tasks, on all hosts",
};

export const drainLabel: LabelRule<number> = {
  name: "gam.drain",
  ...duration("1s", "1h"),
  does: "stops a task that leaves only when its open connections have ended, or after this time",
  without: "it is stopped as soon as no host sends it new connections",
};

/** A law of serviceLabelProblem(). */
export function drainProblem(spec: ServiceSpec): string | undefined {
  if (!spec.Labels?.[drainLabel.name] || !isJob(spec)) return undefined;
  return `label "${drainLabel.name}" is for services that run on, and a job has none to drain: leave it out, or change the mode`;
}
