/**
 * Container labels: what Swarm's service spec cannot say of a container, and the engine can do.
 *
 * Docker's client drops fields that it does not know when it updates a service, and keeps labels. The labels are
 * part of what a task is made of, so a change of them is an update of the service.
 */
import type { Labels } from "../objects/meta.ts";
import type { ServiceSpec } from "../objects/service.ts";
import { type LabelRule, list, readLabel, text, type Values, words } from "./label-rule.ts";

/** The kind of generic resources that GPUs of NVIDIA are. */
export const gpuKind = "NVIDIA-GPU";

export interface DeviceMapping {
  readonly host: string;
  readonly container: string;
  /** Of "r", "w" and "m". */
  readonly permissions: string;
}

const yes = words("true");
const path = /^\/dev(?:\/[a-zA-Z0-9_.:-]+)+$/;

const sizes: Values<number> = text("a size such as 64m or 1g", (found) => {
  const [, digits, unit = ""] = /^(\d{1,12})([kmgt]?)b?$/i.exec(found) ?? [];
  if (digits === undefined) return undefined;
  const bytes = Number(digits) * 1024 ** " kmgt".indexOf(unit.toLowerCase() || " ");
  return bytes > 0 && Number.isSafeInteger(bytes) ? bytes : undefined;
});

const devices = list(
  text("a device such as /dev/snd or /dev/sda:/dev/xvda:r", (found): DeviceMapping | undefined => {
    const [host = "", second, third, ...more] = found.split(":");
    const isRights = second !== undefined && !second.startsWith("/");
    const container = second === undefined || isRights ? host : second;
    const permissions = (isRights ? second : third) ?? "rwm";
    if (more.length > 0 || (isRights && third !== undefined)) return undefined;
    if (!path.test(host) || !path.test(container) || !/^[rwm]{1,3}$/.test(permissions))
      return undefined;
    return { host, container, permissions };
  }),
);

const deviceRules = list(
  text("a rule such as c 189:* rmw", (found) => {
    return /^[acb] (?:\d+|\*):(?:\d+|\*) [rwm]{1,3}$/.test(found) ? found : undefined;
  }),
);

const securityOptions = list(
  text("an option such as label=disable, apparmor=PROFILE or no-new-privileges", (found) => {
    const form =
      /^(?:no-new-privileges(?:[:=](?:true|false))?|seccomp[:=]unconfined|systempaths=unconfined|(?:apparmor|label)[:=][a-zA-Z0-9_.:-]+)$/;
    return form.test(found) ? found : undefined;
  }),
);

const names = (wanted: string, form: RegExp): Values<string> =>
  text(wanted, (found) => (form.test(found) ? found : undefined));

const engineDefault = "the engine decides";

function rule<Value>(
  key: string,
  values: Values<Value>,
  does: string,
  without: string,
): LabelRule<Value> {
  return { name: `gam.container.${key}`, ...values, does, without };
}

