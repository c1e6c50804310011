/** Service change: the effect of each change on a service. service-refusal.ts decides whether it is refused. */
import { unreachable } from "@gam/core";
import { sameTemplate } from "../derived/template.ts";
import type { ChangeOf } from "../log/change.ts";
import { born, moved, type Occasion } from "../log/occasion.ts";
import type { Service, ServiceSpec } from "../objects/service.ts";
import { takenPort } from "./service-refusal.ts";

/** The replacement of a service's spec. */
interface Successor {
  readonly spec: ServiceSpec;
  /** The spec that a rollback would restore. */
  readonly previous: ServiceSpec | undefined;
  readonly registryAuth: string;
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
      return wentBack(service, { why: change.message, previous: undefined }, on);
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
  return {
    ...born(on),
    ID: id,
    Spec: spec,
    Endpoint: { Spec: spec.EndpointSpec ?? {} },
    ...jobStatus(spec, undefined, on.at),
    Gam: { registryAuth, registryAuthPrevious: "", templateVersion, waveAtMs: 0, updated: [] },
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
    return wentBack(service, { why: "manually requested rollback", previous }, on);
  }
  const kept = registryAuthFrom === "previous-spec" ? Gam.registryAuthPrevious : Gam.registryAuth;
  const registryAuth = change.registryAuth ?? kept;
  return withSpec(service, { spec, previous, registryAuth, rollback: undefined }, on);
}

/** Restores the previous spec, if there is one. `previous`: the spec that a later rollback would restore. */
function wentBack(
  service: Service,
  { why, previous }: { readonly why: string; readonly previous: ServiceSpec | undefined },
  on: Occasion,
): Service {
  const { PreviousSpec: spec, Gam } = service;
  if (spec === undefined) return service;
  const registryAuth = Gam.registryAuthPrevious;
  return withSpec(service, { spec, previous, registryAuth, rollback: why }, on);
}

function withSpec(service: Service, successor: Successor, on: Occasion): Service {
  const { UpdateStatus: _, PreviousSpec: __, ...rest } = service;
  const { spec, previous, registryAuth, rollback } = successor;
  const changed = !sameTemplate(service.Spec, spec);
  return {
    ...rest,
    ...moved(on),
    ...(rollback !== undefined && {
      UpdateStatus: { State: "rollback_started", StartedAt: on.at, Message: rollback },
    }),
    ...(previous && { PreviousSpec: previous }),
    ...(changed && jobStatus(spec, service, on.at)),
    Spec: spec,
    Endpoint: { ...service.Endpoint, Spec: spec.EndpointSpec ?? {} },
    Gam: {
      registryAuth,
      registryAuthPrevious: service.Gam.registryAuth,
      templateVersion: changed ? on.index : service.Gam.templateVersion,
      waveAtMs: 0,
      updated: [],
    },
  };
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
