/**
 * Rollout: what the cluster remembers of the change from one version of a service to the next, while both run.
 *
 * It is a part of the service, so that the next leader goes on where the last one stopped. It stays there after its
 * end, because the weight still counts for tasks that are leaving.
 */
import type { TaskId } from "@gam/core";

export type RolloutStrategy = "canary" | "bluegreen";

/**
 * starting  the step's tasks are made; the weight is still that of the step before
 * watching  the step's weight counts, and the new version is watched
 * passed    the step is done: the next one begins, or the rollout ends
 */
export type RolloutPhase = "starting" | "watching" | "passed";

export interface RolloutPause {
  readonly atMs: number;
  /** "step": the step has no time, so a person has to say when it is over. "failure": it cannot go back. */
  readonly by: "person" | "step" | "failure";
}

export interface RolloutEnd {
  readonly result: "completed" | "rolled back";
  readonly atMs: number;
  readonly reason: string;
}

export interface Rollout {
  /** Counts the writes of this object. A plan from before the last one is void. */
  readonly serial: number;
  readonly strategy: RolloutStrategy;
  /** Tasks with this `templateVersion` are of the new version. */
  readonly version: number;
  /** Tasks with this `templateVersion`, or a lower one, are of the old version. */
  readonly base: number;
  /** Percent of new connections that go to tasks of the new version. */
  readonly weight: number;
  /** From 0. */
  readonly step: number;
  readonly phase: RolloutPhase;
  /** When the phase began, by the leader's clock. */
  readonly sinceMs: number;
  /** Tasks of the new version that ended by themselves, oldest first; the first ones only. */
  readonly failed: readonly TaskId[];
  /** Absent while it goes on. */
  readonly paused?: RolloutPause | undefined;
  /** Absent while it is under way. */
  readonly end?: RolloutEnd | undefined;
}

/** What a person may ask of a rollout that is under way. */
export const rolloutActions = ["pause", "resume", "promote", "abort"] as const;
export type RolloutAction = (typeof rolloutActions)[number];

/** The limit of failures is lower. */
export const failedMax = 128;
