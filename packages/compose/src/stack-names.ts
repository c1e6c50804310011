/** Stack names: labels and names of a stack's objects, and what all specs of a stack are made with. */
import { stackLabel } from "@gam/state";
import type { Problem, SourcePosition } from "./reading/problem.ts";

/** A label that the docker client puts on the services of a stack. */
export const imageLabel = "com.docker.stack.image";

export interface SpecContext {
  readonly projectName: string;
  readonly errors: Problem[];
  readonly warnings: Problem[];
}

/** A name in the cluster, and where the file uses it. */
export interface Named {
  readonly name: string;
  readonly at: SourcePosition;
}

export function scoped(name: string, context: SpecContext): string {
  return `${context.projectName}_${name}`;
}

export function stackLabels(
  labels: Readonly<Record<string, string>> | undefined,
  context: SpecContext,
): Record<string, string> {
  return { ...labels, [stackLabel]: context.projectName };
}

/** Returns: the list under its key; nothing for an empty list, which the docker client leaves out. */
export function some<const K extends string, T>(
  key: K,
  list: readonly T[] | undefined,
): { readonly [P in K]?: readonly T[] } {
  return list === undefined || list.length === 0
    ? {}
    : ({ [key]: list } as { readonly [P in K]: readonly T[] });
}

/** A name that the file uses but does not define. */
export interface UndefinedName extends Named {
  readonly kind: "network" | "volume" | "secret" | "config";
}

export function undefinedName({ kind, name, at }: UndefinedName, context: SpecContext): void {
  const message = `${kind} "${name}" is not defined: add it under the top-level "${kind}s"`;
  context.errors.push({ at, message });
}
