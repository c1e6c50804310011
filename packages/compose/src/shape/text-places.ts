/** Text places: where the texts of a service stand that may be templates. They are judged after all files are merged. */
import type { SourcePosition } from "../reading/problem.ts";
import type { Value } from "../reading/value.ts";

/** By `hostname`, `environment NAME`, `volumes TARGET`, and `env_file` for the variables that stand in such files. */
export type TextPlaces = Readonly<Record<string, SourcePosition>>;

/** `volumes`: the mounts as they were read, in the order of the file. */
export function textPlaces(
  service: Value,
  volumes: readonly { readonly target: string }[],
): TextPlaces {
  const places: Record<string, SourcePosition> = {};
  const found = (key: string): Value | undefined =>
    service.kind === "map" ? service.entries.get(key)?.value : undefined;
  for (const key of ["hostname", "env_file"]) {
    const value = found(key);
    if (value !== undefined) places[key] = value.at;
  }
  const environment = found("environment");
  if (environment?.kind === "map") {
    for (const [name, { at }] of environment.entries) places[`environment ${name}`] = at;
  }
  if (environment?.kind === "list") {
    for (const item of environment.items) {
      if (item.kind !== "scalar") continue;
      const [name = ""] = item.text.split("=", 1);
      places[`environment ${name}`] = item.at;
    }
  }
  const mounts = found("volumes");
  for (const [index, { target }] of volumes.entries()) {
    const item = mounts?.kind === "list" ? mounts.items[index] : undefined;
    if (item !== undefined) places[`volumes ${target}`] = item.at;
  }
  return places;
}
