/** Stack entries: the sections of a stack file for services that run, and each key of a service. */
import {
  type ContainerSpec,
  type Mount,
  type NetworkTarget,
  type Resources,
  type ServiceSpec,
  stackLabel,
  type UpdateConfig,
} from "@gam/state";
import { ownLabels } from "./comparable.ts";
import { hostOf, type Plain, showDuration } from "./plain.ts";

const nanoCpus = 1e9;

export interface RunningStack {
  /** Also the prefix of the names of its objects. */
  readonly name: string;
  readonly services: readonly ServiceSpec[];
  /** At least those that the services use. */
  readonly networks: readonly NetworkOfCluster[];
  /** At least those that the services use. */
  readonly configs: readonly ConfigOfCluster[];
}

export interface ConfigOfCluster {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly data: Uint8Array;
  readonly template: string | undefined;
}

export interface NetworkOfCluster {
  readonly id: string;
  readonly name: string;
  readonly driver: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
  readonly internal: boolean;
  readonly attachable: boolean;
  /** Those that were asked for. The cluster chooses others. */
  readonly subnets: readonly string[];
}

type Entry = { readonly [key: string]: Plain };
type Section = { [key: string]: Entry };

/** The sections of a file; empty ones are absent. */
export interface Parts {
  readonly services: Section;
  readonly networks?: Section;
  readonly volumes?: Section;
  readonly secrets?: Section;
  readonly configs?: Section;
}

export function entriesOf(stack: RunningStack): Parts {
  const services: Section = {};
  const networks: Section = {};
  const volumes: Section = {};
  const secrets: Section = {};
  const configs: Section = {};
  for (const spec of stack.services) {
    const key = shortName(spec.Name, stack.name);
    const { ContainerSpec: container } = spec.TaskTemplate;
    const joined = networksOf(spec, key, { stack, networks });
    for (const { SecretName: name } of container.Secrets ?? []) {
      secrets[name] = { external: true, name };
    }
    // write-stack.ts puts the data where it has it.
    for (const { ConfigName: name } of container.Configs ?? []) {
      configs[name] = { external: true, name };
    }
    services[key] = filled({
      ...containerKeys(container),
      ...joined,
      deploy: deployKeys(spec),
      volumes: container.Mounts?.map((mount) => mountEntry(mount, { stack, volumes })),
      secrets: container.Secrets?.map(({ SecretName, File }) => fileEntry(SecretName, File)),
      configs: container.Configs?.map(({ ConfigName, File }) => fileEntry(ConfigName, File)),
      ports: spec.EndpointSpec?.Ports?.map((port) =>
        filled({
          name: port.Name,
          target: port.TargetPort,
          published: port.PublishedPort,
          protocol: port.Protocol,
          mode: port.PublishMode,
        }),
      ),
      logging: spec.TaskTemplate.LogDriver && {
        driver: spec.TaskTemplate.LogDriver.Name,
        options: spec.TaskTemplate.LogDriver.Options,
      },
    });
  }
  const some = (section: Section): Section | undefined =>
    Object.keys(section).length === 0 ? undefined : section;
  return filled({
    services,
    networks: some(networks),
    volumes: some(volumes),
    secrets: some(secrets),
    configs: some(configs),
  }) as unknown as Parts;
}

function shortName(name: string, stack: string): string {
  return name.startsWith(`${stack}_`) ? name.slice(stack.length + 1) : name;
}

function containerKeys(container: ContainerSpec): Record<string, unknown> {
  const { Healthcheck: health, DNSConfig: dns, Ulimits: ulimits } = container;
  return {
    image: container.Image,
    labels: ownLabels(container.Labels),
    entrypoint: container.Command,
    command: container.Args,
    hostname: container.Hostname,
    environment: container.Env,
    working_dir: container.Dir,
    user: container.User,
    group_add: container.Groups,
    init: container.Init,
    stop_signal: container.StopSignal,
    stop_grace_period: durationOf(container.StopGracePeriod),
    tty: container.TTY,
    stdin_open: container.OpenStdin,
    read_only: container.ReadOnly,
    healthcheck: health && {
      test: health.Test,
      interval: durationOf(health.Interval),
      timeout: durationOf(health.Timeout),
      start_period: durationOf(health.StartPeriod),
      start_interval: durationOf(health.StartInterval),
      retries: health.Retries,
    },
    extra_hosts: container.Hosts?.map(hostOf),
    dns: dns?.Nameservers,
    dns_search: dns?.Search,
    dns_opt: dns?.Options,
    isolation: container.Isolation,
    sysctls: container.Sysctls,
    cap_add: container.CapabilityAdd,
    cap_drop: container.CapabilityDrop,
    ulimits:
      ulimits &&
      Object.fromEntries(ulimits.map(({ Name, Soft, Hard }) => [Name, { soft: Soft, hard: Hard }])),
    oom_score_adj: container.OomScoreAdj,
  };
}

