/**
 * Autoscale: what the cluster remembers of a service whose number of replicas it chooses.
 *
 * It is a part of the service, so that the next leader goes on where the last one stopped.
 */

/** A change of the number of replicas, and why. */
export interface AutoscaleDecision {
  /** By the clock of the leader, or of the peer that a client asked. */
  readonly atMs: number;
  readonly from: number;
  readonly to: number;
  readonly reason: string;
}

/** The numbers of replicas that the load asked for, as long as they count. */
export interface AutoscaleAdvice {
  /** The load asks for so many now. */
  readonly now: number;
  /** It asked for so many until then; the latest last. */
  readonly before: readonly { readonly replicas: number; readonly untilMs: number }[];
}

export interface AutoscaleMemory {
  /** The number that a client asked for last. The same number in a later spec is no new wish. */
  readonly asked: number;
  /** The latest last. */
  readonly decisions: readonly AutoscaleDecision[];
  /** Absent: the load was not looked at since a client asked for a number. */
  readonly advice?: AutoscaleAdvice | undefined;
}

export const decisionsMax = 20;
/** One for each look at the load in the longest window would be 240. Dominated ones are left out. */
export const adviceMax = 64;
