/**
 * Show file: prints all files of a stack as one, in the long forms of the docker client's `stack config`.
 *
 * The output is a stack file itself: a dollar is written as `$$`. Keys that gam ignores are left out, and so is what
 * a secret contains.
 */
import { stringify } from "yaml";
import { escaped, hostOf, isMap, type Plain, showDuration } from "./plain.ts";
import { type External, givenName } from "./shape/external.ts";
import type { File } from "./shape/file.ts";

/** Returns: YAML, with keys in the order of the alphabet. */
export function showFile({ services, networks, volumes, secrets, configs }: File): string {
  const whole = {
    version: "3.13",
    ...section("services", services, (_, entry) => toPlain(entry, "") ?? {}),
    ...section("networks", networks, shown),
    ...section("volumes", volumes, shown),
    ...section("secrets", secrets, shown),
    ...section("configs", configs, shown),
  };
  return stringify(escaped(whole), { sortMapEntries: true, lineWidth: 0 }).trimEnd();
}

function section<T>(
  name: string,
  entries: Readonly<Record<string, T>> | undefined,
  show: (key: string, entry: T) => Plain,
): Record<string, Plain> {
  const all = Object.entries(entries ?? {}).map(([key, entry]) => [key, show(key, entry)]);
  return all.length === 0 ? {} : { [name]: Object.fromEntries(all) };
}

/** The name of an external object is in one place. */
function shown(
  key: string,
  entry: { readonly name?: string | undefined; readonly external?: External | undefined },
): Plain {
  const { external, ...rest } = entry;
  const plain = toPlain(rest, "") ?? {};
  if (!external?.external || !isMap(plain)) return plain;
  return { ...plain, external: true, name: givenName(entry) ?? key } as Plain;
}

/** Maps of names that an author chose: their keys have no meaning here. */
const verbatim = new Set(["labels", "environment", "options", "driver_opts", "sysctls"]);
/** Where the value stands and what it contains: not for people. */
const hidden = new Set(["at", "data", "build", "unset", "places"]);
/** Keys that mean something else when they are left out than when they are false. */
const isMeant = new Set(["init", "required"]);
/** A value with its place. */
const placedKeys = new Set(["at", "value", "unset"]);
const durations = new Set(
  "interval timeout start_period start_interval delay monitor window stop_grace_period".split(" "),
);

/** Returns: `undefined` for what is left out: nothing, false and empty texts. */
function toPlain(value: unknown, key: string): Plain | undefined {
  if (value === undefined || value === "" || value === false) return undefined;
  if (value === null || typeof value === "boolean") return value;
  if (typeof value === "string") return key === "extra_hosts" ? hostOf(value) : value;
  if (typeof value === "number") return numberOf(value, key);
  if (Array.isArray(value)) {
    return value.flatMap((item) => toPlain(item, key) ?? (item === "" ? "" : []));
  }
  if (!isMap(value)) return undefined;
  if (verbatim.has(key)) return value as Plain;
  const isPlaced = "value" in value && Object.keys(value).every((one) => placedKeys.has(one));
  if (isPlaced) return toPlain(value.value, key);
  if ("TargetPort" in value) return portOf(value);
  const entries = Object.entries(value).flatMap(([name, item]): [string, Plain][] => {
    if (hidden.has(name)) return [];
    const plain = toPlain(item, name);
    if (plain !== undefined) return [[name, plain]];
    // Without the key, they mean true, or what the image says.
    return isMeant.has(name) && item === false ? [[name, false]] : [];
  });
  return Object.fromEntries(entries);
}

function numberOf(value: number, key: string): Plain {
  if (durations.has(key)) return showDuration(value);
  if (key === "cpus") return String(value / 1e9);
  return key === "memory" ? String(value) : value;
}

function portOf(port: Readonly<Record<string, unknown>>): Plain {
  const { Protocol, TargetPort, PublishedPort, PublishMode } = port;
  const long = {
    mode: PublishMode,
    target: TargetPort,
    published: PublishedPort,
    protocol: Protocol,
  };
  return Object.fromEntries(
    Object.entries(long).filter(([, value]) => value !== undefined),
  ) as Plain;
}
