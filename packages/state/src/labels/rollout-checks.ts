/** Rollout checks: the labels that say what is asked of a new version, and what the answers have to be. */
import type { ServiceSpec } from "../objects/service.ts";
import { type HttpTarget, httpTarget, lacksPort, promQuery, urlTarget } from "./http-target.ts";
import { decimal, type LabelRule, readLabel, whole } from "./label-rule.ts";

const httpLabel: LabelRule<HttpTarget> = {
  name: "gam.rollout.check.http",
  ...httpTarget,
  does: "rolls back when tasks of the new version, or the URL, do not answer with a status below 400",
  without: "nothing is asked by HTTP",
};
const urlLabel: LabelRule<string> = {
  name: "gam.rollout.check.prometheus.url",
  ...urlTarget,
  does: "asks this Prometheus server",
  without: "no Prometheus server is asked",
};
const queryLabel: LabelRule<string> = {
  name: "gam.rollout.check.prometheus.query",
  ...promQuery,
  does: "asks this; __TASKS__ in it becomes a regular expression for the ids of the new version's tasks",
  without: "no Prometheus server is asked",
};
const minLabel: LabelRule<number> = {
  name: "gam.rollout.check.prometheus.min",
  ...decimal,
  does: "rolls back when the result is less",
  without: "no result is too low",
};
const maxLabel: LabelRule<number> = {
  name: "gam.rollout.check.prometheus.max",
  ...decimal,
  does: "rolls back when the result is more",
  without: "no result is too high",
};
const failuresLabel: LabelRule<number> = {
  name: "gam.rollout.check.failures",
  ...whole(1, 100),
  does: "rolls back when a check has failed so often in a row; it is asked every 5 s",
  without: "3",
};
const failuresDefault = 3;

/** In the order of docs/labels.md. */
export const checkLabels: readonly LabelRule<unknown>[] = [
  ...[httpLabel, urlLabel, queryLabel, minLabel, maxLabel, failuresLabel],
];

export interface PrometheusCheck {
  readonly url: string;
  readonly query: string;
  readonly min: number;
  readonly max: number;
}

export interface RolloutChecks {
  readonly http?: HttpTarget | undefined;
  readonly prometheus?: PrometheusCheck | undefined;
  /** A check that has failed so often in a row has failed. */
  readonly failures: number;
}

export function checksOf({ Labels }: Pick<ServiceSpec, "Labels">): RolloutChecks {
  const url = readLabel(urlLabel, Labels);
  const query = readLabel(queryLabel, Labels);
  const min = readLabel(minLabel, Labels) ?? Number.NEGATIVE_INFINITY;
  const max = readLabel(maxLabel, Labels) ?? Number.POSITIVE_INFINITY;
  return {
    http: readLabel(httpLabel, Labels),
    ...(url !== undefined && query !== undefined && { prometheus: { url, query, min, max } }),
    failures: readLabel(failuresLabel, Labels) ?? failuresDefault,
  };
}

/** Returns: what the labels must not say together, or of this service. */
export function checkProblem(spec: ServiceSpec): string | undefined {
  const { Labels } = spec;
  const isSet = ({ name }: LabelRule<unknown>): boolean => Boolean(Labels?.[name]);
  const lack = lacksPort(httpLabel, spec);
  if (lack !== undefined) return lack;
  const bound = [minLabel, maxLabel].find(isSet);
  const [has, lacks] = isSet(urlLabel) ? [urlLabel, queryLabel] : [queryLabel, urlLabel];
  if (!isSet(has)) {
    return (
      bound && `label "${bound.name}" has no effect without "${urlLabel.name}": add that label`
    );
  }
  if (!isSet(lacks)) {
    return `label "${has.name}" has no effect without "${lacks.name}": add that label`;
  }
  if (bound !== undefined) return undefined;
  return `label "${queryLabel.name}" has no bound: add "${minLabel.name}" or "${maxLabel.name}"`;
}
