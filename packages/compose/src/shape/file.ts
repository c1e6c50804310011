/**
 * File: the shape of one stack file. Decides which keys there are, how each is read, and which unsupported ones
 * are ignored or refused. Does not decide what they mean together: spec.ts does.
 *
 * Source: Compose file format 3.13 and the Compose specification, as `docker stack deploy` reads them.
 */

import { type Path, takeMarks } from "../reading/marks.ts";
import {
  boolean,
  type Context,
  isNothing,
  labels,
  list,
  mapOf,
  type Read,
  record,
  text,
} from "../reading/read.ts";
import type { Value } from "../reading/value.ts";
import { environmentOf } from "./environment.ts";
import { external } from "./external.ts";
import { configObject, secretObject } from "./file-object.ts";
import { service } from "./service-shape.ts";

const network = record(
  {
    name: text,
    driver: text,
    driver_opts: labels,
    external,
    internal: boolean,
    attachable: boolean,
    labels,
    ipam: record(
      {
        driver: text,
        config: list(
          record(
            { subnet: text },
            {
              ignored: {
                gateway: "the cluster assigns it",
                ip_range: "the cluster assigns addresses",
                aux_addresses: "the cluster assigns addresses",
              },
            },
          ),
        ),
      },
      { ignored: { options: "no driver here reads them" } },
    ),
  },
  { ignored: { enable_ipv4: "it is always on", enable_ipv6: "services have IPv4 addresses" } },
);

const topVolume = record({ name: text, driver: text, driver_opts: labels, external, labels });

const empty = { kind: "map", entries: new Map() } as const;
const orEmpty =
  <T>(read: Read<T>): Read<T> =>
  (value, context) =>
    read(isNothing(value) ? { ...empty, at: value.at } : value, context);

const fileFields = {
  services: mapOf(orEmpty(service)),
  networks: mapOf(orEmpty(network)),
  volumes: mapOf(orEmpty(topVolume)),
  secrets: mapOf(orEmpty(secretObject)),
  configs: mapOf(orEmpty(configObject)),
} as const;

/** `version` and `name` have no meaning here; load.ts reads `include`. */
const silent = new Set(["version", "name", "include"]);

const file = record(fileFields, {
  refused: { models: "only containers can be deployed" },
});

export type File = NonNullable<ReturnType<typeof file>>;
export type NetworkEntry = NonNullable<NonNullable<File["networks"]>[string]>;
export type VolumeEntry = NonNullable<NonNullable<File["volumes"]>[string]>;

export interface ReadFile {
  readonly file: File;
  /** What this file removes from the files before it. */
  readonly cleared: readonly Path[];
}

/** Reads one file. Puts the variables of `env_file` into the environment of each service. */
export function readFile(value: Value, context: Context): ReadFile | undefined {
  const unmarked = takeMarks(value, context.errors);
  const found = file(withoutSilent(unmarked.value), context);
  if (found === undefined) return undefined;
  const { cleared } = unmarked;
  if (found.services === undefined) return { file: found, cleared };
  const services = Object.fromEntries(
    Object.entries(found.services).map(([name, item]) => {
      const { env_file, ...rest } = item;
      const environment = environmentOf(item, context);
      return [name, environment === undefined ? rest : { ...rest, environment }];
    }),
  );
  return { file: { ...found, services }, cleared };
}

function withoutSilent(value: Value): Value {
  if (value.kind !== "map") return value;
  return { ...value, entries: new Map([...value.entries].filter(([key]) => !silent.has(key))) };
}
