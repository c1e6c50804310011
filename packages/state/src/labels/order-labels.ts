/** Order labels: which other services a service waits for before its tasks start. */
import type { ServiceSpec } from "../objects/service.ts";
import { type LabelRule, list, readLabel, text } from "./label-rule.ts";

const dependencyConditions = ["started", "healthy", "completed"] as const;
/**
 * started    a container of the service runs
 * healthy    a task of it runs, and its health check, if it has one, has passed
 * completed  each of its tasks has ended with success
 */
export type DependencyCondition = (typeof dependencyConditions)[number];

export interface Dependency {
  /** Of a service of the same stack, without the stack's name, or the whole name of any service. */
  readonly name: string;
  readonly condition: DependencyCondition;
  /** Nothing waits for a service that does not exist or has no replicas. */
  readonly optional: boolean;
}

/** One service waits for at most so many. */
const dependenciesMax = 64;
const form = /^([a-zA-Z0-9][a-zA-Z0-9_.-]{0,127})(?::([a-z]+))?(\?)?$/;

export const dependsOnLabel: LabelRule<readonly Dependency[]> = {
  name: "gam.depends_on",
  ...list(
    text(
      'a service such as "db", "db:healthy" or "job:completed", with "?" at the end if it may be missing',
      one,
    ),
  ),
  does: "starts tasks only when these services have started, are healthy or have completed",
  without: "tasks start in any order",
};

function one(entry: string): Dependency | undefined {
  const [, name, word = "started", mark] = form.exec(entry) ?? [];
  const condition = dependencyConditions.find((known) => known === word);
  if (name === undefined || condition === undefined) return undefined;
  return { name, condition, optional: mark !== undefined };
}

/** A law of serviceLabelProblem(). */
export function dependencyProblem({ Labels }: ServiceSpec): string | undefined {
  const names = (readLabel(dependsOnLabel, Labels) ?? []).map(({ name }) => name);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) {
    return `label "${dependsOnLabel.name}" names "${twice}" twice: keep one of the two`;
  }
  if (names.length <= dependenciesMax) return undefined;
  return `label "${dependsOnLabel.name}" names ${names.length} services: name at most ${dependenciesMax}`;
}
