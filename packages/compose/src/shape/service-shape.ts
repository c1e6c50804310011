/**
 * Service shape: the keys of a service in a stack file, how each is read, and which unsupported ones are ignored
 * or refused. Does not decide what they mean together: service-spec.ts does.
 *
 * Source: Compose file format 3.13 and the Compose specification, as `docker stack deploy` reads them.
 */

import type { SourcePosition } from "../reading/problem.ts";
import {
  boolean,
  bytes,
  type Context,
  cpus,
  duration,
  filledText,
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
} from "../reading/read.ts";
import type { Value } from "../reading/value.ts";
import { dependencies } from "./dependency.ts";
import { devices, gpus, reservedDevices } from "./device.ts";
import { envFiles } from "./environment.ts";
import { fileReference } from "./file-object.ts";
import { ports } from "./port.ts";
import { textPlaces } from "./text-places.ts";
import { volume } from "./volume.ts";

const useResources = "set deploy.resources";
const notHere = "a service cannot set it";

/** The network entry of a service, in any of its forms. */
const networkFields = { aliases: texts, driver_opts: labels };
const networkRecord = record(networkFields, {
  ignored: {
    gw_priority: notHere,
    interface_name: notHere,
    link_local_ips: "the cluster assigns addresses",
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

const genericResource = record({ discrete_resource_spec: record({ kind: text, value: integer }) });

const deploy = record({
  mode: placed(oneOf("replicated", "global", "replicated-job", "global-job")),
  replicas: integer,
  labels,
  endpoint_mode: oneOf("vip", "dnsrr"),
  resources: record({
    limits: record({ cpus, memory: bytes, pids: signedInteger }),
    reservations: record(
      { cpus, memory: bytes, generic_resources: list(genericResource), devices: reservedDevices },
      { refused: { pids: "set it under limits" } },
    ),
  }),
  restart_policy: record({
    condition: oneOf("none", "on-failure", "any"),
    delay: duration,
    max_attempts: integer,
    window: duration,
  }),
  placement: record({
    constraints: list(filledText),
    preferences: list(record({ spread: text })),
    max_replicas_per_node: integer,
  }),
  update_config: updateConfig,
  rollback_config: updateConfig,
});

export interface Extended {
  readonly at: SourcePosition;
  readonly service: string;
  /** Absent: the same file. */
  readonly file?: string | undefined;
}

/** `name`, or the service of another file. */
const extended: Read<Extended> = shortOrLong(
  (value, context): Extended | undefined => {
    const service = text(value, context);
    return service === undefined ? undefined : { at: value.at, service };
  },
  (value, context): Extended | undefined => {
    const { service, file } = record({ service: text, file: text })(value, context) ?? {};
    if (service !== undefined) return { at: value.at, service, file };
    context.errors.push({
      at: value.at,
      message: 'found "extends" without "service": add the name',
    });
    return undefined;
  },
);

const serviceFields = {
  image: filledText,
  build: (value: Value): Placed<true> => ({ at: value.at, value: true }),
  command: words,
  entrypoint: words,
  environment: pairs,
  env_file: envFiles,
  extends: extended,
  labels,
  deploy,
  depends_on: dependencies,
  ports: (value: Value, context: Context) => list(ports)(value, context)?.flat(),
  networks: serviceNetworks,
  volumes: list(volume),
  secrets: list(fileReference),
  configs: list(fileReference),
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
  privileged: boolean,
  devices,
  device_cgroup_rules: list(text),
  gpus,
  network_mode: placed(text),
  pid: text,
  ipc: text,
  uts: text,
  userns_mode: text,
  cgroup: text,
  cgroup_parent: text,
  security_opt: list(text),
  shm_size: bytes,
  runtime: text,
} as const;

const keys = record(serviceFields, {
  ignored: {
    annotations: notHere,
    attach: "it is for `docker compose up`",
    cgroupns_mode: notHere,
    container_name: "the cluster names containers after their service and slot",
    develop: "it is for `docker compose watch`",
    domainname: notHere,
    expose: "services of one network reach each other on any port",
    external_links: "use a network that both services share",
    links: "use a network that both services share; a service is found by its name",
    mac_address: "the cluster assigns addresses",
    platform: "use deploy.placement.constraints on node.platform.arch",
    label_file: "write the labels into the stack file",
    pull_policy: "a node pulls what it does not have",
    storage_opt: notHere,
    tmpfs: "docker stack deploy ignores it as well; write a volume of type tmpfs",
  },
  refused: {
    blkio_config: useResources,
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
    mem_limit: "set deploy.resources.limits.memory",
    mem_reservation: "set deploy.resources.reservations.memory",
    mem_swappiness: useResources,
    memswap_limit: useResources,
    oom_kill_disable: useResources,
    pids_limit: "set deploy.resources.limits.pids",
    post_start: "put it into the image",
    pre_stop: "put it into the image",
    models: "only containers can be deployed",
    provider: "only containers can be deployed",
    scale: "set deploy.replicas",
    volume_driver: "set the driver of the volume at the top level",
    volumes_from: "define the volume at the top level and mount it in both services",
  },
});

export const service = (value: Value, context: Context) => {
  const found = keys(value, context);
  return found && { ...found, places: textPlaces(value, found.volumes ?? []) };
};

export type ServiceEntry = NonNullable<ReturnType<typeof service>>;
