/**
 * Spec: turns a stack file into the Engine API's objects.
 *
 * Decides names, labels and defaults, so that the same file gives the same specs here and with
 * `docker stack deploy`. Does not decide what is valid for a cluster: the API does.
 * Source: recorded requests of the docker client.
 */
import { unreachable } from "@gam/core";
import type {
  ContainerSpec,
  Healthcheck,
  Mount,
  NetworkTarget,
  Placement,
  PortConfig,
  Resources,
  RestartPolicy,
  ServiceMode,
  ServiceSpec,
  TaskSpec,
  UpdateConfig,
} from "@gam/state";
import type { File, NetworkEntry, ServiceEntry } from "./file.ts";
import { familiarImage } from "./image.ts";
import type { Problem, SourcePosition } from "./reading/problem.ts";
import type { Volume } from "./volume.ts";

/** Labels that the docker client puts on a stack's objects, and by which it finds them. */
export const stackLabel = "com.docker.stack.namespace";
export const imageLabel = "com.docker.stack.image";

/** The body of `POST /networks/create`. */
export interface NetworkCreate {
  readonly Name: string;
  readonly Driver: string;
  readonly Internal: boolean;
  readonly Attachable: boolean;
  readonly Options?: Readonly<Record<string, string>>;
  readonly Labels: Readonly<Record<string, string>>;
  readonly IPAM?: {
    readonly Driver: string;
    readonly Config: readonly { readonly Subnet: string }[];
  };
}

export interface Stack {
  readonly services: readonly ServiceSpec[];
  /** The networks that a service uses and that are not external. */
  readonly networks: readonly NetworkCreate[];
  /** Names of networks that must exist already. */
  readonly externalNetworks: readonly string[];
}

export interface SpecContext {
  readonly projectName: string;
  /** Absolute. Relative paths begin here. */
  readonly workingDir: string;
  /** The value of `~`. */
  readonly home: string | undefined;
  readonly errors: Problem[];
  readonly warnings: Problem[];
}

interface NamedService {
  readonly name: string;
  readonly service: ServiceEntry;
}

const predefinedNetworks = new Set(["default", "bridge", "host", "none"]);
const defaultNetwork = "default";

/** The objects of the services in `names`, in the order of their names. */
export function toStack(file: File, names: readonly string[], context: SpecContext): Stack {
  const services = [...names].sort().flatMap((name): NamedService[] => {
    const service = file.services?.[name];
    return service === undefined ? [] : [{ name, service }];
  });
  const used = new Set(services.flatMap(({ service }) => Object.keys(networksOf(service))));
  const networks: NetworkCreate[] = [];
  const externalNetworks: string[] = [];
  for (const key of [...used].sort()) {
    const entry = file.networks?.[key];
    if (entry?.external?.external) externalNetworks.push(networkName(key, entry, context));
    else networks.push(networkCreate(key, entry, context));
  }
  return {
    services: services.map((named) => serviceSpec(named, file, context)),
    networks: networks.sort((a, b) => (a.Name < b.Name ? -1 : 1)),
    externalNetworks: externalNetworks.sort(),
  };
}

function scoped(name: string, context: SpecContext): string {
  return `${context.projectName}_${name}`;
}

function networksOf(service: ServiceEntry): NonNullable<ServiceEntry["networks"]> {
  const { networks = {} } = service;
  return Object.keys(networks).length === 0 ? { [defaultNetwork]: { at: service.at } } : networks;
}

function networkName(key: string, entry: NetworkEntry | undefined, context: SpecContext): string {
  if (entry?.name !== undefined) return entry.name;
  if (entry?.external?.external) return entry.external.name ?? key;
  return scoped(key, context);
}

function networkCreate(
  key: string,
  entry: NetworkEntry | undefined,
  context: SpecContext,
): NetworkCreate {
  const { driver, config = [] } = entry?.ipam ?? {};
  const subnets = config.flatMap(({ subnet }) =>
    subnet === undefined ? [] : [{ Subnet: subnet }],
  );
  return {
    Name: networkName(key, entry, context),
    Driver: entry?.driver || "overlay",
    Internal: entry?.internal ?? false,
    Attachable: entry?.attachable ?? false,
    ...(entry?.driver_opts && { Options: entry.driver_opts }),
    Labels: stackLabels(entry?.labels, context),
    ...((driver || subnets.length > 0) && { IPAM: { Driver: driver ?? "", Config: subnets } }),
  };
}

function stackLabels(
  labels: Readonly<Record<string, string>> | undefined,
  context: SpecContext,
): Record<string, string> {
  return { ...labels, [stackLabel]: context.projectName };
}

