/**
 * Config: the agent's settings, from its command line and its environment.
 *
 * An option overrides its variable, and a variable the default. Nothing else is read: the settings of a cluster
 * are in its state.
 */
import { parseArgs } from "node:util";
import { GamError, messageOf, rethrowInvariant } from "@gam/core";
import { type GenericResource, parseGenericResources } from "@gam/state";

export interface AgentConfig {
  /** Identity, credentials and journal. */
  readonly dataDir: string;
  /** Unix socket on which the API is served. */
  readonly socket: string;
  /** Unix socket of the host's Docker engine. */
  readonly engine: string;
  /** Folder in memory for the secrets and configs of this host's tasks. The engine must find it at the same path. */
  readonly filesDir: string;
  readonly listen: { readonly host: string; readonly port: number };
  /** `host` or `host:port` at which other peers reach this one. If undefined, the agent finds it out. */
  readonly advertise: string | undefined;
  readonly logLevel: string;
  /** Maximum number of voters: 1, 3, 5 or 7. */
  readonly votersMax: number;
  /** How long a silent voter keeps its vote if no other manager can take it over. */
  readonly voteSilenceMs: number;
  /** Whether this host takes part in networks across hosts. */
  readonly networks: boolean;
  /** Whether containers of this host may reach the ports of peers. */
  readonly containerMesh: boolean;
  /** Generic resources of this host. They replace what the engine says of the same kinds. */
  readonly genericResources: readonly GenericResource[];
  /** How fast this host sends layers of images to others, all together. */
  readonly imageBytesPerSecond: number;
  /** Start from the whole part of a spoilt journal, take no part, and wait for "gam recover". */
  readonly salvage: boolean;
  /** Folder of the packages of gam that this host keeps. install.sh of the package fills it. */
  readonly packagesDir: string;
}

const options = {
  "data-dir": { type: "string", env: "GAM_DATA_DIR", help: "identity, credentials and journal" },
  socket: { type: "string", env: "GAM_SOCKET", help: "Unix socket to serve the API on" },
  engine: { type: "string", env: "GAM_ENGINE", help: "Unix socket of the Docker engine" },
  "files-dir": {
    type: "string",
    env: "GAM_FILES_DIR",
    help: "folder in memory for secrets; the engine must see it",
  },
  listen: { type: "string", env: "GAM_LISTEN", help: "host:port of the mesh" },
  advertise: { type: "string", env: "GAM_ADVERTISE", help: "address that other peers use" },
  "log-level": { type: "string", env: "GAM_LOG_LEVEL", help: "trace, debug, info, warn or error" },
  "voters-max": {
    type: "string",
    env: "GAM_VOTERS_MAX",
    help: "maximum number of voters: 1, 3, 5 or 7",
  },
  "vote-silence": {
    type: "string",
    env: "GAM_VOTE_SILENCE",
    help: "seconds for which a silent voter keeps its vote",
  },
  networks: { type: "string", env: "GAM_NETWORKS", help: "networks across hosts: on or off" },
  "container-mesh": {
    type: "string",
    env: "GAM_CONTAINER_MESH",
    help: "whether this host's containers may reach the mesh: on or off",
  },
  "generic-resource": {
    type: "string",
    env: "GAM_GENERIC_RESOURCE",
    help: "generic resources of this host: KIND=COUNT or KIND=NAME, with commas between",
  },
  "image-rate": {
    type: "string",
    env: "GAM_IMAGE_RATE",
    help: "megabytes a second that this host sends of images",
  },
  salvage: { type: "string", env: "GAM_SALVAGE", help: "start from a spoilt journal: on or off" },
  "packages-dir": {
    type: "string",
    env: "GAM_PACKAGES_DIR",
    help: "packages of gam that this host keeps",
  },
} as const;

const defaults: Record<keyof typeof options, string | undefined> = {
  "data-dir": "/var/lib/gam",
  socket: "/run/gam.sock",
  engine: "/var/run/docker.sock",
  "files-dir": "/run/gam-files",
  listen: "0.0.0.0:7946",
  advertise: undefined,
  "log-level": "info",
  "voters-max": "5",
  "vote-silence": "300",
  networks: "on",
  "container-mesh": "off",
  "generic-resource": undefined,
  "image-rate": "100",
  salvage: "off",
  "packages-dir": "/var/cache/gam/packages",
};

