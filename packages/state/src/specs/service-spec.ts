/**
 * Service spec: what a client may ask for in a service.
 *
 * Decides whether a ServiceSpec makes sense by itself, and brings it into its one stored form. Does not decide
 * what needs the state: whether names and ports are free, and which network a name means (the store and the API
 * do).
 *
 *   const spec = readServiceSpec(JSON.parse(body), { checkTemplate, apiVersion: "1.41" });
 *
 * Errors: GamError BAD_REQUEST, with the text that Swarm answers: clients match on it.
 * Source: Docker Engine API 1.41, ServiceCreate; refusals as answered by Engine 20.10.
 */
import { GamError } from "@gam/core";
import { Budget } from "@gam/template";
import { serviceLabelProblem } from "../labels/service-labels.ts";
import { isAddress } from "../objects/addresses/cidr.ts";
import { parseConstraint } from "../objects/constraint.ts";
import type {
  ContainerSpec,
  EndpointSpec,
  Resources,
  ServiceMode,
  ServiceSpec,
  TaskSpec,
  UpdateConfig,
} from "../objects/service.ts";
import { readConfigReferences, readSecretReferences } from "./content-references.ts";
import { checkFields, checkHealth } from "./field-rules.ts";
import { isImageReference } from "./image-reference.ts";
import { readBody, type Shaped } from "./json-shape.ts";
import { serviceShape, taskShape } from "./service-shape.ts";
import { invalid, oneOf, refuse } from "./spec-refusal.ts";
import { nameProblem } from "./swarm-name.ts";

export interface ServiceSpecRules {
  /**
   * Returns: why a template (`{{.Node.Hostname}}`) would not expand for any task of the service; undefined when
   *         it would.
   */
  readonly checkTemplate: CheckTemplate;
  /**
   * Returns: what a peer that a client asks refuses, although every peer would apply it; undefined for nothing.
   *         Absent where an entry of the log is checked.
   */
  readonly ownProblem?: (spec: ServiceSpec) => string | undefined;
  /** The client's version of the API. Absent: the newest. */
  readonly apiVersion?: string | undefined;
}

type TemplateService = Pick<ServiceSpec, "Name" | "Labels">;
/** All texts of a spec share the budget. */
type CheckTemplate = (text: string, service: TemplateService, budget: Budget) => string | undefined;

type Read = Shaped<ReturnType<typeof serviceShape>>;
type ReadTask = NonNullable<Read["TaskTemplate"]>;

/** Maximum for one service, and for the runs of a job. Each is a task in every peer's memory. */
const replicasMax = 100_000;
const memoryBytesMin = 4 * 1024 * 1024;
const nanoCpusMin = 1_000_000;
const portMax = 65_535;

/**
 * Returns: the spec in its stored form. An empty Name stays empty: the caller generates one. Networks stay as
 *         the client wrote them.
 */
export function readServiceSpec(body: unknown, rules: ServiceSpecRules): ServiceSpec {
  const read = readBody(serviceShape(rules.apiVersion), body);
  const template = taskTemplate(read.TaskTemplate ?? {});
  const mode = serviceMode(read.Mode);
  checkRestartCondition(template);
  const update = updateConfig(read.UpdateConfig);
  const rollback = updateConfig(read.RollbackConfig);
  const endpoint = endpointSpec(read.EndpointSpec);

  const name = read.Name ?? "";
  const problem = name === "" ? undefined : nameProblem(name);
  if (problem !== undefined) invalid(problem);
  checkTask(template, { Name: name, Labels: read.Labels ?? {} }, rules);
  checkMode(mode);
  const isJob = mode.ReplicatedJob !== undefined || mode.GlobalJob !== undefined;
  if (isJob && update !== undefined) invalid("Jobs may not have an update config");
  checkConfig(update);
  checkConfig(rollback);
  checkEndpoint(endpoint);
  const spec: ServiceSpec = {
    Name: name,
    Labels: read.Labels ?? {},
    TaskTemplate: template,
    Mode: mode,
    ...(update && { UpdateConfig: update }),
    ...(rollback && { RollbackConfig: rollback }),
    ...(read.Networks && { Networks: read.Networks.map(networkTarget) }),
    ...(endpoint && { EndpointSpec: endpoint }),
  };
  const wrong = serviceLabelProblem(spec) ?? rules.ownProblem?.(spec);
  if (wrong !== undefined) refuse(wrong);
  return spec;
}

