/**
 * Faults: known mistakes that a test can plant in the plans, to prove that its checkers find them.
 * Only tests and the simulator plant any.
 */
export type PlanFault =
  /** A task that has ended counts as one that runs, so nothing is restarted. */
  | "ended-counts-as-running"
  /** Scaling down removes nothing. */
  | "surplus-forgotten"
  /** A task on a lost node and its replacement both stay: a slot has two when the node is back. */
  | "doubles-kept"
  /** A replacement does not wait until the old task has stopped. */
  | "replacement-does-not-wait"
  /** New tasks get no version of secrets and configs. */
  | "content-forgotten"
  /** What crashes is restarted after the same delay each time. */
  | "crashes-forgotten"
  /** Tasks start whatever their service waits for. */
  | "order-forgotten"
  /** Main containers of pods start before their init containers have completed. */
  | "init-forgotten"
  /** Parts of a pod stay when the main task has ended. */
  | "pods-outlived"
  /** A due time of a job is not noted as handled when its run begins. */
  | "due-twice"
  /** What was due while there was no leader is neither run nor noted. */
  | "missed-forgotten"
  /** A rollout gives its new version the step's weight before its tasks run. */
  | "weight-without-tasks"
  /** A rollout stops as many old tasks as it has new ones. */
  | "old-version-shrinks"
  /** A rollout goes on whatever becomes of its tasks. */
  | "rollout-failures-ignored"
  /** What the state says of a host that has not reported since its start counts as true. */
  | "old-reports-trusted";

export type PlanFaults = ReadonlySet<PlanFault>;
export const noPlanFaults: PlanFaults = new Set();
