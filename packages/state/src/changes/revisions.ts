/**
 * Revisions: the specs that a service has had.
 *
 * A write that changes only the number of replicas makes no revision: scaling would soon have replaced all others.
 */
import { sameValue } from "@gam/core";
import { revisionsMax } from "../checks/check-service.ts";
import type { Occasion } from "../log/occasion.ts";
import type { Revision, Service, ServiceExtra, ServiceSpec } from "../objects/service.ts";

/** Returns: what the service remembers of its specs once it has this one. */
export function revisionsAfter(
  service: Service,
  spec: ServiceSpec,
  on: Occasion,
): Pick<ServiceExtra, "revision" | "revisions"> {
  const { revision, revisions = [] } = service.Gam;
  if (sameValue(withoutReplicas(service.Spec), withoutReplicas(spec))) {
    return { ...(revision && { revision }), ...(revisions.length > 0 && { revisions }) };
  }
  const replaced: Revision = { ...presentRevision(service), spec: service.Spec };
  return {
    revision: { number: replaced.number + 1, at: on.at },
    revisions: [...revisions, replaced].slice(-revisionsMax),
  };
}

/** Returns: the number of the service's present spec, from 1, and when it was written. */
export function presentRevision({ Gam, CreatedAt }: Service): Omit<Revision, "spec"> {
  return Gam.revision ?? { number: 1, at: CreatedAt };
}

/** Returns: the spec of a revision, with the present number of replicas; undefined for one that is not kept. */
export function specOfRevision({ Spec, Gam }: Service, number: number): ServiceSpec | undefined {
  const spec = Gam.revisions?.find((one) => one.number === number)?.spec;
  const { Replicated } = Spec.Mode;
  if (spec?.Mode.Replicated === undefined || Replicated === undefined) return spec;
  return { ...spec, Mode: { Replicated } };
}

function withoutReplicas(spec: ServiceSpec): ServiceSpec {
  return spec.Mode.Replicated === undefined ? spec : { ...spec, Mode: { Replicated: {} } };
}