/**
 * Returns: the spec of a task in its stored form: a service's template without the runtime.
 * Errors: as readServiceSpec().
 */
export function readTaskSpec(value: unknown, rules: ServiceSpecRules): TaskSpec {
  const { Runtime: _, ...template } = taskTemplate(readBody(taskShape, value));
  checkRestartCondition(template);
  checkTask(template, { Name: "" }, rules);
  return template;
}

function checkRestartCondition({ RestartPolicy }: TaskSpec): void {
  oneOf(RestartPolicy?.Condition, ["none", "on-failure", "any"], (found) =>
    refuse(`invalid RestartCondition: "${found}"`),
  );
}

/** Returns the fields in a fixed order, whether the client sent the defaults or left them out. */
function taskTemplate(read: ReadTask): TaskSpec {
  const { ContainerSpec: container, PluginSpec, NetworkAttachmentSpec, ...others } = read;
  const { Networks: networks, ForceUpdate = 0, Runtime: runtime = "container", ...rest } = others;
  if (runtime === "plugin") {
    refuse(
      'TaskTemplate.Runtime: "plugin" is not supported. Run "docker plugin install" on each host',
    );
  }
  if (runtime !== "container") refuse("unsupported runtime");
  if (container === undefined || PluginSpec !== undefined || NetworkAttachmentSpec !== undefined) {
    refuse("mismatched Runtime and *Spec fields");
  }
  checkFields(container);
  const {
    Image = "",
    Isolation: _,
    Mounts: mounts,
    Secrets: secrets,
    Configs: configs,
    ...described
  } = container;
  // The words were checked above; others have no meaning here and are kept unchanged.
  return {
    ...rest,
    ContainerSpec: {
      Image,
      ...described,
      ...(mounts && { Mounts: mounts.map(typedMount) }),
      ...(secrets && { Secrets: readSecretReferences(secrets) }),
      ...(configs && { Configs: readConfigReferences(configs) }),
      Isolation: "default",
    },
    ...(networks && { Networks: networks.map(networkTarget) }),
    ForceUpdate,
    Runtime: runtime,
  } as TaskSpec;
}

/** Kinds of mounts and propagations have no case. Without a kind, a mount is a bind mount, as in Swarm. */
function typedMount<
  T extends NonNullable<NonNullable<ReadTask["ContainerSpec"]>["Mounts"]>[number],
>(read: T): T {
  const { Type = "bind", BindOptions: bind, ...rest } = read;
  const propagation = bind?.Propagation?.toLowerCase();
  return {
    Type: Type.toLowerCase(),
    ...rest,
    ...(bind && {
      BindOptions: { ...bind, ...(propagation !== undefined && { Propagation: propagation }) },
    }),
  } as T;
}

function networkTarget<T extends { readonly Target?: string }>(read: T): T & { Target: string } {
  const { Target = "", ...rest } = read;
  return { Target, ...rest } as T & { Target: string };
}

function serviceMode(read: Read["Mode"]): ServiceMode {
  const modes = Object.keys(read ?? {});
  if (modes.length > 1) refuse("must specify only one service mode");
  if (read?.Global !== undefined) return { Global: {} };
  if (read?.GlobalJob !== undefined) return { GlobalJob: {} };
  if (read?.ReplicatedJob !== undefined) {
    // Docker's client reads both fields without testing whether they exist.
    const concurrent = read.ReplicatedJob.MaxConcurrent ?? 1;
    const total = read.ReplicatedJob.TotalCompletions ?? concurrent;
    return { ReplicatedJob: { MaxConcurrent: concurrent, TotalCompletions: total } };
  }
  return { Replicated: { Replicas: read?.Replicated?.Replicas ?? 1 } };
}

function checkMode({ Replicated: replicated, ReplicatedJob: job }: ServiceMode): void {
  const wanted = Math.max(
    replicated?.Replicas ?? 0,
    job?.MaxConcurrent ?? 0,
    job?.TotalCompletions ?? 0,
  );
  if (wanted <= replicasMax) return;
  invalid(`cannot run ${wanted} replicas: one service may have ${replicasMax}`);
}

