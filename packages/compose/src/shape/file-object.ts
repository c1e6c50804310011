/**
 * File object: reads secrets and configs, those that a file defines and those that a service uses.
 *
 * Decides their form and where their bytes come from. Does not decide names: object-spec.ts does.
 * Source: Compose file format 3.13 (`file`, `external`, `driver`, `template_driver`), the Compose specification
 * (`environment`, `content`).
 */

import { absolutePath } from "../reading/path.ts";
import {
  type Context,
  fileMode,
  labels,
  type Read,
  type RecordOf,
  record,
  shortOrLong,
  text,
} from "../reading/read.ts";
import type { Value } from "../reading/value.ts";
import { external } from "./external.ts";

const referenceFields = { source: text, target: text, uid: text, gid: text, mode: fileMode };

export type FileReference = RecordOf<typeof referenceFields> & { readonly source: string };

/** A secret or config in a service: its name, or the long form. */
export const fileReference: Read<FileReference> = shortOrLong(
  (value, context): FileReference | undefined => {
    const source = text(value, context);
    return source === undefined ? undefined : { at: value.at, source };
  },
  (value, context): FileReference | undefined => {
    const long = record(referenceFields)(value, context);
    if (long === undefined) return undefined;
    const { source } = long;
    if (source) return { ...long, source };
    context.errors.push({
      at: value.at,
      message: 'found no "source": add the name of the secret or config',
    });
    return undefined;
  },
);

const fields = {
  name: text,
  file: text,
  environment: text,
  content: text,
  external,
  labels,
  driver: text,
  driver_opts: labels,
  template_driver: text,
};
const readObject = record(fields);

/** Where the bytes of an object come from. */
const sources = ["file", "environment", "content", "driver"] as const;

export type FileObject = RecordOf<typeof fields> & {
  /** Empty for external objects and those of a driver. */
  readonly data: Uint8Array;
};

export function secretObject(value: Value, context: Context): FileObject | undefined {
  return fileObject(value, context, "secret");
}

export function configObject(value: Value, context: Context): FileObject | undefined {
  return fileObject(value, context, "config");
}

function fileObject(
  value: Value,
  context: Context,
  kind: "secret" | "config",
): FileObject | undefined {
  const found = readObject(value, context);
  if (found === undefined) return undefined;
  const { environment, content, driver } = found;
  const fail = (message: string): undefined => {
    context.errors.push({ at: value.at, message });
  };
  const given = sources.filter((source) => found[source] !== undefined);
  if (found.external?.external) {
    if (given.length > 0) return fail(`found "external" and "${given[0]}": remove one of them`);
    return { ...found, data: new Uint8Array() };
  }
  if (kind === "config" && driver) return fail('"driver" is not supported: only secrets have one');
  if (given.length > 1)
    return fail(`found ${given.map((one) => `"${one}"`).join(" and ")}: keep one of them`);
  if (driver) return { ...found, data: new Uint8Array() };
  const encode = (text: string | undefined): Uint8Array => new TextEncoder().encode(text);
  if (found.file !== undefined) {
    const file = absolutePath(found.file, context.folder);
    const data = context.readFile(file);
    if (data !== undefined) return { ...found, file, data };
    return fail(`found no file "${found.file}" for this ${kind}: create it`);
  }
  if (environment !== undefined) {
    const isSet = Object.hasOwn(context.environment, environment);
    if (isSet) return { ...found, data: encode(context.environment[environment]) };
    return fail(`found no variable "${environment}" for this ${kind}: set it`);
  }
  if (content !== undefined) return { ...found, data: encode(content) };
  return fail(
    `found a ${kind} without content: add "file", "environment", "content" or "external: true"`,
  );
}