function deployKeys(spec: ServiceSpec): Record<string, unknown> {
  const { Mode, TaskTemplate: task, EndpointSpec: endpoint } = spec;
  const { RestartPolicy: restart, Resources: resources, Placement: placement } = task;
  const preferences = placement?.Preferences?.map(({ Spread }) => ({
    spread: Spread?.SpreadDescriptor,
  }));
  return {
    ...modeKeys(Mode),
    labels: ownLabels(spec.Labels),
    endpoint_mode: endpoint?.Mode,
    resources: {
      limits: resourceKeys(resources?.Limits),
      reservations: resourceKeys(resources?.Reservations),
    },
    restart_policy: restart && {
      condition: restart.Condition,
      delay: durationOf(restart.Delay),
      max_attempts: restart.MaxAttempts,
      window: durationOf(restart.Window),
    },
    placement: {
      constraints: placement?.Constraints,
      preferences,
      max_replicas_per_node: placement?.MaxReplicas,
    },
    update_config: updateKeys(spec.UpdateConfig),
    rollback_config: updateKeys(spec.RollbackConfig),
  };
}

function modeKeys(mode: ServiceSpec["Mode"]): Record<string, unknown> {
  if (mode.Global !== undefined) return { mode: "global" };
  if (mode.GlobalJob !== undefined) return { mode: "global-job" };
  const { Replicated: replicated, ReplicatedJob: job } = mode;
  if (job !== undefined) return { mode: "replicated-job", replicas: job.TotalCompletions };
  return { replicas: replicated?.Replicas };
}

function resourceKeys(resources: Resources | undefined): Record<string, unknown> | undefined {
  if (resources === undefined) return undefined;
  const generic = resources.GenericResources?.flatMap(({ DiscreteResourceSpec: one }) =>
    one === undefined ? [] : [{ discrete_resource_spec: { kind: one.Kind, value: one.Value } }],
  );
  return {
    cpus: resources.NanoCPUs === undefined ? undefined : cpusOf(resources.NanoCPUs),
    memory: resources.MemoryBytes === undefined ? undefined : String(resources.MemoryBytes),
    pids: resources.Pids,
    generic_resources: generic,
  };
}

/** Never as 1e-9. */
function cpusOf(nano: number): string {
  return (nano / nanoCpus).toFixed(9).replace(/\.?0+$/, "");
}

function updateKeys(update: UpdateConfig | undefined): Record<string, unknown> | undefined {
  if (update === undefined) return undefined;
  return {
    parallelism: update.Parallelism,
    delay: durationOf(update.Delay),
    failure_action: update.FailureAction,
    monitor: durationOf(update.Monitor),
    max_failure_ratio: update.MaxFailureRatio,
    order: update.Order,
  };
}

interface Around {
  readonly stack: RunningStack;
}

function networksOf(
  spec: ServiceSpec,
  key: string,
  { stack, networks }: Around & { readonly networks: Section },
): Record<string, unknown> {
  const targets = spec.TaskTemplate.Networks ?? spec.Networks ?? [];
  const found = targets.map((target) => {
    const network = stack.networks.find(({ id, name }) => [id, name].includes(target.Target));
    return { target, network, name: network?.name ?? target.Target };
  });
  if (found.length === 1 && found[0]?.name === "host") return { network_mode: "host" };
  const joined: Record<string, unknown> = {};
  for (const { target, network, name } of found) {
    const isOwn = network?.labels[stackLabel] === stack.name;
    const short = isOwn ? shortName(name, stack.name) : name;
    joined[short] = attachment(target, key);
    networks[short] =
      network === undefined || !isOwn
        ? { external: true, name }
        : networkEntry(network, short, stack);
  }
  return found.length === 0 ? {} : { networks: joined };
}