const imageRateMax = 100_000;
/** A day. */
const secondsMax = 86_400;

const levels = ["trace", "debug", "info", "warn", "error"];

export function usageText(): string {
  const rows = Object.entries(options).map(([name, { env, help }]) => {
    const standard = defaults[name as keyof typeof options];
    const suffix = standard === undefined ? "" : ` (${standard})`;
    return `  --${name.padEnd(16)} ${env.padEnd(20)} ${help}${suffix}`;
  });
  return ["Usage: gam agent [options]", "", ...rows].join("\n");
}

/** Errors: BAD_REQUEST, naming the option. */
export function readConfig(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): AgentConfig {
  let values: Readonly<Record<string, string | undefined>>;
  try {
    const spec = Object.fromEntries(
      Object.keys(options).map((name) => [name, { type: "string" as const, multiple: true }]),
    );
    const found = parseArgs({ args: [...args], options: spec, strict: true }).values;
    // Of an option that is given twice the last one counts, but resources add up.
    values = Object.fromEntries(
      Object.entries(found).map(([name, all = []]) => [
        name,
        typeof all === "string" || name !== "generic-resource" ? all.at(-1) : all.join(","),
      ]),
    );
  } catch (thrown) {
    rethrowInvariant(thrown);
    throw new GamError("BAD_REQUEST", `Cannot read options: ${messageOf(thrown)}`, {
      cause: thrown,
    });
  }
  const value = (name: keyof typeof options): string | undefined =>
    values[name] ?? (environment[options[name].env] || undefined) ?? defaults[name];
  const logLevel = value("log-level") ?? "";
  if (!levels.includes(logLevel)) {
    refuse("log-level", `one of ${levels.join(", ")}`, logLevel);
  }
  const votersMax = Number(value("voters-max"));
  if (![1, 3, 5, 7].includes(votersMax)) {
    refuse("voters-max", "1, 3, 5 or 7", String(value("voters-max")));
  }
  const voteSilence = Number(value("vote-silence"));
  if (!Number.isInteger(voteSilence) || voteSilence < 5 || voteSilence > secondsMax) {
    refuse("vote-silence", `seconds from 5 to ${secondsMax}`, String(value("vote-silence")));
  }
  const imageRate = Number(value("image-rate"));
  if (!Number.isInteger(imageRate) || imageRate < 1 || imageRate > imageRateMax) {
    refuse("image-rate", `megabytes from 1 to ${imageRateMax}`, String(value("image-rate")));
  }
  const filesDir = value("files-dir") ?? "";
  if (!filesDir.startsWith("/")) refuse("files-dir", "an absolute path", filesDir);
  const isOn = (name: keyof typeof options): boolean => {
    const text = value(name) ?? "";
    if (text !== "on" && text !== "off") refuse(name, "on or off", text);
    return text === "on";
  };
  return {
    dataDir: value("data-dir") ?? "",
    socket: value("socket") ?? "",
    engine: value("engine") ?? "",
    filesDir,
    listen: hostAndPort("listen", value("listen") ?? ""),
    advertise: value("advertise"),
    logLevel,
    votersMax,
    voteSilenceMs: voteSilence * 1000,
    networks: isOn("networks"),
    containerMesh: isOn("container-mesh"),
    genericResources: parseGenericResources(value("generic-resource") ?? ""),
    imageBytesPerSecond: imageRate * 1e6,
    salvage: isOn("salvage"),
    packagesDir: value("packages-dir") ?? "",
  };
}

function refuse(name: string, wanted: string, found: string): never {
  throw new GamError(
    "BAD_REQUEST",
    `Cannot read option "${name}": found "${found}". Use ${wanted}`,
  );
}

/** Reads `host:port`, with brackets around an IPv6 host. Errors: BAD_REQUEST, naming the option. */
export function hostAndPort(name: string, text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65535) refuse(name, "host:port", text);
  return { host: match[1] ?? (match[2] || "0.0.0.0"), port };
}
