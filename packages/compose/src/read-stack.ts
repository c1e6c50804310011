/**
 * Read stack: turns stack files into Engine API objects, or reports every mistake with file, line and column.
 *
 *   files -> value.ts -> file.ts -> overlay.ts -> spec.ts
 *            YAML        meaning    one of all    Engine API
 *
 * The result equals what `docker stack deploy` sends for the same files. Opens nothing itself: texts,
 * environment and paths are arguments.
 */
import { type File, readFile } from "./file.ts";
import { overlay } from "./overlay.ts";
import type { Environment } from "./reading/interpolate.ts";
import type { Problem } from "./reading/problem.ts";
import { parseFile } from "./reading/value.ts";
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
  /** Services with `profiles` are left out unless one of their profiles is in this list. */
  readonly profiles?: readonly string[];
  /**
   * Returns: the text of the env file at this path, which is as in the stack file; `undefined` if there is
   * none.
   */
  readonly envFile?: (path: string) => string | undefined;
}

export type StackResult =
  | { readonly ok: true; readonly stack: Stack; readonly warnings: readonly Problem[] }
  | {
      readonly ok: false;
      readonly errors: readonly Problem[];
      readonly warnings: readonly Problem[];
    };

/** Reads the files. A later one overrides the earlier ones. */
export function readStack(files: readonly StackFile[], options: StackOptions): StackResult {
  const { environment, projectName, profiles = [] } = options;
  const errors: Problem[] = [];
  const warnings: Problem[] = [];
  const envFile = options.envFile ?? (() => undefined);
  const context = { environment, errors, warnings, envFile };
  const order = files.map(({ name }) => name);
  const refuse = (): StackResult => ({
    ok: false,
    errors: sorted(errors, order),
    warnings: sorted(warnings, order),
  });
  const read = files.flatMap(({ name, text }): File[] => {
    const value = parseFile(name, text, errors);
    const file = value && readFile(value, context);
    return file ? [file] : [];
  });
  const whole = overlay(read);
  if (whole === undefined || errors.length > 0) return refuse();
  const names = Object.entries(whole.services ?? {})
    .filter(([, service]) => {
      const wanted = service.profiles ?? [];
      return wanted.length === 0 || wanted.some((profile) => profiles.includes(profile));
    })
    .map(([name]) => name);
  const home = environment.HOME;
  const { workingDir } = options;
  const stack = toStack(whole, names, { projectName, workingDir, home, errors, warnings });
  return errors.length > 0 ? refuse() : { ok: true, stack, warnings: sorted(warnings, order) };
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
