/**
 * Faults: mistakes that the plans can be told to make, so that a checker can show that it would notice.
 * Nothing but tests and the simulator passes any.
 */
export type PlanFault =
  /** A task that has ended counts as one that runs, so nothing is restarted. */
  | "ended-counts-as-running"
  /** Scaling down removes nothing. */
  | "surplus-forgotten"
  /** A task on a lost node and its replacement both stay: two of a slot when the node is back. */
  | "doubles-kept"
  /** A replacement does not wait until the one before it has stopped. */
  | "replacement-does-not-wait";

export type PlanFaults = ReadonlySet<PlanFault>;
export const noPlanFaults: PlanFaults = new Set();