const rules = {
  network: rule(
    "network",
    words("none"),
    "gives the container no network at all",
    "it is in the service's networks",
  ),
  privileged: rule(
    "privileged",
    yes,
    "gives the container all of the host's rights",
    "it has the engine's usual ones",
  ),
  devices: rule("devices", devices, "gives the container devices of its host", "it has none"),
  deviceRules: rule(
    "device_cgroup_rules",
    deviceRules,
    "allows kinds of devices",
    "only its devices are allowed",
  ),
  pid: rule("pid", words("host"), "shows the container the host's processes", "it sees its own"),
  ipc: rule(
    "ipc",
    words("host", "none", "private", "shareable"),
    "says whose shared memory the container uses",
    engineDefault,
  ),
  uts: rule("uts", words("host"), "gives the container the host's name", "it has its own"),
  userns: rule(
    "userns",
    words("host"),
    "leaves user ids as they are where the engine maps them",
    engineDefault,
  ),
  cgroup: rule(
    "cgroup",
    words("host", "private"),
    "says which control groups the container sees",
    engineDefault,
  ),
  cgroupParent: rule(
    "cgroup_parent",
    names(
      "a path such as /batch, or a slice",
      /^\/?[a-zA-Z0-9_.-]+(?:\/[a-zA-Z0-9_-][a-zA-Z0-9_.-]*)*$/,
    ),
    "puts the container into this control group",
    "it is in the engine's",
  ),
  security: rule(
    "security_opt",
    securityOptions,
    "sets options of AppArmor, SELinux and seccomp",
    "the spec's privileges count",
  ),
  shmBytes: rule("shm_size", sizes, "sets the size of /dev/shm", "it has 64 MB"),
  runtime: rule(
    "runtime",
    names("the name of a runtime of the engine", /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}$/),
    "runs the container by this runtime",
    engineDefault,
  ),
  gpus: rule(
    "gpus",
    list(names("a capability such as gpu, compute or utility", /^[a-z][a-z0-9-]{0,31}$/)),
    "gives the container the GPUs that the task has reserved (generic resource NVIDIA-GPU), with these capabilities",
    "it only gets their names in its environment",
  ),
  allGpus: rule(
    "gpus.all",
    yes,
    "reserves all GPUs of a host, however many it has, and gives them to no other task",
    "it has as many as it reserves",
  ),
};

type Rules = typeof rules;

/** What the labels of a service say about its containers. A field is absent without its label. */
type ContainerOptions = {
  readonly [Key in keyof Rules]?: Rules[Key] extends LabelRule<infer Value> ? Value : never;
};

/** In the order of docs/labels.md. */
export const containerLabels: readonly LabelRule<unknown>[] = Object.values(rules);

export function containerOptions(labels: Labels | undefined): ContainerOptions {
  const found = Object.entries(rules).flatMap(([key, one]): [string, unknown][] => {
    const value = readLabel<unknown>(one, labels);
    return value === undefined ? [] : [[key, value]];
  });
  return Object.fromEntries(found) as ContainerOptions;
}

/** A law of serviceLabelProblem(). */
export function containerProblem({
  Labels,
  TaskTemplate,
  Networks,
  EndpointSpec,
}: ServiceSpec): string | undefined {
  const { network, gpus, allGpus } = containerOptions(Labels);
  const joined = (TaskTemplate.Networks ?? Networks ?? []).length > 0;
  if (network !== undefined && (joined || (EndpointSpec?.Ports ?? []).length > 0)) {
    return `label "gam.container.network" is "none" on a service with networks or published ports: remove one of the two`;
  }
  const reserved = TaskTemplate.Resources?.Reservations?.GenericResources ?? [];
  const has = reserved.some(({ DiscreteResourceSpec }) => DiscreteResourceSpec?.Kind === gpuKind);
  if (has) return undefined;
  if (allGpus !== undefined) {
    return `label "gam.container.gpus.all" is on a service that reserves no GPU: reserve one of the generic resource ${gpuKind}, as with --generic-resource "${gpuKind}=1"`;
  }
  if (gpus === undefined) return undefined;
  return `label "gam.container.gpus" is on a service that reserves no GPU: reserve the generic resource ${gpuKind}, as with --generic-resource "${gpuKind}=1"`;
}

const prefix = "gam.container.";
/** They say in whose network a task runs, and when. */
const ofPods: ReadonlySet<string> = new Set(["gam.pod", "gam.pod.role"]);

/** Returns: the labels that tasks are made of, sorted. Those with an empty value count as absent. */
export function taskLabels(labels: Labels | undefined): readonly (readonly [string, string])[] {
  return Object.entries(labels ?? {})
    .filter(([name, value]) => value !== "" && (name.startsWith(prefix) || ofPods.has(name)))
    .sort(([a], [b]) => (a < b ? -1 : 1));
}
