/** Service change: the effect of each change on a service. service-refusal.ts decides whether it is refused. */
import { unreachable } from "@gam/core";
import { hasContents } from "../derived/content-need.ts";
import { policyProblem } from "../derived/policy-problem.ts";
import { sameTemplate } from "../derived/template.ts";
import type { ChangeOf } from "../log/change.ts";
import { born, moved, type Occasion } from "../log/occasion.ts";
import type { Event, View } from "../log/view.ts";
import type { ContentVersions, Sealed } from "../objects/content.ts";
import type { Service, ServiceSpec } from "../objects/service.ts";
import { scaled, startOf } from "./autoscale-change.ts";
import { earlierFor, returned, returnsOf } from "./content-roll.ts";
import { cronFor, dueHandled, runEnded, withRun } from "./cron-change.ts";
import { revisionsAfter } from "./revisions.ts";
import { rolledOut, steered, steerRefusal, turnOf } from "./rollout/rollout-change.ts";
import { isNewestKey } from "./sealing-keys.ts";
import { takenPort } from "./service-refusal.ts";

const askedRollback = "manually requested rollback";
const abortedRollout = "rollout aborted";

/** The replacement of a service's spec. */
interface Successor {
  readonly spec: ServiceSpec;
  /** The spec that a rollback would restore. */
  readonly previous: ServiceSpec | undefined;
  readonly registryAuth: Sealed | undefined;
  readonly earlier: ContentVersions;
  /** Secrets and configs return to another content with it. */
  readonly returns: boolean;
  /** The reason for the rollback, if it is one. */
  readonly rollback: string | undefined;
}

/** As TableRule.after. */
export function serviceAfter(
  service: Service | undefined,
  change: ChangeOf<"service">,
  on: Occasion,
): Service | undefined {
  if (change.kind === "createService") return made(change, on);
  if (service === undefined) return undefined;
  switch (change.kind) {
    case "updateService":
      return updated(service, change, on);
    case "rollbackService": {
      if (service.Version.Index !== change.basedOn) return service;
      if (service.PreviousSpec && !mayReturn(on.view, service.PreviousSpec)) return service;
      return wentBack(service, { why: change.message, isAsked: false }, on);
    }
    case "removeService":
      return undefined;
    case "progressUpdate": {
      if (service.Version.Index !== change.basedOn) return service;
      const { UpdateStatus: _, ...rest } = service;
      const Gam = { ...service.Gam, waveAtMs: change.waveAtMs, updated: change.updated };
      const status = change.status === undefined ? {} : { UpdateStatus: change.status };
      return { ...rest, ...status, UpdatedAt: on.at, Gam };
    }
    case "progressRollout":
      return rolledOut(service, change, on);
    case "steerRollout":
      if (steerRefusal(service, change) !== undefined) return service;
      if (change.action !== "abort") return steered(service, change.action, on);
      return wentBack(service, { why: abortedRollout, isAsked: true }, on);
    case "scaleService":
      return scaled(service, change, on);
    case "runJob":
      return withRun(service, { dueMs: on.atMs, by: "hand" }, on);
    case "handleDue":
      return dueHandled(service, change, on);
    case "endRun":
      return runEnded(service, change, on);
    case "resealCredentials":
      return resealed(service, change, on);
    case "setEndpoint":
      if (takenPort(on.view, service.ID, change.endpoint.Ports) !== undefined) return service;
      return {
        ...service,
        UpdatedAt: on.at,
        // The client may have changed the endpoint spec after this was planned.
        Endpoint: { ...change.endpoint, Spec: service.Spec.EndpointSpec ?? {} },
      };
    default:
      unreachable(change);
  }
}

function made(
  { id, spec, registryAuth }: Extract<ChangeOf<"service">, { kind: "createService" }>,
  on: Occasion,
): Service {
  const templateVersion = on.index;
  const { autoscale, ...start } = startOf(spec, { isWish: true }, on);
  const cron = cronFor(spec, undefined);
  return {
    ...born(on),
    ID: id,
    Spec: start.spec,
    Endpoint: { Spec: spec.EndpointSpec ?? {} },
    ...jobStatus(spec, undefined, on.at),
    Gam: {
      ...(registryAuth && { registryAuth }),
      ...{ earlier: {}, templateVersion, waveAtMs: 0, updated: [] },
      ...(autoscale && { autoscale }),
      ...(cron && { cron }),
    },
  };
}

/**
 * Everything that the client did not send comes from the present service: the asked peer's copy may have been
 * older.
 */
function updated(
  service: Service,
  change: Extract<ChangeOf<"service">, { kind: "updateService" }>,
  on: Occasion,
): Service {
  const { spec, registryAuthFrom } = change;
  const { Spec: previous, Gam } = service;
  if (spec === "previous") {
    return wentBack(service, { why: askedRollback, isAsked: true }, on);
  }
  const kept = registryAuthFrom === "previous-spec" ? Gam.registryAuthPrevious : Gam.registryAuth;
  const registryAuth = change.registryAuth ?? kept;
  const earlier = earlierFor(service);
  const successor = { spec, previous, registryAuth, earlier, returns: false, rollback: undefined };
  return withSpec(service, successor, on);
}

