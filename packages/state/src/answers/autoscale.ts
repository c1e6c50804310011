/** Autoscale: the answer of `GET /gam/v1/autoscale`: each service that is scaled by its load, and why it has its number. */
import { type Check, check, type ServiceId } from "@gam/core";
import type { AutoscaleDecision } from "../objects/autoscale.ts";

export interface AutoscaleReport {
  readonly services: readonly AutoscaledService[];
}

export interface AutoscaledService {
  readonly id: ServiceId;
  readonly name: string;
  readonly replicas: number;
  readonly running: number;
  readonly min: number;
  readonly max: number;
  readonly targets: readonly {
    /** `cpu`. */
    readonly metric: string;
    readonly target: string;
    /** What a task has now on average; "" where no host says it. */
    readonly now: string;
  }[];
  /** What the load asked for at the last look; null before the first. */
  readonly advised: number | null;
  /** The latest last. */
  readonly decisions: readonly AutoscaleDecision[];
}

const servicesMax = 100_000;
const listMax = 100;

/** Errors: BAD_FRAME with the path of what is wrong. */
export const checkAutoscaleReport: Check<AutoscaleReport> = check.object({
  services: check.list(
    check.object({
      id: check.id<ServiceId>(),
      name: check.string(),
      replicas: check.integer(),
      running: check.integer(),
      min: check.integer(),
      max: check.integer(),
      targets: check.list(
        check.object({ metric: check.string(), target: check.string(), now: check.string() }),
        listMax,
      ),
      advised: check.orNull(check.integer()),
      decisions: check.list(
        check.object({
          atMs: check.number(),
          from: check.integer(),
          to: check.integer(),
          reason: check.string(),
        }),
        listMax,
      ),
    }),
    servicesMax,
  ),
});
