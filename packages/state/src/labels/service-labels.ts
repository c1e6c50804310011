/**
 * Service labels: all labels with which the owner of a service asks gam for something.
 *
 * Docker's client passes labels on unread, so a mistyped one would be without effect and without a word. All
 * labels that begin with `gam.` are gam's, so an unknown one is refused.
 */
import { nearest } from "@gam/core";
import type { ServiceSpec } from "../objects/service.ts";
import { autoscaleLabels, autoscaleProblem } from "./autoscale-labels.ts";
import { backupLabels, backupProblem, backupZoneLabel } from "./backup-labels.ts";
import { containerLabels, containerProblem } from "./container-labels.ts";
import { cronLabels, cronProblem, cronZoneLabel } from "./cron-labels.ts";
import { isKnownZone } from "./cron-time.ts";
import { httpLabels, httpProblem } from "./http-labels.ts";
import { type LabelRule, readLabel } from "./label-rule.ts";
import { dependencyProblem, dependsOnLabel } from "./order-labels.ts";
import {
  affinityByLabel,
  affinityLabel,
  antiAffinityByLabel,
  antiAffinityLabel,
  strategyLabel,
} from "./placement-labels.ts";
import { podLabels, podProblem } from "./pod-labels.ts";
import { rolloutLabels, rolloutProblem } from "./rollout-labels.ts";
import { drainLabel, drainProblem, ingressLabel, stickyLabel } from "./steering-labels.ts";
import { volumeLossLabel } from "./volume-labels.ts";

/** In the order of docs/labels.md. */
export const serviceLabels: readonly LabelRule<unknown>[] = [
  ingressLabel,
  stickyLabel,
  drainLabel,
  ...autoscaleLabels,
  ...rolloutLabels,
  dependsOnLabel,
  volumeLossLabel,
  ...backupLabels,
  ...cronLabels,
  affinityLabel,
  affinityByLabel,
  antiAffinityLabel,
  antiAffinityByLabel,
  strategyLabel,
  ...podLabels,
  ...containerLabels,
  ...httpLabels,
];

/** What labels together, or a label and the rest of the spec, must not say. Each returns a problem or undefined. */
const laws: readonly ((spec: ServiceSpec) => string | undefined)[] = [
  autoscaleProblem,
  dependencyProblem,
  cronProblem,
  backupProblem,
  containerProblem,
  drainProblem,
  rolloutProblem,
  podProblem,
  httpProblem,
];

const prefix = "gam.";

/** Returns: what is wrong with gam's labels of a service, and what to do; undefined if all are right. */
export function serviceLabelProblem(spec: ServiceSpec): string | undefined {
  for (const [name, value] of Object.entries(spec.Labels ?? {})) {
    if (!name.startsWith(prefix)) continue;
    const rule = serviceLabels.find((one) => one.name === name);
    if (rule === undefined) return unknownLabel(name);
    if (value !== "" && rule.read(value) === undefined) {
      return `label "${name}" has the value "${value}": use ${rule.takes}, or leave the label out (then ${rule.without})`;
    }
  }
  for (const name of Object.keys(spec.TaskTemplate.ContainerSpec.Labels ?? {})) {
    if (!serviceLabels.some((one) => one.name === name)) continue;
    return `label "${name}" is on the containers, where it has no effect: put it on the service ("deploy.labels" in a stack file, "--label" in docker service create)`;
  }
  for (const law of laws) {
    const problem = law(spec);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function unknownLabel(name: string): string {
  const names = serviceLabels.map((rule) => rule.name);
  const meant = nearest(name, names);
  const hint = meant === undefined ? ";" : `: did you mean "${meant}"?`;
  return `label "${name}" is unknown${hint} gam's labels are ${names.join(", ")}`;
}

/** Returns: why this peer cannot tell when the service is due; undefined if it can. For specs that a client sends. */
export function zoneProblem({ Labels }: Pick<ServiceSpec, "Labels">): string | undefined {
  for (const rule of [cronZoneLabel, backupZoneLabel]) {
    const zone = readLabel(rule, Labels);
    if (zone === undefined || isKnownZone(zone)) continue;
    return `label "${rule.name}" has the value "${zone}", which is no time zone that this host knows: use ${rule.takes}`;
  }
  return undefined;
}
