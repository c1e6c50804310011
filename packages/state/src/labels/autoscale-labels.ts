/**
 * Autoscale labels: between which bounds, and by what, gam chooses the number of replicas of a service.
 *
 * Decides what the labels mean together (`autoscaleOf`). The number follows from the load in
 * orchestrator/src/autoscale.ts.
 */
import type { ServiceSpec } from "../objects/service.ts";
import { type HttpTarget, httpTarget, lacksPort, promQuery, urlTarget } from "./http-target.ts";
import {
  decimal,
  duration,
  type LabelRule,
  percent,
  readLabel,
  text,
  whole,
} from "./label-rule.ts";

const replicasMax = 10_000;
/** Several times the base: a task that may burst is scaled only when it does. */
const percentMax = 1000;

const autoscaleMaxLabel: LabelRule<number> = {
  name: "gam.autoscale.max",
  ...whole(1, replicasMax),
  does: "chooses the number of replicas by the load of the tasks, at most this many",
  without: "the service has the replicas of its spec",
};
const autoscaleMinLabel: LabelRule<number> = {
  name: "gam.autoscale.min",
  ...whole(1, replicasMax),
  does: "keeps at least this many replicas",
  without: "at least 1",
};
const autoscaleCpuLabel: LabelRule<number> = {
  name: "gam.autoscale.cpu",
  ...percent(1, percentMax),
  does: "has so many replicas that a task uses this much of the CPU that it reserves, or of its limit, or of one core",
  without: "CPU does not count",
};
const autoscaleMemoryLabel: LabelRule<number> = {
  name: "gam.autoscale.memory",
  ...percent(1, percentMax),
  does: "has so many replicas that a task uses this much of the memory that it reserves, or of its limit",
  without: "memory does not count",
};
const autoscaleRequestsLabel: LabelRule<number> = {
  name: "gam.autoscale.requests",
  ...whole(1, 100_000),
  does: "has so many replicas that a task gets this many new TCP connections a second",
  without: "connections do not count",
};
const httpUrlLabel: LabelRule<HttpTarget> = {
  name: "gam.autoscale.http.url",
  ...httpTarget,
  does: "asks each task here for a number, or the URL for the number of the whole service",
  without: "nothing is asked by HTTP",
};
const aboveZero = (found: string): number | undefined => {
  const number = decimal.read(found);
  return number !== undefined && number > 0 ? number : undefined;
};
const httpTargetLabel: LabelRule<number> = {
  name: "gam.autoscale.http.target",
  ...text("a number above 0", aboveZero),
  does: "has so many replicas that this much of the number is left for each",
  without: "nothing is asked by HTTP",
};
const prometheusUrlLabel: LabelRule<string> = {
  name: "gam.autoscale.prometheus.url",
  ...urlTarget,
  does: "asks this Prometheus server",
  without: "no Prometheus server is asked",
};
const prometheusQueryLabel: LabelRule<string> = {
  name: "gam.autoscale.prometheus.query",
  ...promQuery,
  does: "asks this: the load of the whole service",
  without: "no Prometheus server is asked",
};
const prometheusTargetLabel: LabelRule<number> = {
  name: "gam.autoscale.prometheus.target",
  ...text("a number above 0", aboveZero),
  does: "has so many replicas that this much of the result is left for each",
  without: "no Prometheus server is asked",
};
const autoscaleUpLabel: LabelRule<number> = {
  name: "gam.autoscale.up.window",
  ...duration("0s", "1h"),
  does: "adds replicas only when the load has asked for them during all of this time",
  without: "0s",
};
const autoscaleDownLabel: LabelRule<number> = {
  name: "gam.autoscale.down.window",
  ...duration("0s", "1h"),
  does: "removes replicas only when the load has not needed them during all of this time",
  without: "5m",
};

export const autoscaleLabels: readonly LabelRule<unknown>[] = [
  autoscaleMinLabel,
  autoscaleMaxLabel,
  autoscaleCpuLabel,
  autoscaleMemoryLabel,
  autoscaleRequestsLabel,
  httpUrlLabel,
  httpTargetLabel,
  prometheusUrlLabel,
  prometheusQueryLabel,
  prometheusTargetLabel,
  autoscaleUpLabel,
  autoscaleDownLabel,
];

