/** Dependency: reads `depends_on` of a service. depends-on.ts decides what it means for a cluster. */
import {
  boolean,
  type Context,
  isNothing,
  list,
  mapOf,
  oneOf,
  placed,
  type RecordOf,
  record,
  text,
} from "../reading/read.ts";
import type { Value } from "../reading/value.ts";

const fields = {
  condition: oneOf("service_started", "service_healthy", "service_completed_successfully"),
  required: boolean,
  restart: boolean,
};

export type DependencyEntry = RecordOf<typeof fields>;

const long = record(fields);

/** A list of names, or a map of names. */
export function dependencies(
  value: Value,
  context: Context,
): Record<string, DependencyEntry> | undefined {
  if (value.kind === "list") {
    const names = list(placed(text))(value, context) ?? [];
    return Object.fromEntries(names.map((name) => [name.value, { at: name.at }]));
  }
  return mapOf((item, inner) => (isNothing(item) ? { at: item.at } : long(item, inner)))(
    value,
    context,
  );
}
