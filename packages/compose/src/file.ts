/**
 * File: the shape of one stack file. Decides which keys there are, how each is read, and which unsupported ones
 * are ignored or refused. Does not decide what they mean together: spec.ts does.
 *
 * Source: Compose file format 3.13 and the Compose specification, as `docker stack deploy` reads them.
 */
import { parseEnvFile } from "./env-file.ts";
import { ports } from "./port.ts";
import {
  boolean,
  bytes,
  type Context,
  cpus,
  duration,
  integer,
  isNothing,
  labels,
  list,
  mapOf,
  oneOf,
  type Placed,
  pairs,
  placed,
  type Read,
  type RecordOf,
  ratio,
  record,
  shortOrLong,
  signedInteger,
  text,
  texts,
  words,
} from "./reading/read.ts";
import type { Value } from "./reading/value.ts";
import { volume } from "./volume.ts";

const useResources = "set deploy.resources";
const notHere = "a service cannot set it";

/** The network entry of a service, in any of its forms. */
const networkFields = { aliases: texts, driver_opts: labels };
const networkRecord = record(networkFields, {
  ignored: {
    ipv4_address: "the cluster assigns addresses",
    ipv6_address: "the cluster assigns addresses",
    mac_address: "the cluster assigns addresses",
    priority: notHere,
  },
});
type ServiceNetwork = RecordOf<typeof networkFields>;

const serviceNetworks: Read<Record<string, ServiceNetwork>> = (value, context) => {
  if (value.kind === "list") {
    const names = list(placed(text))(value, context) ?? [];
    return Object.fromEntries(names.map((name) => [name.value, { at: name.at }]));
  }
  return mapOf((item, inner) => (isNothing(item) ? { at: item.at } : networkRecord(item, inner)))(
    value,
    context,
  );
};

const healthTest: Read<string[]> = (value, context) => {
  if (value.kind !== "scalar") return list(text)(value, context);
  const command = text(value, context);
  return command === undefined ? undefined : ["CMD-SHELL", command];
};

const healthcheck = record({
  test: healthTest,
  interval: duration,
  timeout: duration,
  start_period: duration,
  start_interval: duration,
  retries: integer,
  disable: boolean,
});

/** `name: address` or `name=address`; IPv6 may have brackets. */
const extraHosts: Read<string[]> = (value, context) => {
  const entry = (host: string, address: string): string =>
    `${address.trim().replace(/^\[(.*)\]$/, "$1")} ${host}`;
  if (value.kind === "map") {
    const found = mapOf((item, inner) => texts(item, inner))(value, context) ?? {};
    return Object.keys(found)
      .sort()
      .flatMap((host) => (found[host] ?? []).map((address) => entry(host, address)));
  }
  return list<string>((item, inner) => {
    const line = text(item, inner);
    if (line === undefined) return undefined;
    const [, host, address] = /^([^=:]+)[=:](.+)$/.exec(line) ?? [];
    if (host !== undefined && address !== undefined) return entry(host, address);
    const message = `wanted a host such as name:10.0.0.1, found "${line}"`;
    inner.errors.push({ at: item.at, message });
    return undefined;
  })(value, context);
};

const updateFields = {
  parallelism: integer,
  delay: duration,
  monitor: duration,
  max_failure_ratio: ratio,
  order: oneOf("stop-first", "start-first"),
};
const updateConfig = record({
  ...updateFields,
  failure_action: oneOf("pause", "continue", "rollback"),
});
const rollbackConfig = record({ ...updateFields, failure_action: oneOf("pause", "continue") });

const genericResource = record({ discrete_resource_spec: record({ kind: text, value: integer }) });

