/**
 * Service spec: turns a service of a stack file into the Engine API's ServiceSpec.
 *
 * Decides defaults, so that the same file gives the same body here and with `docker stack deploy`. Does not decide
 * what is valid for a cluster: judge.ts and the API do.
 * Source: recorded requests of the docker client.
 */
import { unreachable } from "@gam/core";
import type {
  ContainerSpec,
  Healthcheck,
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
import { familiarImage } from "./image.ts";
import { toMount } from "./mount-spec.ts";
import { defaultNetwork, networkName, networksOf } from "./network-spec.ts";
import { entryOf } from "./reading/entry-of.ts";
import type { File } from "./shape/file.ts";
import type { ServiceEntry } from "./shape/service-shape.ts";
import {
  imageLabel,
  type SpecContext,
  scoped,
  some,
  stackLabels,
  undefinedName,
} from "./stack-names.ts";

const predefinedNetworks = new Set(["default", "bridge", "host", "none"]);

export interface NamedService {
  readonly name: string;
  readonly service: ServiceEntry;
}

/** UpdateConfig as the docker client sends it: with an empty order if the file has none. */
type UpdateBody = Omit<UpdateConfig, "Order"> & { readonly Order: UpdateConfig["Order"] | "" };

/** The body of `POST /services/create`, but for the ids of secrets and configs. */
export type ServiceBody = Omit<ServiceSpec, "UpdateConfig" | "RollbackConfig"> & {
  readonly UpdateConfig?: UpdateBody;
  readonly RollbackConfig?: UpdateBody;
};

export function serviceSpec(named: NamedService, file: File, context: SpecContext): ServiceBody {
  const { name, service } = named;
  const { deploy } = service;
  const updateConfig = toUpdate(deploy?.update_config);
  const rollbackConfig = toUpdate(deploy?.rollback_config);
  return {
    Name: scoped(name, context),
    Labels: {
      ...stackLabels(deploy?.labels, context),
      [imageLabel]: service.image?.value ?? "",
    },
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
    Image: familiarImage(service.image?.value ?? ""),
    Labels: stackLabels(service.labels, context),
    ...some("Command", service.entrypoint),
    ...some("Args", service.command),
    ...(service.hostname && { Hostname: service.hostname }),
    ...some("Env", toEnv(service.environment ?? {})),
    ...(service.working_dir && { Dir: service.working_dir }),
    ...(service.user && { User: service.user }),
    ...some("Groups", service.group_add),
    // The docker client always sends these three. Without them the same file would look like a new spec.
    Privileges: {
      CredentialSpec: null,
      SELinuxContext: null,
      NoNewPrivileges: false,
    },
    ...(service.init !== undefined && { Init: service.init }),
    ...(service.stop_signal && { StopSignal: service.stop_signal }),
    ...(service.stop_grace_period !== undefined && { StopGracePeriod: service.stop_grace_period }),
    ...(service.tty && { TTY: true }),
    ...(service.stdin_open && { OpenStdin: true }),
    ...(service.read_only && { ReadOnly: true }),
    ...some("Mounts", mounts),
    ...(health && { Healthcheck: health }),
    ...some("Hosts", service.extra_hosts),
    ...((service.dns ?? service.dns_search ?? service.dns_opt) && { DNSConfig: dns }),
    ...(service.isolation && { Isolation: service.isolation }),
    ...(service.sysctls && { Sysctls: service.sysctls }),
    ...some("CapabilityAdd", add),
    ...some("CapabilityDrop", drop),
    ...some("Ulimits", toUlimits(service.ulimits ?? {})),
    ...(service.oom_score_adj && { OomScoreAdj: service.oom_score_adj }),
  };
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
  const [name = "", count = "", ...others] = restart.value.split(":");
  const fail = (message: string): undefined => {
    context.errors.push({ at: restart.at, message });
  };
  if (others.length > 0 || !/^\d{0,9}$/.test(count)) {
    return fail(`wanted a count such as on-failure:3, found "${restart.value}"`);
  }
  if (name === "no" || name === "") return undefined;
  context.warnings.push({
    at: restart.at,
    message: '"restart" is read as deploy.restart_policy: write that instead',
  });
  switch (name) {
    case "always":
    case "unless-stopped":
      return { Condition: "any" };
    case "on-failure":
      return { Condition: "on-failure", MaxAttempts: Number(count) };
    default:
      return fail(`wanted no, always, unless-stopped or on-failure, found "${name}"`);
  }
}

function toPlacement(deploy: ServiceEntry["deploy"]): Placement {
  const { constraints, preferences = [], max_replicas_per_node: max } = deploy?.placement ?? {};
  return {
    ...some(
      "Constraints",
      constraints?.map(({ value }) => value),
    ),
    ...some(
      "Preferences",
      preferences.map(({ spread = "" }) => ({ Spread: { SpreadDescriptor: spread } })),
    ),
    ...(max && { MaxReplicas: max }),
  };
}

function toUpdate(asked: Deploy["update_config"]): UpdateBody | undefined {
  if (asked === undefined) return undefined;
  return {
    Parallelism: asked.parallelism ?? 1,
    ...(asked.delay && { Delay: asked.delay }),
    ...(asked.failure_action && { FailureAction: asked.failure_action }),
    ...(asked.monitor && { Monitor: asked.monitor }),
    MaxFailureRatio: asked.max_failure_ratio ?? 0,
    Order: asked.order ?? "",
  };
}

function toNetworks(
  { name, service }: NamedService,
  file: File,
  context: SpecContext,
): NetworkTarget[] {
  if (service.network_mode?.value === "host") return [{ Target: "host" }];
  const targets: NetworkTarget[] = [];
  for (const [key, { at, aliases = [], driver_opts: options }] of Object.entries(
    networksOf(service),
  )) {
    const entry = entryOf(file.networks, key);
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
