/**
 * Read stack: turns stack files into Engine API objects, or reports every mistake with file, line and column.
 *
 *   files -> load.ts -> overlay.ts -> spec.ts -> judge.ts
 *            meaning    one of all    Engine API  what a cluster would refuse
 *
 * The result equals what `docker stack deploy` sends for the same files. Opens nothing itself: texts,
 * environment and the bytes of files are arguments.
 */

import { judge } from "./judge.ts";
import { load } from "./load.ts";
import { overlay } from "./overlay.ts";
import { entryOf } from "./reading/entry-of.ts";
import type { Environment } from "./reading/interpolate.ts";
import { groupProblems, type Problem } from "./reading/problem.ts";
import type { File } from "./shape/file.ts";
import { type Stack, toStack } from "./spec.ts";

export interface StackFile {
  /** For messages. */
  readonly name: string;
  readonly text: string;
}

export interface StackOptions {
  /** The stack's name: prefix of all objects. */
  readonly projectName: string;
  readonly environment: Environment;
  /** Absolute: the folder of the first file. */
  readonly workingDir: string;
  /** Services with `profiles` are left out unless one of their profiles is in this list, or `*` is. */
  readonly profiles?: readonly string[];
  /** Returns: the bytes of the file at this absolute path; `undefined` if there is none. */
  readonly readFile?: (path: string) => Uint8Array | undefined;
}

export type StackResult =
  | {
      readonly ok: true;
      readonly stack: Stack;
      /** All files as one. */
      readonly file: File;
      readonly warnings: readonly Problem[];
    }
  | {
      readonly ok: false;
      readonly errors: readonly Problem[];
      readonly warnings: readonly Problem[];
    };

/** Reads the files. A later one overrides the earlier ones. */
export function readStack(files: readonly StackFile[], options: StackOptions): StackResult {
  const { environment, projectName, workingDir, readFile = () => undefined } = options;
  const errors: Problem[] = [];
  const warnings: Problem[] = [];
  const context = { environment, errors, warnings, folder: workingDir, readFile };
  const order = files.map(({ name }) => name);
  const told = (problems: readonly Problem[]): Problem[] => groupProblems(sorted(problems, order));
  const refuse = (): StackResult => ({ ok: false, errors: told(errors), warnings: told(warnings) });
  const read = files.flatMap((file) => load({ ...file, context }) ?? []);
  const file = overlay(read);
  if (file === undefined || errors.length > 0) return refuse();
  const names = enabled(file, options.profiles ?? []);
  const services = names.flatMap((name) => entryOf(file.services, name) ?? []);
  const stack = toStack(file, names, { projectName, errors, warnings });
  judge(stack, { file, services, errors, warnings });
  return errors.length > 0 ? refuse() : { ok: true, stack, file, warnings: told(warnings) };
}

/** Returns: the names of the services of these profiles and of those without, sorted. */
function enabled(file: File, profiles: readonly string[]): string[] {
  return Object.entries(file.services ?? {})
    .filter(([, { profiles: wanted = [] }]) => {
      const isWanted = wanted.some((one) => profiles.includes(one));
      return wanted.length === 0 || profiles.includes("*") || isWanted;
    })
    .map(([name]) => name)
    .sort();
}

/** Returns: the problems sorted by file in the given order, then by line and column. */
function sorted(problems: readonly Problem[], files: readonly string[]): Problem[] {
  const rank = ({ at }: Problem): number[] => [files.indexOf(at.file), at.line, at.column];
  return [...problems].sort((a, b) => {
    const [left, right] = [rank(a), rank(b)];
    const first = left.findIndex((number, index) => number !== right[index]);
    return (left[first] ?? 0) - (right[first] ?? 0);
  });
}
