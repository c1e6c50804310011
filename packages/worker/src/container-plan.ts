/**
 * Container plan: turns a task into the body of `POST /containers/create`.
 *
 * Decides everything about the container from the task, its node and the networks. Does not decide when to create
 * it, and does not know the engine's ids: it names networks by the cluster's ids.
 *
 * Source: Docker Engine API 1.41, ContainerCreate; label and name rules of Swarm's task containers.
 */
import type { NetworkId } from "@gam/core";
import {
  Budget,
  type ContainerSpec,
  containerName,
  engineTooOld,
  expandTemplate,
  hostPorts,
  isGuest,
  type Labels,
  type LogDriver,
  label,
  type Mount,
  macOf,
  type Network,
  type NetworkTarget,
  type Node,
  type PortConfig,
  type Privileges,
  resourceEnv,
  seccompProfile,
  type Task,
  type TaskAttachment,
  templateContext,
} from "@gam/state";
import { hostOptions } from "./container-options.ts";
import { filesOf, type TaskFile } from "./task-files.ts";

/** An endpoint in one of the cluster's networks. It has no DNS names: the engine knows only its own node's. */
export interface NetworkJoin {
  readonly network: NetworkId;
  /** IPv4 without prefix. */
  readonly address: string;
  /** Computed from the address, because the other nodes know only the address. */
  readonly mac: string;
  /** Options for the engine's network driver. */
  readonly driverOpts?: Labels;
}

export interface ContainerPlan {
  readonly name: string;
  readonly image: string;
  /** Body of `POST /containers/create`, without the networks to join. */
  readonly body: Readonly<Record<string, unknown>>;
  /** Networks to join; the first one at creation. Empty when the body names a network mode. */
  readonly joins: readonly NetworkJoin[];
  /** Files that are mounted into it, read-only. */
  readonly files: readonly TaskFile[];
  /** It runs in the network of the main container of its pod. Absent: no. */
  readonly isGuest?: boolean;
}

/** Returns: the plan of a container that runs in the network of that one. */
export function inNetworkOf(plan: ContainerPlan, container: string): ContainerPlan {
  const host = plan.body.HostConfig as Readonly<Record<string, unknown>>;
  const HostConfig = { ...host, NetworkMode: `container:${container}` };
  return { ...plan, body: { ...plan.body, HostConfig } };
}

export interface ContainerSurroundings {
  readonly cluster: string;
  readonly node: Node;
  readonly networks: readonly Network[];
  /** Used when the task's spec names none. Undefined: the engine's own default. */
  readonly logDriver?: LogDriver | undefined;
}

/** A plan, the reason why there is none, or a network in which this node has no gateway yet. */
export type Planned =
  | { readonly plan: ContainerPlan }
  | { readonly error: string }
  | { readonly awaits: NetworkId };

/** Networks of the engine itself, which exist on every node. */
const predefined = new Set(["host", "none", "bridge"]);

export function planContainer(task: Task, around: ContainerSurroundings): Planned {
  const spec = task.Spec.ContainerSpec;
  const context = templateContext(task, around.node);
  const budget = new Budget();
  const problems: string[] = [];
  const tooOld = engineTooOld(task.Spec, around.node);
  if (tooOld !== undefined) problems.push(tooOld);
  const expand = (text: string): string => {
    const expanded = expandTemplate(text, context, budget);
    if ("error" in expanded) problems.push(expanded.error);
    return "error" in expanded ? text : expanded.text;
  };
  const { files, problems: unplaced } = filesOf(task);
  problems.push(...unplaced);
  const options = hostOptions(task);
  // inNetworkOf() says in whose.
  const guest = task.Gam.pod !== undefined && isGuest(task.Gam.serviceLabels);
  const mode = guest ? "none" : (options.networkMode ?? planMode(task, around.networks, problems));
  const joins =
    mode === "default" ? task.Gam.attachments.map((one) => joinOf(one, task.Spec.Networks)) : [];
  const joined = joins.map(({ network: id }) => around.networks.find(({ Id }) => Id === id));
  const gateways = joined.map((network) => network?.Gam.gateways[around.node.ID]);
  // The gateway of an internal network does not forward names that the cluster does not know.
  const open = gateways.find((_, index) => joined[index]?.Internal === false);
  const ports = hostPorts(task.Gam.endpoint);
  const mounts = (spec.Mounts ?? []).map((mount) => planMount(mount, expand));
  const body = {
    ...planProcess(spec, expand),
    ...planEnv(task, expand),
    Image: spec.Image,
    Labels: labelsOf(task, around, joins.length),
    ...(ports.length > 0 && {
      ExposedPorts: Object.fromEntries(ports.map((port) => [portKey(port), {}])),
    }),
    HostConfig: {
      NetworkMode: mode,
      RestartPolicy: { Name: "no" },
      ...(mounts.length > 0 && { Mounts: mounts }),
      ...(ports.length > 0 && { PortBindings: bindingsOf(ports) }),
      ...planResources(task),
      ...planHost(task, { logDriver: around.logDriver, security: options.security }),
      ...options.host,
      // Any gateway answers all of the cluster's names that the container may query.
      ...(joins.length > 0 && { Dns: [open ?? gateways[0]] }),
    },
  };
  if (problems.length > 0) return { error: problems.join("; ") };
  const awaited = joins.find((_, index) => gateways[index] === undefined);
  if (awaited !== undefined) return { awaits: awaited.network };
  const plan = { name: containerName(task), image: spec.Image, body, joins, files };
  return { plan: guest ? { ...plan, isGuest: true } : plan };
}