function serviceSpec(named: NamedService, file: File, context: SpecContext): ServiceSpec {
  const { name, service } = named;
  const { deploy = undefined, image = "" } = service;
  checkImage(service, context);
  const updateConfig = toUpdate(deploy?.update_config);
  const rollbackConfig = toUpdate(deploy?.rollback_config);
  return {
    Name: scoped(name, context),
    Labels: { ...stackLabels(deploy?.labels, context), [imageLabel]: image },
    TaskTemplate: taskSpec(named, file, context),
    Mode: toMode(deploy, context),
    ...(updateConfig && { UpdateConfig: updateConfig }),
    ...(rollbackConfig && { RollbackConfig: rollbackConfig }),
    EndpointSpec: {
      ...(deploy?.endpoint_mode && { Mode: deploy.endpoint_mode }),
      ...(service.ports && service.ports.length > 0 && { Ports: sortedPorts(service.ports) }),
    },
  };
}

function checkImage({ at, image, build }: ServiceEntry, context: SpecContext): void {
  const advice = "build it with `docker build -t NAME .` and write `image: NAME`";
  if (image && build) {
    const message = `"build" is ignored: nodes must be able to pull "${image}"`;
    context.warnings.push({ at: build.at, message });
  } else if (build) {
    context.errors.push({ at: build.at, message: `"build" is not supported: ${advice}` });
  } else if (!image) {
    context.errors.push({ at, message: 'found a service without "image": add it' });
  }
}

function taskSpec(named: NamedService, file: File, context: SpecContext): TaskSpec {
  const { service } = named;
  const { deploy, logging } = service;
  const { limits, reservations } = deploy?.resources ?? {};
  const restart = toRestart(service, context);
  return {
    ContainerSpec: containerSpec(service, file, context),
    Resources: {
      ...(limits && { Limits: toResources(limits) }),
      ...(reservations && { Reservations: toResources(reservations) }),
    },
    ...(restart && { RestartPolicy: restart }),
    Placement: toPlacement(deploy),
    Networks: toNetworks(named, file, context),
    ...(logging && {
      LogDriver: {
        ...(logging.driver && { Name: logging.driver }),
        ...(logging.options && { Options: logging.options }),
      },
    }),
    ForceUpdate: 0,
  };
}

function containerSpec(service: ServiceEntry, file: File, context: SpecContext): ContainerSpec {
  const mounts = (service.volumes ?? []).map((volume) => toMount(volume, file, context));
  const { add, drop } = toCapabilities(service.cap_add ?? [], service.cap_drop ?? []);
  const health = toHealthcheck(service, context);
  const dns = {
    ...some("Nameservers", service.dns),
    ...some("Search", service.dns_search),
    ...some("Options", service.dns_opt),
  };
  return {
    Image: familiarImage(service.image ?? ""),
    Labels: stackLabels(service.labels, context),
    ...some("Command", service.entrypoint),
    ...some("Args", service.command),
    ...(service.hostname && { Hostname: service.hostname }),
    ...some("Env", toEnv(service.environment ?? {})),
    ...(service.working_dir && { Dir: service.working_dir }),
    ...(service.user && { User: service.user }),
    ...some("Groups", service.group_add),
    // The docker client always sends these three. Without them the same file would look like a new spec.
    Privileges: { CredentialSpec: null, SELinuxContext: null, NoNewPrivileges: false },
    ...(service.init !== undefined && { Init: service.init }),
    ...(service.stop_signal && { StopSignal: service.stop_signal }),
    ...(service.stop_grace_period !== undefined && { StopGracePeriod: service.stop_grace_period }),
    ...(service.tty && { TTY: true }),
    ...(service.stdin_open && { OpenStdin: true }),
    ...(service.read_only && { ReadOnly: true }),
    ...some("Mounts", mounts),
    ...(health && { Healthcheck: health }),
    ...some("Hosts", service.extra_hosts),
    ...(Object.keys(dns).length > 0 && { DNSConfig: dns }),
    ...(service.isolation && { Isolation: service.isolation }),
    ...(service.sysctls && { Sysctls: service.sysctls }),
    ...some("CapabilityAdd", add),
    ...some("CapabilityDrop", drop),
    ...some("Ulimits", toUlimits(service.ulimits ?? {})),
    ...(service.oom_score_adj && { OomScoreAdj: service.oom_score_adj }),
  };
}

/** Returns: the list under its key; nothing for an empty list, which the docker client leaves out. */
function some<const K extends string, T>(
  key: K,
  list: readonly T[] | undefined,
): { readonly [P in K]?: readonly T[] } {
  return list === undefined || list.length === 0
    ? {}
    : ({ [key]: list } as { readonly [P in K]: readonly T[] });
}

function toEnv(environment: Readonly<Record<string, string | null>>): string[] {
  return Object.entries(environment)
    .map(([name, value]) => (value === null ? name : `${name}=${value}`))
    .sort();
}