function updateConfig(read: Read["UpdateConfig"]): UpdateConfig | undefined {
  if (read === undefined) return undefined;
  oneOf(read.FailureAction, ["pause", "continue", "rollback"], (found) =>
    refuse(`unrecognized update failure action ${found}`),
  );
  oneOf(read.Order, ["stop-first", "start-first"], (found) =>
    refuse(`unrecognized update order ${found}`),
  );
  const { Parallelism = 0, FailureAction = "pause", ...others } = read;
  const { MaxFailureRatio = 0, Order = "stop-first", ...rest } = others;
  return { Parallelism, FailureAction, MaxFailureRatio, Order, ...rest } as UpdateConfig;
}

function endpointSpec(read: Read["EndpointSpec"]): EndpointSpec | undefined {
  if (read === undefined) return undefined;
  oneOf(read.Mode, ["vip", "dnsrr"], (found) => refuse(`invalid resolution mode: "${found}"`));
  const ports = read.Ports?.map(({ Protocol, PublishMode, ...rest }) => ({
    ...rest,
    Protocol: Protocol === "udp" || Protocol === "sctp" ? Protocol : "tcp",
    PublishMode: PublishMode === "host" ? "host" : "ingress",
  }));
  return { Mode: read.Mode ?? "vip", ...(ports && { Ports: ports }) } as EndpointSpec;
}

function checkTask(task: TaskSpec, service: TemplateService, rules: ServiceSpecRules): void {
  checkResources(task);
  if ((task.RestartPolicy?.Delay ?? 0) < 0) invalid("TaskSpec: restart-delay cannot be negative");
  if ((task.RestartPolicy?.Window ?? 0) < 0) invalid("TaskSpec: restart-window cannot be negative");
  for (const text of task.Placement?.Constraints ?? []) {
    try {
      parseConstraint(text);
    } catch (thrown) {
      if (!(thrown instanceof GamError)) throw thrown;
      refuse(`rpc error: code = Unknown desc = ${thrown.message}`);
    }
  }
  const { ContainerSpec: container } = task;
  const budget = new Budget();
  checkTemplates(container, (text) => rules.checkTemplate(text, service, budget));
  checkContainer(container);
}

function checkContainer(container: ContainerSpec): void {
  if (container.Image === "") invalid("ContainerSpec: image reference must be provided");
  if (!isImageReference(container.Image)) {
    invalid(`ContainerSpec: "${container.Image}" is not a valid repository/tag`);
  }
  const targets = new Set<string>();
  for (const { Target: target = "" } of container.Mounts ?? []) {
    if (targets.has(target)) invalid(`ContainerSpec: duplicate mount point: ${target}`);
    targets.add(target);
  }
  for (const server of container.DNSConfig?.Nameservers ?? []) {
    // The text is the docker client's: Swarm accepts anything, and then its containers do not start.
    if (!isAddress(server)) invalid(`ContainerSpec: ${server} is not an ip address`);
  }
  checkHealth(container.Healthcheck);
}

/** In Swarm's order and words. */
function checkTemplates(
  container: ContainerSpec,
  problemOf: (text: string) => string | undefined,
): void {
  const check = (text: string | undefined, what: (problem: string) => string): void => {
    const problem = problemOf(text ?? "");
    if (problem !== undefined) invalid(what(problem));
  };
  for (const env of container.Env ?? []) {
    // Only the part after the first "=" is a template.
    const value = env.slice(env.indexOf("=") + 1);
    if (!env.includes("=")) continue;
    check(
      value,
      (problem) => `expanding env failed: expanding env ${JSON.stringify(env)}: ${problem}`,
    );
  }
  for (const { Source, Target, VolumeOptions: volume } of container.Mounts ?? []) {
    const failed = (what: string) => (problem: string) =>
      `expanding mounts failed: expanding ${what}: ${problem}`;
    check(Source, failed(`mount source ${JSON.stringify(Source)}`));
    check(Target, failed(`mount target ${JSON.stringify(Target)}`));
    for (const [what, map] of [
      ["volume labels", volume?.Labels],
      ["volume driver config", volume?.DriverConfig?.Options],
    ] as const) {
      for (const [key, text] of Object.entries(map ?? {})) {
        const entry = `${JSON.stringify(key)}=${JSON.stringify(text)}`;
        check(text, failed(`${what}: expanding map entry ${entry}`));
      }
    }
  }
  check(container.Hostname, (problem) => `expanding hostname failed: ${problem}`);
}