const deploy = record({
  mode: placed(oneOf("replicated", "global", "replicated-job", "global-job")),
  replicas: integer,
  labels,
  endpoint_mode: oneOf("vip", "dnsrr"),
  resources: record({
    limits: record({ cpus, memory: bytes, pids: signedInteger }),
    reservations: record(
      { cpus, memory: bytes, generic_resources: list(genericResource) },
      { refused: { devices: "reserve generic_resources", pids: "set it under limits" } },
    ),
  }),
  restart_policy: record({
    condition: oneOf("none", "on-failure", "any"),
    delay: duration,
    max_attempts: integer,
    window: duration,
  }),
  placement: record({
    constraints: list(text),
    preferences: list(record({ spread: text })),
    max_replicas_per_node: integer,
  }),
  update_config: updateConfig,
  rollback_config: rollbackConfig,
});

const envFileEntry = shortOrLong(
  (value, context) => {
    const path = placed(text)(value, context);
    return path && { path, required: true };
  },
  (value, context) => {
    const long = record(
      { path: placed(text), required: boolean },
      { refused: { format: "leave it out" } },
    );
    const entry = long(value, context);
    if (entry === undefined) return undefined;
    if (entry.path === undefined)
      context.errors.push({ at: value.at, message: 'found an env file without "path": add it' });
    return entry.path && { path: entry.path, required: entry.required ?? true };
  },
);

const serviceFields = {
  image: text,
  build: (value: Value): Placed<true> => ({ at: value.at, value: true }),
  command: words,
  entrypoint: words,
  environment: pairs,
  env_file: (value: Value, context: Context) =>
    value.kind === "list"
      ? list(envFileEntry)(value, context)
      : [envFileEntry(value, context)].filter((entry) => entry !== undefined),
  labels,
  deploy,
  ports: (value: Value, context: Context) => list(ports)(value, context)?.flat(),
  networks: serviceNetworks,
  volumes: list(volume),
  healthcheck,
  logging: record({ driver: text, options: labels }),
  user: text,
  group_add: list(text),
  working_dir: text,
  hostname: text,
  extra_hosts: extraHosts,
  dns: texts,
  dns_search: texts,
  dns_opt: texts,
  stop_grace_period: duration,
  stop_signal: text,
  init: boolean,
  read_only: boolean,
  tty: boolean,
  stdin_open: boolean,
  isolation: text,
  oom_score_adj: signedInteger,
  sysctls: labels,
  ulimits: mapOf(
    shortOrLong(signedInteger, record({ soft: signedInteger, hard: signedInteger })),
  ) satisfies Read<unknown>,
  cap_add: list(text),
  cap_drop: list(text),
  profiles: list(text),
  restart: placed(text),
} as const;

const service = record(serviceFields, {
  ignored: {
    annotations: notHere,
    attach: "it is for `docker compose up`",
    cgroup: notHere,
    cgroup_parent: notHere,
    container_name: "the cluster names containers after their service and slot",
    depends_on: "services start in any order, and restart until the services that they need run",
    develop: "it is for `docker compose watch`",
    devices: "a service cannot be given devices; bind-mount the device's path",
    domainname: notHere,
    expose: "services of one network reach each other on any port",
    external_links: "use a network that both services share",
    ipc: notHere,
    links: "use a network that both services share; a service is found by its name",
    mac_address: "the cluster assigns addresses",
    network_mode: "list networks instead; `host` is an external network of that name",
    pid: notHere,
    platform: "use deploy.placement.constraints on node.platform.arch",
    privileged: "a service cannot be privileged; see cap_add",
    pull_policy: "a node pulls what it does not have",
    runtime: notHere,
    security_opt: notHere,
    shm_size: "mount a tmpfs volume with a size on /dev/shm",
    tmpfs: "docker stack deploy ignores it as well; write a volume of type tmpfs",
    userns_mode: notHere,
    uts: notHere,
  },
  refused: {
    blkio_config: useResources,
    configs: "gam does not have them yet; bind-mount a file or set environment",
    cpu_count: useResources,
    cpu_percent: useResources,
    cpu_period: useResources,
    cpu_quota: useResources,
    cpu_rt_period: useResources,
    cpu_rt_runtime: useResources,
    cpu_shares: useResources,
    cpus: "set deploy.resources.limits.cpus",
    cpuset: useResources,
    credential_spec: "it is for Windows containers",
    extends: "use a YAML anchor, or deploy several files",
    gpus: "reserve generic_resources",
    mem_limit: "set deploy.resources.limits.memory",
    mem_reservation: "set deploy.resources.reservations.memory",
    mem_swappiness: useResources,
    memswap_limit: useResources,
    oom_kill_disable: useResources,
    pids_limit: "set deploy.resources.limits.pids",
    post_start: "put it into the image",
    pre_stop: "put it into the image",
    provider: "only containers can be deployed",
    scale: "set deploy.replicas",
    secrets: "gam does not have them yet; bind-mount a file or set environment",
    volume_driver: "set the driver of the volume at the top level",
    volumes_from: "define the volume at the top level and mount it in both services",
  },
});