/** Whether the state still has what the spec names, and the policy still allows it. */
export function mayReturn(view: View, spec: ServiceSpec): boolean {
  return hasContents(view, spec) && policyProblem(view.cluster?.Policy, spec) === undefined;
}

/**
 * Restores the previous spec, if there is one, and the content that secrets and configs had. `isAsked`: a later
 * rollback restores the present ones.
 */
function wentBack(
  service: Service,
  { why, isAsked }: { readonly why: string; readonly isAsked: boolean },
  on: Occasion,
): Service {
  const { PreviousSpec: spec, Gam } = service;
  if (spec === undefined) return service;
  const returns = returnsOf(on.view, service);
  const replaced = returns.map(({ holder }) => [holder.ID, holder.Gam.current] as const);
  const successor = {
    spec,
    previous: isAsked ? service.Spec : undefined,
    registryAuth: Gam.registryAuthPrevious,
    earlier: isAsked ? Object.fromEntries(replaced) : {},
    returns: returns.length > 0,
    rollback: why,
  };
  return withSpec(service, successor, on);
}

/** As TableRule.others: secrets, configs and other services that go back together with the service. */
export function movedByService(
  service: Service | undefined,
  change: ChangeOf<"service">,
  on: Occasion,
): readonly Event[] {
  if (service === undefined) return [];
  if ("basedOn" in change && service.Version.Index !== change.basedOn) return [];
  if (service.PreviousSpec === undefined || !mayReturn(on.view, service.PreviousSpec)) return [];
  if (change.kind === "steerRollout") {
    const aborts = change.action === "abort" && steerRefusal(service, change) === undefined;
    return aborts ? returned(service, abortedRollout, on) : [];
  }
  if (change.kind === "rollbackService") return returned(service, change.message, on);
  const isAsked = change.kind === "updateService" && change.spec === "previous";
  return isAsked ? returned(service, askedRollback, on) : [];
}

/** Seals the credentials anew, unless others have come meanwhile. */
function resealed(
  service: Service,
  change: Extract<ChangeOf<"service">, { kind: "resealCredentials" }>,
  on: Occasion,
): Service {
  const { which, from, to, basedOn } = change;
  const field = which === "spec" ? "registryAuth" : "registryAuthPrevious";
  if (service.Version.Index !== basedOn || service.Gam[field]?.key !== from) return service;
  return isNewestKey(on.view, to.key)
    ? { ...service, Gam: { ...service.Gam, [field]: to } }
    : service;
}

function withSpec(service: Service, successor: Successor, on: Occasion): Service {
  const { UpdateStatus: _, PreviousSpec: __, ...rest } = service;
  const { spec, previous, registryAuth, earlier, returns, rollback } = successor;
  const changed = returns || !sameTemplate(service.Spec, spec);
  const turn = turnOf(service, { spec, changed, back: rollback }, on);
  const keepsPrevious = turn.previous !== undefined;
  const registryAuthPrevious = service.Gam[keepsPrevious ? "registryAuthPrevious" : "registryAuth"];
  const before = turn.previous ?? previous;
  const isWish = rollback === undefined;
  const { autoscale, ...start } = startOf(spec, { service, isWish }, on);
  const cron = cronFor(spec, service);
  const next: Service = {
    ...rest,
    ...moved(on),
    ...(rollback !== undefined && {
      UpdateStatus: { State: "rollback_started", StartedAt: on.at, Message: rollback },
    }),
    ...(turn.status && { UpdateStatus: turn.status }),
    ...(before && { PreviousSpec: before }),
    ...(changed && cron === undefined && jobStatus(spec, service, on.at)),
    Spec: start.spec,
    Endpoint: { ...service.Endpoint, Spec: spec.EndpointSpec ?? {} },
    Gam: {
      ...(registryAuth && { registryAuth }),
      ...(registryAuthPrevious && { registryAuthPrevious }),
      earlier,
      templateVersion: changed ? on.index : service.Gam.templateVersion,
      waveAtMs: 0,
      updated: [],
      ...revisionsAfter(service, spec, on),
      ...(autoscale && { autoscale }),
      ...(cron && { cron }),
      ...(turn.rollout && { rollout: turn.rollout }),
    },
  };
  // A job with a schedule does not run because it was updated, unless the client forces it.
  const isForced = isWish && forcesOf(spec) > forcesOf(service.Spec);
  return cron && isForced ? withRun(next, { dueMs: on.atMs, by: "hand" }, on) : next;
}

function forcesOf({ TaskTemplate }: ServiceSpec): number {
  return TaskTemplate.ForceUpdate ?? 0;
}

function jobStatus(
  spec: ServiceSpec,
  service: Service | undefined,
  at: string,
): Pick<Service, "JobStatus"> {
  if (spec.Mode.ReplicatedJob === undefined && spec.Mode.GlobalJob === undefined) return {};
  const Index = service === undefined ? 0 : (service.JobStatus?.JobIteration.Index ?? 0) + 1;
  return { JobStatus: { JobIteration: Index === 0 ? {} : { Index }, LastExecution: at } };
}