function toMode(deploy: ServiceEntry["deploy"], context: SpecContext): ServiceMode {
  const { mode, replicas } = deploy ?? {};
  const kind = mode?.value ?? "replicated";
  if (mode && replicas !== undefined && kind.startsWith("global")) {
    const message = `found "replicas" with mode "${kind}", which runs one task on every node: remove one of the two`;
    context.errors.push({ at: mode.at, message });
  }
  switch (kind) {
    case "global":
      return { Global: {} };
    case "global-job":
      return { GlobalJob: {} };
    case "replicated-job":
      if (replicas === undefined) return { ReplicatedJob: {} };
      return { ReplicatedJob: { MaxConcurrent: replicas, TotalCompletions: replicas } };
    case "replicated":
      return { Replicated: replicas === undefined ? {} : { Replicas: replicas } };
    default:
      return unreachable(kind);
  }
}

type Deploy = NonNullable<ServiceEntry["deploy"]>;
type Limits = NonNullable<NonNullable<Deploy["resources"]>["limits"]>;
type Reservations = NonNullable<NonNullable<Deploy["resources"]>["reservations"]>;

function toResources(asked: Limits | Reservations): Resources {
  const generic = "generic_resources" in asked ? (asked.generic_resources ?? []) : [];
  const pids = "pids" in asked ? asked.pids : undefined;
  return {
    ...(asked.cpus && { NanoCPUs: asked.cpus }),
    ...(asked.memory && { MemoryBytes: asked.memory }),
    ...(pids && { Pids: pids }),
    ...some(
      "GenericResources",
      generic.map(({ discrete_resource_spec: { kind = "", value = 0 } = {} }) => ({
        DiscreteResourceSpec: { Kind: kind, Value: value },
      })),
    ),
  };
}

function toRestart(
  { deploy, restart }: ServiceEntry,
  context: SpecContext,
): RestartPolicy | undefined {
  const policy = deploy?.restart_policy;
  if (policy) {
    const { condition, delay, max_attempts: attempts, window } = policy;
    return {
      ...(condition && { Condition: condition }),
      ...(delay !== undefined && { Delay: delay }),
      ...(attempts !== undefined && { MaxAttempts: attempts }),
      ...(window !== undefined && { Window: window }),
    };
  }
  if (restart === undefined) return undefined;
  const [name = "", attempts = ""] = restart.value.split(":");
  context.warnings.push({
    at: restart.at,
    message: '"restart" is read as deploy.restart_policy: write that instead',
  });
  const limit = Number(attempts) > 0 ? { MaxAttempts: Number(attempts) } : {};
  switch (name) {
    case "no":
    case "":
      return undefined;
    case "always":
    case "unless-stopped":
      return { Condition: "any", ...limit };
    case "on-failure":
      return { Condition: "on-failure", ...limit };
    default: {
      const message = `wanted no, always, unless-stopped or on-failure, found "${name}"`;
      context.errors.push({ at: restart.at, message });
      return undefined;
    }
  }
}

function toPlacement(deploy: ServiceEntry["deploy"]): Placement {
  const { constraints, preferences = [], max_replicas_per_node: max } = deploy?.placement ?? {};
  return {
    ...some("Constraints", constraints),
    ...some(
      "Preferences",
      preferences.map(({ spread = "" }) => ({ Spread: { SpreadDescriptor: spread } })),
    ),
    ...(max && { MaxReplicas: max }),
  };
}

function toUpdate(asked: Deploy["update_config"]): UpdateConfig | undefined {
  if (asked === undefined) return undefined;
  return {
    Parallelism: asked.parallelism ?? 1,
    ...(asked.delay && { Delay: asked.delay }),
    ...(asked.failure_action && { FailureAction: asked.failure_action }),
    ...(asked.monitor && { Monitor: asked.monitor }),
    MaxFailureRatio: asked.max_failure_ratio ?? 0,
    ...(asked.order && { Order: asked.order }),
  };
}

function toNetworks(
  { name, service }: NamedService,
  file: File,
  context: SpecContext,
): NetworkTarget[] {
  const targets: NetworkTarget[] = [];
  for (const [key, { at, aliases = [], driver_opts: options }] of Object.entries(
    networksOf(service),
  )) {
    const entry = file.networks?.[key];
    if (entry === undefined && key !== defaultNetwork) {
      undefinedName({ kind: "network", name: key, at }, context);
      continue;
    }
    const target = networkName(key, entry, context);
    // Predefined networks have no aliases.
    const all = predefinedNetworks.has(target) ? aliases : [...aliases, name];
    targets.push({
      Target: target,
      ...some("Aliases", all),
      ...(options && { DriverOpts: options }),
    });
  }
  return targets.sort((a, b) => (a.Target < b.Target ? -1 : 1));
}

