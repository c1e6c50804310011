/** Service change: what one change of the log makes of a service. Whether it holds is in service-refusal.ts. */
import { unreachable } from "@gam/core";
import type { ChangeOf } from "./change.ts";
import { born, moved, type Occasion } from "./occasion.ts";
import type { Service, ServiceSpec } from "./service.ts";
import { takenPort } from "./service-refusal.ts";
import { sameTemplate } from "./template.ts";

/** What takes the place of a service's spec. */
interface Successor {
  readonly spec: ServiceSpec;
  /** What it may be rolled back to. */
  readonly previous: ServiceSpec | undefined;
  readonly registryAuth: string;
  /** Why it is a rollback, if it is one. */
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
    case "updateService": {
      const { spec, previous, registryAuth } = change;
      const rollback = change.rollback ? "manually requested rollback" : undefined;
      return withSpec(service, { spec, previous, registryAuth, rollback }, on);
    }
    case "rollbackService": {
      const spec = service.PreviousSpec;
      if (spec === undefined) return service;
      if (service.Gam.templateVersion !== change.templateVersion) return service;
      const registryAuth = service.Gam.registryAuthPrevious;
      const rollback = change.message;
      return withSpec(service, { spec, previous: undefined, registryAuth, rollback }, on);
    }
    case "removeService":
      return undefined;
    case "progressUpdate": {
      if (service.Gam.templateVersion !== change.templateVersion) return service;
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
        // Somebody may have asked for another since this was planned.
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