/** Gam's labels come last and win, so that a spec cannot replace them. */
function labelsOf(task: Task, around: ContainerSurroundings, networks: number): Labels {
  return {
    ...task.Spec.ContainerSpec.Labels,
    "com.docker.swarm.node.id": around.node.ID,
    "com.docker.swarm.service.id": task.ServiceID,
    "com.docker.swarm.service.name": task.Gam.serviceName,
    "com.docker.swarm.task": "",
    [label.task]: task.ID,
    "com.docker.swarm.task.name": containerName(task),
    [label.networks]: String(networks),
    [label.cluster]: around.cluster,
  };
}

function planProcess(
  spec: ContainerSpec,
  expand: (text: string) => string,
): Readonly<Record<string, unknown>> {
  const seconds = Math.ceil((spec.StopGracePeriod ?? stopGraceNsDefault) / 1e9);
  return {
    ...(spec.Command?.length && { Entrypoint: spec.Command }),
    ...(spec.Args?.length && { Cmd: spec.Args }),
    ...(spec.Hostname && { Hostname: expand(spec.Hostname) }),
    ...(spec.Dir && { WorkingDir: spec.Dir }),
    ...(spec.User && { User: spec.User }),
    ...(spec.TTY && { Tty: true }),
    ...(spec.OpenStdin && { OpenStdin: true }),
    ...(spec.StopSignal && { StopSignal: spec.StopSignal }),
    StopTimeout: seconds,
    ...(spec.Healthcheck && { Healthcheck: spec.Healthcheck }),
  };
}

function planEnv(task: Task, expand: (text: string) => string): Readonly<Record<string, unknown>> {
  const own = (task.Spec.ContainerSpec.Env ?? []).map((line) => expandValue(line, expand));
  const env = [...own, ...resourceEnv(task.GenericResources ?? [])];
  return env.length === 0 ? {} : { Env: env };
}

/** Only the part after the first "=" is a template. */
function expandValue(line: string, expand: (text: string) => string): string {
  const at = line.indexOf("=") + 1;
  return at === 0 ? line : line.slice(0, at) + expand(line.slice(at));
}

const stopGraceNsDefault = 10e9;

function planMount(mount: Mount, expand: (text: string) => string): Mount {
  const { Source, Target, VolumeOptions: volume } = mount;
  const all = (map: Labels): Labels =>
    Object.fromEntries(Object.entries(map).map(([key, value]) => [key, expand(value)]));
  const driver = volume?.DriverConfig;
  return {
    ...mount,
    ...(Source && { Source: expand(Source) }),
    ...(Target && { Target: expand(Target) }),
    ...(volume && {
      VolumeOptions: {
        ...volume,
        ...(volume.Labels && { Labels: all(volume.Labels) }),
        ...(driver && {
          DriverConfig: { ...driver, ...(driver.Options && { Options: all(driver.Options) }) },
        }),
      },
    }),
  };
}

function planResources(task: Task): Readonly<Record<string, unknown>> {
  const { Limits, Reservations, SwapBytes, MemorySwappiness } = task.Spec.Resources ?? {};
  const memory = Limits?.MemoryBytes ?? 0;
  return {
    ...(Limits?.NanoCPUs && { NanoCpus: Limits.NanoCPUs }),
    ...(memory > 0 && { Memory: memory }),
    // The engine counts memory and swap together.
    ...(memory > 0 &&
      SwapBytes !== undefined && { MemorySwap: SwapBytes < 0 ? -1 : memory + SwapBytes }),
    ...(MemorySwappiness !== undefined && { MemorySwappiness }),
    ...(Limits?.Pids && { PidsLimit: Limits.Pids }),
    ...(Reservations?.MemoryBytes && { MemoryReservation: Reservations.MemoryBytes }),
  };
}