const downWindowMsDefault = 300_000;
const oneCore = 1;

export type AutoscaleMetric = "cpu" | "memory" | "requests" | "http" | "prometheus";

/** Where a number comes from that is not measured. */
export interface AutoscaleSources {
  readonly http?: HttpTarget | undefined;
  readonly prometheus?: { readonly url: string; readonly query: string } | undefined;
}

export interface AutoscaleTarget {
  readonly metric: AutoscaleMetric;
  /** What counts as 100 % of one task: cores, bytes, new connections a second, or of a number that was asked for. */
  readonly base: number;
  /** Of the base, for one task. */
  readonly percent: number;
  /** The amount is that of all tasks together. */
  readonly isTotal?: boolean | undefined;
}

/** What a task used lately. */
export interface TaskLoad {
  /** Cores in use, on average of the last seconds; absent until they have passed. */
  readonly cpu?: number | undefined;
  /** Without what the kernel can take back at any time. */
  readonly memoryBytes: number;
  /** New TCP connections a second, on the same average; absent where the task has no network of its own. */
  readonly requests?: number | undefined;
  /** What the task answered when it was asked for a number. */
  readonly number?: number | undefined;
}

export interface AutoscaleWish {
  readonly min: number;
  readonly max: number;
  readonly targets: readonly AutoscaleTarget[];
  readonly sources: AutoscaleSources;
  readonly upWindowMs: number;
  readonly downWindowMs: number;
}

/** Returns: how the service is to be scaled; undefined for one whose replicas only its owner changes. */
export function autoscaleOf(spec: ServiceSpec): AutoscaleWish | undefined {
  const { Labels } = spec;
  const max = readLabel(autoscaleMaxLabel, Labels);
  if (max === undefined || spec.Mode.Replicated === undefined) return undefined;
  const targets = targetsOf(spec);
  if (targets.length === 0) return undefined;
  return {
    min: Math.min(readLabel(autoscaleMinLabel, Labels) ?? 1, max),
    max,
    targets,
    sources: sourcesOf(spec),
    upWindowMs: readLabel(autoscaleUpLabel, Labels) ?? 0,
    downWindowMs: readLabel(autoscaleDownLabel, Labels) ?? downWindowMsDefault,
  };
}

function targetsOf({ Labels, TaskTemplate }: ServiceSpec): AutoscaleTarget[] {
  const { Reservations, Limits } = TaskTemplate.Resources ?? {};
  const cpu = readLabel(autoscaleCpuLabel, Labels);
  const memory = readLabel(autoscaleMemoryLabel, Labels);
  const requests = readLabel(autoscaleRequestsLabel, Labels);
  // Docker's client sends 0 for what is not set.
  const cores = (Reservations?.NanoCPUs || Limits?.NanoCPUs || oneCore * 1e9) / 1e9;
  const bytes = Reservations?.MemoryBytes || Limits?.MemoryBytes || 0;
  return [
    ...(cpu === undefined ? [] : [{ metric: "cpu" as const, base: cores, percent: cpu }]),
    ...(memory === undefined || bytes === 0
      ? []
      : [{ metric: "memory" as const, base: bytes, percent: memory }]),
    ...(requests === undefined
      ? []
      : [{ metric: "requests" as const, base: requests, percent: 100 }]),
    ...askedTargets(Labels),
  ];
}

function askedTargets(labels: ServiceSpec["Labels"]): AutoscaleTarget[] {
  const { http, prometheus } = sourcesOf({ Labels: labels });
  const perTask = readLabel(httpTargetLabel, labels);
  const ofTotal = readLabel(prometheusTargetLabel, labels);
  const targets: AutoscaleTarget[] = [];
  if (http !== undefined && perTask !== undefined) {
    const isTotal = http.kind === "url";
    targets.push({ metric: "http", base: perTask, percent: 100, ...(isTotal && { isTotal }) });
  }
  if (prometheus !== undefined && ofTotal !== undefined) {
    targets.push({ metric: "prometheus", base: ofTotal, percent: 100, isTotal: true });
  }
  return targets;
}