/** A name that the file uses but does not define. */
interface UndefinedName {
  readonly kind: "network" | "volume";
  readonly name: string;
  readonly at: SourcePosition;
}

function undefinedName({ kind, name, at }: UndefinedName, context: SpecContext): void {
  const message = `${kind} "${name}" is not defined: add it under the top-level "${kind}s"`;
  context.errors.push({ at, message });
}

function toMount(volume: Volume, file: File, context: SpecContext): Mount {
  const { type, source, target } = volume;
  const mount: Mount = {
    Type: type,
    Target: target,
    ...(source && { Source: source }),
    ...(volume.read_only && { ReadOnly: true }),
    ...(volume.consistency && { Consistency: volume.consistency }),
  };
  switch (type) {
    case "bind":
      return {
        ...mount,
        Source: absolutePath(source ?? "", context),
        ...(volume.bind && {
          BindOptions: { ...(volume.bind.propagation && { Propagation: volume.bind.propagation }) },
        }),
      };
    case "tmpfs":
      return {
        ...mount,
        ...(volume.tmpfs && {
          TmpfsOptions: {
            ...(volume.tmpfs.size && { SizeBytes: volume.tmpfs.size }),
            ...(volume.tmpfs.mode && { Mode: volume.tmpfs.mode }),
          },
        }),
      };
    case "volume":
      return source ? { ...mount, ...namedVolume({ ...volume, source }, file, context) } : mount;
  }
}

function namedVolume(
  volume: Volume & { readonly source: string },
  file: File,
  context: SpecContext,
): Mount {
  const { source } = volume;
  const entry = file.volumes?.[source];
  if (entry === undefined) {
    undefinedName({ kind: "volume", name: source, at: volume.at }, context);
    return {};
  }
  const nocopy = volume.volume?.nocopy ? { NoCopy: true } : {};
  if (entry.external?.external) {
    return { Source: entry.name ?? entry.external.name ?? source, VolumeOptions: nocopy };
  }
  return {
    Source: entry.name ?? scoped(source, context),
    VolumeOptions: {
      ...nocopy,
      Labels: stackLabels(entry.labels, context),
      ...((entry.driver || entry.driver_opts) && {
        DriverConfig: {
          ...(entry.driver && { Name: entry.driver }),
          ...(entry.driver_opts && { Options: entry.driver_opts }),
        },
      }),
    },
  };
}

function absolutePath(path: string, { workingDir, home }: SpecContext): string {
  const expanded = path.startsWith("~") && home !== undefined ? home + path.slice(1) : path;
  if (expanded.startsWith("/")) return expanded;
  const parts: string[] = [];
  for (const part of `${workingDir}/${expanded}`.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

function toHealthcheck(
  { healthcheck }: ServiceEntry,
  context: SpecContext,
): Healthcheck | undefined {
  if (healthcheck === undefined) return undefined;
  const { at, disable, test, interval, timeout, retries } = healthcheck;
  if (disable) {
    if (test)
      context.errors.push({
        at,
        message: 'found "test" with "disable: true": remove one of the two',
      });
    return { Test: ["NONE"] };
  }
  return {
    ...some("Test", test),
    ...(interval && { Interval: interval }),
    ...(timeout && { Timeout: timeout }),
    ...(healthcheck.start_period && { StartPeriod: healthcheck.start_period }),
    ...(healthcheck.start_interval && { StartInterval: healthcheck.start_interval }),
    ...(retries && { Retries: retries }),
  };
}

/** A capability in both lists is only added, and `ALL` replaces all others. */
function toCapabilities(
  add: readonly string[],
  drop: readonly string[],
): { add: string[]; drop: string[] } {
  const normal = (names: readonly string[]): string[] => {
    const all = names.map((name) => {
      const upper = name.trim().toUpperCase();
      return upper === "ALL" || upper.startsWith("CAP_") ? upper : `CAP_${upper}`;
    });
    return all.includes("ALL") ? ["ALL"] : [...new Set(all)].sort();
  };
  const added = normal(add);
  return { add: added, drop: normal(drop).filter((name) => !added.includes(name)) };
}

function toUlimits(asked: NonNullable<ServiceEntry["ulimits"]>): ContainerSpec["Ulimits"] {
  return Object.keys(asked)
    .sort()
    .map((name) => {
      const limit = asked[name] ?? 0;
      if (typeof limit === "number") return { Name: name, Soft: limit, Hard: limit };
      return { Name: name, Soft: limit.soft ?? 0, Hard: limit.hard ?? 0 };
    });
}

function sortedPorts(ports: readonly PortConfig[]): PortConfig[] {
  return [...ports].sort((a, b) => (a.PublishedPort ?? 0) - (b.PublishedPort ?? 0));
}