function checkResources({ Resources: resources }: TaskSpec): void {
  checkAmounts(resources?.Limits);
  checkAmounts(resources?.Reservations);
  const { SwapBytes: swap, MemorySwappiness: swappiness = 0 } = resources ?? {};
  if (swap !== undefined && !resources?.Limits?.MemoryBytes) {
    refuse("memory swap provided, but no memory-limit was set");
  }
  if (swap !== undefined && swap < -1) {
    invalid(`TaskTemplate.Resources.SwapBytes: ${swap} is less than -1, which means no limit`);
  }
  if (swappiness < 0 || swappiness > 100) {
    invalid(`TaskTemplate.Resources.MemorySwappiness: ${swappiness} is not from 0 to 100`);
  }
}

function checkAmounts(resources: Resources | undefined): void {
  const { NanoCPUs: cpus = 0, MemoryBytes: memory = 0 } = resources ?? {};
  if (cpus !== 0 && cpus < nanoCpusMin) {
    invalid(`invalid cpu value ${goFloat(cpus / 1e9)}: Must be at least 0.001`);
  }
  if (memory !== 0 && memory < memoryBytesMin) {
    invalid(`invalid memory value ${memory}: Must be at least 4MiB`);
  }
  for (const resource of resources?.GenericResources ?? []) {
    // Where JSON has null, Go's list has a zero value.
    if ((resource.DiscreteResourceSpec?.Value ?? 0) < 0) {
      invalid("invalid generic resource: Must be positive");
    }
    // Swarm accepts it, and then finds no node.
    const named = resource.NamedResourceSpec?.Kind;
    if (named !== undefined) {
      invalid(
        `invalid argument for resource ${named}: reserve a number of them, the node picks which`,
      );
    }
  }
}

/** Formats as Go's %g does: below 1e-4 with an exponent of at least two digits. */
function goFloat(value: number): string {
  if (Math.abs(value) >= 1e-4) return String(value);
  return value.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
}

function checkConfig(config: UpdateConfig | undefined): void {
  if ((config?.Delay ?? 0) < 0) invalid("TaskSpec: update-delay cannot be negative");
  if ((config?.Monitor ?? 0) < 0) invalid("TaskSpec: update-monitor cannot be negative");
  const ratio = config?.MaxFailureRatio ?? 0;
  if (ratio < 0 || ratio > 1) {
    invalid("TaskSpec: update-maxfailureratio cannot be less than 0 or bigger than 1");
  }
}

function checkEndpoint(endpoint: EndpointSpec | undefined): void {
  const taken = new Set<string>();
  for (const port of endpoint?.Ports ?? []) {
    const { PublishedPort: published = 0, TargetPort: target = 0 } = port;
    // Swarm accepts these ports, though nothing ever answers there. Here no node could load its rules.
    if (target < 1 || target > portMax) invalid(`EndpointSpec: no target port: ${target}`);
    if (published > portMax) invalid(`EndpointSpec: no port to publish: ${published}`);
    if (endpoint?.Mode === "dnsrr" && port.PublishMode === "ingress") {
      invalid("EndpointSpec: port published with ingress mode can't be used with dnsrr mode");
    }
    if (published === 0) continue;
    const key = `${published}/${port.Protocol}`;
    if (taken.has(key)) invalid("EndpointSpec: duplicate published ports provided");
    taken.add(key);
  }
}

const secondNs = 1_000_000_000;
const configDefault: UpdateConfig = {
  Parallelism: 1,
  FailureAction: "pause",
  Monitor: 5 * secondNs,
  MaxFailureRatio: 0,
  Order: "stop-first",
};

/** Returns: the spec with defaults for what the client left out: the answer to `insertDefaults=true`. */
export function withDefaults(spec: ServiceSpec): ServiceSpec {
  const task = spec.TaskTemplate;
  return {
    ...spec,
    TaskTemplate: {
      ...task,
      ContainerSpec: { StopGracePeriod: 10 * secondNs, DNSConfig: {}, ...task.ContainerSpec },
      Resources: task.Resources ?? {},
      RestartPolicy: {
        Condition: "any",
        Delay: 5 * secondNs,
        MaxAttempts: 0,
        ...task.RestartPolicy,
      },
      Placement: task.Placement ?? {},
    },
    UpdateConfig: { ...configDefault, ...spec.UpdateConfig },
    RollbackConfig: { ...configDefault, ...spec.RollbackConfig },
  };
}