function sourcesOf({ Labels }: Pick<ServiceSpec, "Labels">): AutoscaleSources {
  const url = readLabel(prometheusUrlLabel, Labels);
  const query = readLabel(prometheusQueryLabel, Labels);
  const prometheus = url !== undefined && query !== undefined ? { url, query } : undefined;
  return { http: readLabel(httpUrlLabel, Labels), prometheus };
}

/** Returns: cores, bytes, connections a second or a number; undefined when the host has not said it. */
export function amountOf({ metric }: AutoscaleTarget, load: TaskLoad): number | undefined {
  switch (metric) {
    case "cpu":
      return load.cpu;
    case "memory":
      return load.memoryBytes;
    case "requests":
      return load.requests;
    case "http":
      return load.number;
    case "prometheus":
      return undefined;
  }
}

/** Returns: `182%`, or `35.2/s`. */
export function showAmount({ metric, base }: AutoscaleTarget, amount: number): string {
  if (metric === "requests") return `${Math.round(10 * amount) / 10}/s`;
  if (metric === "http" || metric === "prometheus") return String(Number(amount.toPrecision(6)));
  return `${Math.round((100 * amount) / base)}%`;
}

export function showTarget({ metric, base, percent }: AutoscaleTarget): string {
  if (metric === "http" || metric === "prometheus") return String(base);
  return metric === "requests" ? `${base}/s` : `${percent}%`;
}

/** What the labels must not say together, or of this service. */
export function autoscaleProblem(spec: ServiceSpec): string | undefined {
  const { Labels, Mode, TaskTemplate } = spec;
  const set = autoscaleLabels.filter(({ name }) => (Labels?.[name] ?? "") !== "");
  const [first] = set;
  if (first === undefined) return undefined;
  const max = readLabel(autoscaleMaxLabel, Labels);
  const min = readLabel(autoscaleMinLabel, Labels) ?? 1;
  if (max === undefined) {
    return `label "${first.name}" has no effect without "${autoscaleMaxLabel.name}": add that label, with the most replicas that the service may get`;
  }
  if (Mode.Replicated === undefined) {
    return `label "${first.name}" is for replicated services: leave it out, or change the mode to "replicated"`;
  }
  if (min > max) {
    return `label "${autoscaleMinLabel.name}" has the value "${min}", which is more than "${autoscaleMaxLabel.name}" with "${max}": use a lower minimum or a higher maximum`;
  }
  if (!set.some((rule) => isTarget(rule))) {
    const names = targetLabels.map(({ name }) => `"${name}"`).join(" or ");
    return `label "${autoscaleMaxLabel.name}" has no effect alone: add ${names}, with the load that one task is to have`;
  }
  const alone = incomplete.find(
    (group) =>
      group.some(({ name }) => Labels?.[name]) && !group.every(({ name }) => Labels?.[name]),
  );
  if (alone !== undefined) {
    const names = alone.map(({ name }) => `"${name}"`).join(", ");
    return `labels ${names} have no effect without each other: add those that are missing`;
  }
  const lack = lacksPort(httpUrlLabel, spec);
  if (lack !== undefined) return lack;
  const { Reservations, Limits } = TaskTemplate.Resources ?? {};
  const byMemory = readLabel(autoscaleMemoryLabel, Labels) !== undefined;
  if (byMemory && !Reservations?.MemoryBytes && !Limits?.MemoryBytes) {
    return `label "${autoscaleMemoryLabel.name}" is a share of the memory that a task reserves, or of its limit, and the service has neither: set one of them`;
  }
  return undefined;
}

const targetLabels: readonly LabelRule<unknown>[] = [
  autoscaleCpuLabel,
  autoscaleMemoryLabel,
  autoscaleRequestsLabel,
  httpTargetLabel,
  prometheusTargetLabel,
];

/** Labels that need one another. */
const incomplete: readonly (readonly LabelRule<unknown>[])[] = [
  [httpUrlLabel, httpTargetLabel],
  [prometheusUrlLabel, prometheusQueryLabel, prometheusTargetLabel],
];

function isTarget(rule: LabelRule<unknown>): boolean {
  return targetLabels.includes(rule);
}
