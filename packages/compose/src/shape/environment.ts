/** Environment: reads `env_file`, and joins its variables with `environment` as the docker client does. */

import { absolutePath } from "../reading/path.ts";
import {
  boolean,
  type Context,
  list,
  oneOf,
  type Placed,
  placed,
  record,
  shortOrLong,
  text,
} from "../reading/read.ts";
import type { Value } from "../reading/value.ts";
import { parseEnvFile } from "./env-file.ts";

export interface EnvFileEntry {
  readonly path: Placed<string>;
  readonly required: boolean;
}

const longForm = record({
  path: placed(text),
  required: boolean,
  // Lines are literal without a format, too, as for the docker client.
  format: oneOf("raw"),
});

const entry = shortOrLong(
  (value, context): EnvFileEntry | undefined => {
    const path = placed(text)(value, context);
    return path && { path, required: true };
  },
  (value, context): EnvFileEntry | undefined => {
    const long = longForm(value, context);
    if (long === undefined) return undefined;
    if (long.path === undefined)
      context.errors.push({ at: value.at, message: 'found an env file without "path": add it' });
    return long.path && { path: long.path, required: long.required ?? true };
  },
);

/** A path, or a list of paths and long forms. */
export function envFiles(value: Value, context: Context): EnvFileEntry[] | undefined {
  if (value.kind === "list") return list(entry)(value, context);
  return [entry(value, context)].filter((one) => one !== undefined);
}

type Variables = Readonly<Record<string, string | null>>;

/**
 * Returns: the variables of files, then `environment`. One without a value gets it from the caller's
 * environment. `undefined`: the service has neither.
 */
export function environmentOf(
  item: {
    readonly env_file?: readonly EnvFileEntry[] | undefined;
    readonly environment?: Variables | undefined;
  },
  context: Context,
): Record<string, string | null> | undefined {
  if (item.env_file === undefined && item.environment === undefined) return undefined;
  const result: Record<string, string | null> = {};
  const add = (values: Variables): void => {
    for (const [name, value] of Object.entries(values)) {
      result[name] =
        value ||
        (Object.hasOwn(context.environment, name) ? (context.environment[name] ?? "") : value);
    }
  };
  for (const file of item.env_file ?? []) add(readEnvFile(file, context));
  add(item.environment ?? {});
  return result;
}

/** Returns: the variables of the file; none if it is missing or invalid. Adds to `errors`. */
export function readEnvFile({ path, required }: EnvFileEntry, context: Context): Variables {
  const found = context.readFile(absolutePath(path.value, context.folder));
  if (found === undefined) {
    const message = `found no env file "${path.value}": create it, or set "required: false"`;
    if (required) context.errors.push({ at: path.at, message });
    return {};
  }
  const parsed = parseEnvFile(new TextDecoder().decode(found), context.environment);
  if (parsed.ok) return parsed.values;
  const at = { file: path.value, line: parsed.line, column: 1 };
  context.errors.push({ at, message: parsed.message });
  return {};
}