function attachment(target: NetworkTarget, key: string): unknown {
  // Each service has its own name in its networks, without asking.
  const aliases = target.Aliases?.filter((one) => one !== key);
  return filled({ aliases, driver_opts: target.DriverOpts });
}

function networkEntry(network: NetworkOfCluster, short: string, { name }: RunningStack): Entry {
  return filled({
    name: network.name === `${name}_${short}` ? undefined : network.name,
    driver: network.driver === "overlay" ? undefined : network.driver,
    driver_opts: network.options,
    internal: network.internal || undefined,
    attachable: network.attachable || undefined,
    labels: ownLabels(network.labels),
    ipam: { config: network.subnets.map((subnet) => ({ subnet })) },
  });
}

function mountEntry(
  mount: Mount,
  { stack, volumes }: Around & { readonly volumes: Section },
): Entry {
  const { Source: source, BindOptions: bind, VolumeOptions: volume, TmpfsOptions: tmpfs } = mount;
  const type = mount.Type ?? "volume";
  const isNamed = type === "volume" && source !== undefined && source !== "";
  return filled({
    type,
    source: isNamed ? namedVolume(source, volume, { stack, volumes }) : source,
    target: mount.Target,
    read_only: mount.ReadOnly || undefined,
    consistency: mount.Consistency,
    bind: bind && { propagation: bind.Propagation, recursive: recursiveOf(bind) },
    volume: volume && { nocopy: volume.NoCopy || undefined, subpath: volume.Subpath },
    image: mount.ImageOptions && { subpath: mount.ImageOptions.Subpath },
    tmpfs: tmpfs && { size: tmpfs.SizeBytes, mode: tmpfs.Mode },
  });
}

function recursiveOf(bind: NonNullable<Mount["BindOptions"]>): string | undefined {
  if (bind.NonRecursive) return "disabled";
  if (bind.ReadOnlyNonRecursive) return "writable";
  return bind.ReadOnlyForceRecursive ? "readonly" : undefined;
}

/** Puts the volume into its section. Returns: its key there. */
function namedVolume(
  source: string,
  options: Mount["VolumeOptions"],
  { stack, volumes }: Around & { readonly volumes: Section },
): string {
  const isOwn = options?.Labels?.[stackLabel] === stack.name || options?.DriverConfig !== undefined;
  const short = isOwn ? shortName(source, stack.name) : source;
  volumes[short] = isOwn
    ? filled({
        name: source === `${stack.name}_${short}` ? undefined : source,
        labels: ownLabels(options?.Labels),
        driver: options?.DriverConfig?.Name,
        driver_opts: options?.DriverConfig?.Options,
      })
    : { external: true, name: source };
  return short;
}

function fileEntry(
  source: string,
  file:
    | {
        readonly Name: string;
        readonly UID: string;
        readonly GID: string;
        readonly Mode: number;
      }
    | undefined,
): Entry {
  return filled({
    source,
    target: file?.Name,
    uid: file?.UID,
    gid: file?.GID,
    // In quotes: a number would be decimal.
    mode: file && `0${file.Mode.toString(8)}`,
  });
}

function durationOf(ns: number | undefined): string | undefined {
  return ns === undefined ? undefined : showDuration(ns);
}

/** Without what is absent and without empty lists and maps, at any depth. */
function filled(value: Record<string, unknown>): Entry {
  return (clean(value) ?? {}) as Entry;
}

function clean(value: unknown): unknown {
  if (value === undefined || value === null) return undefined;
  if (Array.isArray(value)) return value.length === 0 ? undefined : value;
  if (typeof value !== "object") return value;
  const entries = Object.entries(value).flatMap(([key, inner]) => {
    const found = keepsEmpty.has(key) ? inner : clean(inner);
    return found === undefined ? [] : [[key, found]];
  });
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

/** Here an empty entry means something: a network that is joined, a service, a volume. */
const keepsEmpty = new Set(["networks", "services", "volumes", "secrets", "configs"]);
