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

export type FileObject = Omit<RecordOf<typeof fields>, "file" | "environment" | "content"> & {
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
  const { file, environment, content, ...object } = found;
  const fail = (message: string): undefined => {
    context.errors.push({ at: value.at, message });
  };
  const given = sources.filter((source) => found[source] !== undefined);
  if (object.external?.external) {
    if (given.length > 0) return fail(`found "external" and "${given[0]}": remove one of them`);
    return { ...object, data: new Uint8Array() };
  }
  if (kind === "config" && object.driver)
    return fail('"driver" is not supported: only secrets have one');
  if (given.length > 1)
    return fail(`found ${given.map((one) => `"${one}"`).join(" and ")}: keep one of them`);
  if (object.driver) return { ...object, data: new Uint8Array() };
  if (file !== undefined) {
    const data = context.readFile(absolutePath(file, context.folder));
    return data ? { ...object, data } : fail(`found no file "${file}" for this ${kind}: create it`);
  }
  if (environment !== undefined) {
    if (Object.hasOwn(context.environment, environment)) {
      return { ...object, data: new TextEncoder().encode(context.environment[environment]) };
    }
    return fail(`found no variable "${environment}" for this ${kind}: set it`);
  }
  if (content !== undefined) return { ...object, data: new TextEncoder().encode(content) };
  return fail(
    `found a ${kind} without content: add "file", "environment", "content" or "external: true"`,
  );
}
