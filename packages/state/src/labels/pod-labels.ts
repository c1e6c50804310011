/**
 * Pod labels: with whose tasks the tasks of a service share a host and a network.
 *
 * The service that others name is the main one of the pod; those that name it are its parts. Does not decide what is
 * true of both together: pods.ts.
 */
import type { Labels } from "../objects/meta.ts";
import type { ServiceSpec } from "../objects/service.ts";
import { containerOptions } from "./container-labels.ts";
import { type LabelRule, readLabel, text, words } from "./label-rule.ts";

export const podLabel: LabelRule<string> = {
  name: "gam.pod",
  ...text('the name of a service, such as "web"', (found) => {
    return /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/.test(found) ? found : undefined;
  }),
  does: "runs one task with each task of this service, on its host and in its network",
  without: "tasks have hosts and networks of their own",
};

/**
 * sidecar  starts when the main container runs, as without this label, and stops after it
 * init     runs to its end, with success, before the main container starts; in its own networks
 */
export type PodRole = "sidecar" | "init";

export const podRoleLabel: LabelRule<PodRole> = {
  name: "gam.pod.role",
  ...words("sidecar", "init"),
  does: 'says when a part of a pod runs: a "sidecar" stops after the main container, an "init" container ends with success before that starts',
  without: "it starts when the main container runs, and stops before it",
};

export const podRestartLabel: LabelRule<"together" | "alone"> = {
  name: "gam.pod.restart",
  ...words("together", "alone"),
  does: "says what is started again when a part of a pod ends: the whole pod together, or this part alone",
  without: "it is started again alone",
};

export const podLabels: readonly LabelRule<unknown>[] = [podLabel, podRoleLabel, podRestartLabel];

/** Returns: the name of the main service; undefined for a service that is no part of a pod. */
export function mainName(labels: Labels | undefined): string | undefined {
  return readLabel(podLabel, labels);
}

/** Whether it is a part of a pod that runs before the main container. */
export function isInit(labels: Labels | undefined): boolean {
  return mainName(labels) !== undefined && readLabel(podRoleLabel, labels) === "init";
}

/** Whether its tasks run in the network of another task. */
export function isGuest(labels: Labels | undefined): boolean {
  return mainName(labels) !== undefined && !isInit(labels);
}

/** Labels, or beginnings of labels, that mean nothing for a part: where it runs, how many, and who reaches it. */
const ofMain = [
  ...["gam.affinity", "gam.antiaffinity", "gam.strategy", "gam.autoscale.", "gam.rollout"],
  ...["gam.ingress", "gam.sticky", "gam.drain", "gam.http.", "gam.cron", "gam.job."],
];

/** A law of serviceLabelProblem(). */
export function podProblem(spec: ServiceSpec): string | undefined {
  const { Labels: labels, Mode, EndpointSpec, TaskTemplate } = spec;
  const main = mainName(labels);
  if (main === undefined) {
    const lone = [podRoleLabel, podRestartLabel].find(({ name }) => labels?.[name]);
    return lone && `label "${lone.name}" has no effect without "gam.pod": add it, or remove both`;
  }
  const about = `of a part of a pod (label "gam.pod")`;
  if (Mode.ReplicatedJob !== undefined || Mode.GlobalJob !== undefined) {
    return `the mode ${about} cannot be a job: use the mode of "${main}". With "gam.pod.role=init" it runs to its end`;
  }
  if ((EndpointSpec?.Ports ?? []).length > 0) {
    return `the ports ${about} cannot be published: publish them at "${main}", whose network it is in`;
  }
  const wrong = Object.entries(labels ?? {}).find(([name, value]) => {
    return (
      value !== "" &&
      ofMain.some((one) => (one.endsWith(".") ? name.startsWith(one) : isUnder(name, one)))
    );
  });
  if (wrong !== undefined) {
    return `the label "${wrong[0]}" ${about} has no effect: put it at "${main}", which says where the pod runs and who reaches it`;
  }
  if (isInit(labels)) return initProblem(spec);
  const { Hostname, Hosts = [], DNSConfig } = TaskTemplate.ContainerSpec;
  const { network, uts } = containerOptions(labels);
  const own = {
    "host name": Hostname !== undefined && Hostname !== "",
    "entries of /etc/hosts": Hosts.length > 0,
    "name servers": Object.values(DNSConfig ?? {}).some((list) => list.length > 0),
    'label "gam.container.network"': network !== undefined,
    'label "gam.container.uts"': uts !== undefined,
  };
  const [found] = Object.entries(own).find(([, has]) => has) ?? [];
  return (
    found && `the ${found} ${about} cannot be set: set it at "${main}", whose network it is in`
  );
}

function initProblem({ Labels: labels }: ServiceSpec): string | undefined {
  if (readLabel(podRestartLabel, labels) !== "together") return undefined;
  return `label "gam.pod.restart" is "together" on an init container, which ends before the pod runs: remove it`;
}

/** Whether the label is this one, or one with more words. */
function isUnder(name: string, one: string): boolean {
  return name === one || name.startsWith(`${one}.`);
}
