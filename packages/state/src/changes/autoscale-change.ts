/**
 * Autoscale change: which number of replicas a service has whose number the cluster chooses.
 *
 * A stack file that is deployed again says the same number as the last time. If that number counted, each deploy
 * would take away the replicas that the load needs. So the number in a client's spec counts only if it is a new
 * wish: it differs from the present number and from the one that a client asked for last.
 */
import { autoscaleOf } from "../labels/autoscale-labels.ts";
import type { ChangeOf } from "../log/change.ts";
import type { Occasion } from "../log/occasion.ts";
import {
  type AutoscaleDecision,
  type AutoscaleMemory,
  decisionsMax,
} from "../objects/autoscale.ts";
import type { Service, ServiceSpec } from "../objects/service.ts";

export interface Start {
  readonly spec: ServiceSpec;
  readonly autoscale?: AutoscaleMemory | undefined;
}

/**
 * Returns: the spec with the number of replicas that the service has now, and what to remember.
 * Shape: `service` as it was before. `isWish`: a client sent the number; else it comes from an earlier spec.
 */
export function startOf(
  spec: ServiceSpec,
  { service, isWish }: { readonly service?: Service | undefined; readonly isWish: boolean },
  { atMs }: Pick<Occasion, "atMs">,
): Start {
  const wish = autoscaleOf(spec);
  if (wish === undefined) return { spec };
  const asked = replicasOf(spec);
  const before = service?.Gam.autoscale;
  if (service === undefined || before === undefined) {
    const memory = { asked, decisions: [] };
    return { spec: withReplicas(spec, bounded(asked, wish)), autoscale: memory };
  }
  const now = replicasOf(service.Spec);
  if (!isWish || asked === now || asked === before.asked) {
    return { spec: withReplicas(spec, bounded(now, wish)), autoscale: before };
  }
  const to = bounded(asked, wish);
  const decision = { atMs, from: now, to, reason: "a client asked for it" };
  const decisions = to === now ? before.decisions : withDecision(before.decisions, decision);
  return { spec: withReplicas(spec, to), autoscale: { asked, decisions } };
}

/** The leader's plan. Void for a service that changed since, and for a number out of bounds. */
export function scaled(
  service: Service,
  change: Extract<ChangeOf<"service">, { kind: "scaleService" }>,
  on: Occasion,
): Service {
  const { basedOn, from, to, advice, reason } = change;
  const wish = autoscaleOf(service.Spec);
  const memory = service.Gam.autoscale;
  if (service.Version.Index !== basedOn || wish === undefined || memory === undefined) {
    return service;
  }
  if (replicasOf(service.Spec) !== from) return service;
  if (to !== from && to !== bounded(to, wish)) return service;
  const decision = { atMs: on.atMs, from, to, reason };
  const decisions = to === from ? memory.decisions : withDecision(memory.decisions, decision);
  return {
    ...service,
    UpdatedAt: on.at,
    Spec: to === from ? service.Spec : withReplicas(service.Spec, to),
    Gam: { ...service.Gam, autoscale: { asked: memory.asked, decisions, advice } },
  };
}

export function replicasOf({ Mode }: ServiceSpec): number {
  return Mode.Replicated?.Replicas ?? 1;
}

/** None stays none: a client stopped the service. */
function bounded(replicas: number, { min, max }: { min: number; max: number }): number {
  return replicas === 0 ? 0 : Math.max(min, Math.min(max, replicas));
}

function withReplicas(spec: ServiceSpec, Replicas: number): ServiceSpec {
  return replicasOf(spec) === Replicas ? spec : { ...spec, Mode: { Replicated: { Replicas } } };
}

function withDecision(
  decisions: readonly AutoscaleDecision[],
  decision: AutoscaleDecision,
): readonly AutoscaleDecision[] {
  return [...decisions, decision].slice(-decisionsMax);
}
