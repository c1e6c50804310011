/** Rollout: the answer of `GET /gam/v1/services/REF/rollout`: how far the change of a service's version is. */
import { type Check, check } from "@gam/core";
import type { Rollout } from "../objects/rollouts/rollout.ts";

export interface ShownStep {
  /** Percent of new connections that go to the new version. */
  readonly weight: number;
  /** Null: a person says when it is over. */
  readonly waitMs: number | null;
  /** How many tasks of the new version it has. */
  readonly tasks: number;
}

/** A version of the service. */
export interface ShownVersion {
  readonly image: string;
  readonly running: number;
}

export interface ShownRollout extends Pick<Rollout, "strategy" | "weight" | "step" | "phase"> {
  readonly sinceMs: number;
  readonly steps: readonly ShownStep[];
  /** Null while it goes on. */
  readonly paused: string | null;
  /** Null while it is under way. */
  readonly end: { readonly result: string; readonly atMs: number; readonly reason: string } | null;
  /** Tasks of the new version that ended by themselves, and how many may. */
  readonly failed: readonly string[];
  readonly failuresMax: number;
  readonly old: ShownVersion;
  readonly fresh: ShownVersion;
}

export interface ServiceRollout {
  readonly id: string;
  readonly name: string;
  /** What `docker service inspect` says of the update. */
  readonly status: string;
  /** Null: the last update was none. */
  readonly rollout: ShownRollout | null;
}

const text = check.string(65_536);
const aNumber = check.number();
const listMax = 1000;
const checkVersion = check.object({ image: text, running: check.integer() });

/** Errors: BAD_FRAME with the path of what is wrong. */
export const checkServiceRollout: Check<ServiceRollout> = check.object({
  id: text,
  name: text,
  status: text,
  rollout: check.orNull(
    check.object({
      strategy: check.literal("canary", "bluegreen"),
      weight: aNumber,
      step: check.integer(),
      phase: check.literal("starting", "watching", "passed"),
      sinceMs: aNumber,
      steps: check.list(
        check.object({ weight: aNumber, waitMs: check.orNull(aNumber), tasks: check.integer() }),
        listMax,
      ),
      paused: check.orNull(text),
      end: check.orNull(check.object({ result: text, atMs: aNumber, reason: text })),
      failed: check.list(text, listMax),
      failuresMax: check.integer(),
      old: checkVersion,
      fresh: checkVersion,
    }),
  ),
});