/** `true`, or the old form with a name inside. */
const external: Read<{ readonly external: boolean; readonly name?: string }> = shortOrLong(
  (value, context) => ({ external: boolean(value, context) ?? false }),
  (value, context) => {
    const name = record({ name: text })(value, context)?.name;
    return { external: true, ...(name === undefined ? {} : { name }) };
  },
);

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
} as const;

const file = record(fileFields, {
  ignored: {},
  refused: {
    configs: "gam does not have them yet",
    include: "give the files one by one",
    models: "only containers can be deployed",
    secrets: "gam does not have them yet",
  },
});

export type File = NonNullable<ReturnType<typeof file>>;
export type ServiceEntry = NonNullable<NonNullable<File["services"]>[string]>;
export type NetworkEntry = NonNullable<NonNullable<File["networks"]>[string]>;
export type VolumeEntry = NonNullable<NonNullable<File["volumes"]>[string]>;

export interface FileContext extends Context {
  /**
   * Returns: the text of the env file at this path, which is as in the stack file; `undefined` if there is
   * none.
   */
  readonly envFile: (path: string) => string | undefined;
}

/** Reads one file. Puts the variables of `env_file` into the environment of each service. */
export function readFile(value: Value, context: FileContext): File | undefined {
  const found = file(withoutOld(value), context);
  if (found?.services === undefined) return found;
  const services: Record<string, ServiceEntry> = {};
  for (const [name, item] of Object.entries(found.services)) {
    const { env_file, ...rest } = item;
    const environment = environmentOf(item, context);
    services[name] = environment === undefined ? rest : { ...rest, environment };
  }
  return { ...found, services };
}

/** Removes `version` and `name`, which have no meaning here. */
function withoutOld(value: Value): Value {
  if (value.kind !== "map") return value;
  const entries = [...value.entries].filter(([key]) => key !== "version" && key !== "name");
  return { ...value, entries: new Map(entries) };
}

/**
 * Returns: the variables of files, then `environment`. One without a value gets it from the caller's
 * environment.
 */
function environmentOf(
  item: ServiceEntry,
  context: FileContext,
): Record<string, string | null> | undefined {
  if (item.env_file === undefined && item.environment === undefined) return undefined;
  const result: Record<string, string | null> = {};
  const add = (values: Readonly<Record<string, string | null>>): void => {
    for (const [name, value] of Object.entries(values)) {
      result[name] =
        value ||
        (Object.hasOwn(context.environment, name) ? (context.environment[name] ?? "") : value);
    }
  };
  for (const { path, required } of item.env_file ?? []) {
    const found = context.envFile(path.value);
    if (found === undefined) {
      if (required) {
        context.errors.push({
          at: path.at,
          message: `found no env file "${path.value}": create it, or set "required: false"`,
        });
      }
      continue;
    }
    const parsed = parseEnvFile(found, context.environment);
    if (parsed.ok) add(parsed.values);
    else {
      const at = { file: path.value, line: parsed.line, column: 1 };
      context.errors.push({ at, message: parsed.message });
    }
  }
  add(item.environment ?? {});
  return result;
}