function planHost(
  task: Task,
  {
    logDriver,
    security: more,
  }: { readonly logDriver: LogDriver | undefined; readonly security: readonly string[] },
): Readonly<Record<string, unknown>> {
  const spec = task.Spec.ContainerSpec;
  const dns = spec.DNSConfig;
  const log = task.Spec.LogDriver?.Name ? task.Spec.LogDriver : logDriver;
  const security = [...securityOf(spec.Privileges ?? {}), ...more];
  return {
    ...(spec.Groups?.length && { GroupAdd: spec.Groups }),
    ...(spec.ReadOnly && { ReadonlyRootfs: true }),
    ...(spec.Init !== undefined && { Init: spec.Init }),
    ...(spec.Isolation && { Isolation: spec.Isolation }),
    ...(spec.Sysctls && { Sysctls: spec.Sysctls }),
    ...(spec.CapabilityAdd?.length && { CapAdd: spec.CapabilityAdd }),
    ...(spec.CapabilityDrop?.length && { CapDrop: spec.CapabilityDrop }),
    ...(spec.Ulimits?.length && { Ulimits: spec.Ulimits }),
    ...(spec.OomScoreAdj && { OomScoreAdj: spec.OomScoreAdj }),
    ...(security.length > 0 && { SecurityOpt: security }),
    ...(spec.Hosts?.length && { ExtraHosts: spec.Hosts.flatMap(extraHosts) }),
    ...(dns?.Nameservers?.length && { Dns: dns.Nameservers }),
    ...(dns?.Search?.length && { DnsSearch: dns.Search }),
    ...(dns?.Options?.length && { DnsOptions: dns.Options }),
    ...(log?.Name && { LogConfig: { Type: log.Name, Config: log.Options ?? {} } }),
  };
}

/** A spec has lines as in /etc/hosts: `IP name name`. The engine wants `name:IP`. */
function extraHosts(line: string): string[] {
  const [ip = "", ...names] = line.trim().split(/\s+/);
  return names.map((name) => `${name}:${ip}`);
}

/** Privileges as values of `--security-opt`. */
function securityOf({ SELinuxContext, Seccomp, AppArmor, NoNewPrivileges }: Privileges): string[] {
  const { Disable, User, Role, Type, Level } = SELinuxContext ?? {};
  const labels = { user: User, role: Role, type: Type, level: Level };
  return [
    ...(Disable ? ["label=disable"] : []),
    ...Object.entries(labels).flatMap(([name, value]) => (value ? [`label=${name}:${value}`] : [])),
    ...(NoNewPrivileges ? ["no-new-privileges"] : []),
    ...(Seccomp?.Mode === "unconfined" ? ["seccomp=unconfined"] : []),
    ...(Seccomp?.Mode === "custom" ? [`seccomp=${seccompProfile(Seccomp.Profile ?? "")}`] : []),
    ...(AppArmor?.Mode === "disabled" ? ["apparmor=unconfined"] : []),
  ];
}

function portKey(port: PortConfig): string {
  return `${port.TargetPort ?? 0}/${port.Protocol ?? "tcp"}`;
}

function bindingsOf(ports: readonly PortConfig[]): Record<string, { HostPort: string }[]> {
  const bindings: Record<string, { HostPort: string }[]> = {};
  for (const port of ports) {
    const held = bindings[portKey(port)] ?? [];
    bindings[portKey(port)] = [
      ...held,
      { HostPort: port.PublishedPort ? String(port.PublishedPort) : "" },
    ];
  }
  return bindings;
}

function joinOf(
  { network, address }: TaskAttachment,
  targets: readonly NetworkTarget[] = [],
): NetworkJoin {
  const driverOpts = targets.find(({ Target }) => Target === network)?.DriverOpts;
  return { network, address, mac: macOf(address), ...(driverOpts && { driverOpts }) };
}

/** `default` unless the task asks for one of the engine's own networks. */
function planMode(task: Task, networks: readonly Network[], problems: string[]): string {
  let mode = "default";
  for (const { Target } of task.Spec.Networks ?? []) {
    const network = networks.find(({ Id, Name }) => Id === Target || Name === Target);
    const name = network?.Name ?? Target;
    if (predefined.has(name)) {
      mode = name;
    } else if (network === undefined) {
      problems.push(`network ${Target} not found`);
    }
  }
  return mode;
}
