/** Task asks: what a task's own host asks it by HTTP. It reaches the task whatever networks the leader's host is in. */
import { autoscaleOf } from "../../labels/autoscale-labels.ts";
import { type HttpTarget, portToAsk } from "../../labels/http-target.ts";
import { rolloutOf } from "../../labels/rollout-labels.ts";
import type { View } from "../../log/view.ts";
import type { Service } from "../../objects/service.ts";
import type { Task } from "../../objects/task.ts";
import { openRollout } from "../rollout/open-rollout.ts";

/** A GET of HTTP. */
export interface TaskAsk {
  /** IPv4. */
  readonly address: string;
  readonly port: number;
  /** With its query. */
  readonly path: string;
}

export interface TaskAsks {
  /** For autoscaling. */
  readonly number?: TaskAsk | undefined;
  /** For a rollout, of tasks of its new version. */
  readonly check?: TaskAsk | undefined;
}

/** Shape: `service` is the task's. */
export function asksOf(view: View, service: Service, task: Task): TaskAsks {
  const rollout = openRollout(service);
  const isFresh = rollout !== undefined && task.Gam.templateVersion === rollout.version;
  const checks = isFresh ? rolloutOf(service.Spec)?.checks : undefined;
  const sources = service.Gam.autoscale && autoscaleOf(service.Spec)?.sources;
  if (checks?.http === undefined && sources?.http === undefined) return {};
  const ask = (target: HttpTarget | undefined): TaskAsk | undefined => {
    if (target?.kind !== "tasks") return undefined;
    const address = addressOf(view, task);
    const port = portToAsk(target, task.Gam.endpoint.Ports ?? [], task.Gam.serviceLabels);
    return address && port ? { address, port, path: target.path } : undefined;
  };
  return { number: ask(sources?.http), check: ask(checks?.http) };
}

/** Returns: an address at which the task's host reaches it, one of a network that is not internal if it has one. */
function addressOf(view: View, { Gam, Spec }: Task): string | undefined {
  const [first] = Gam.attachments;
  const open = Gam.attachments.find(({ network }) => view.network(network)?.Internal === false);
  const isOnHost = Spec.Networks?.some(({ Target }) => Target === "host");
  return open?.address ?? first?.address ?? (isOnHost ? "127.0.0.1" : undefined);
}
