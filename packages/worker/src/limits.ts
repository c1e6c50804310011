/** Limits of a worker. A tick is as long as its driver makes it; the defaults are for 100 ms. */
export interface WorkerLimits {
  /** Length of a tick. Only to turn the durations of specs into ticks. */
  readonly tickMs: number;
  /** Networks, creates, starts, inspects and removes that run at once. */
  readonly actionsMax: number;
  /** Stops that run at once. They wait for the container, not for the engine. */
  readonly stopsMax: number;
  readonly pullsMax: number;
  /** What failed because the engine could not be asked is tried again after so long. */
  readonly retryTicks: number;
  /** States on the way to running are reported only when they last so long: they cost a write each. */
  readonly dawdleTicks: number;
  readonly reportChangesMax: number;
  /**
   * A task with an address is stopped so long after nobody wants it any more, for those who have only just
   * been told its address by name, and once all nodes say that they send it nobody.
   */
  readonly drainTicks: number;
  /**
   * The task is stopped by then, also when a node has not said so. As long as a node counts as up whose agent is
   * gone: an agent that restarts, or a busy host that is seconds late, loses no connections of the task.
   */
  readonly drainTicksMax: number;
  /** A committed report that the state still does not show is sent again after so long. */
  readonly resendTicks: number;
  /** Without a leader for so long, containers that end are started again in place. */
  readonly leaderlessTicks: number;
}

export const workerLimitsDefault: WorkerLimits = {
  tickMs: 100,
  actionsMax: 4,
  stopsMax: 32,
  pullsMax: 3,
  retryTicks: 10,
  dawdleTicks: 10,
  reportChangesMax: 256,
  drainTicks: 10,
  drainTicksMax: 150,
  resendTicks: 20,
  leaderlessTicks: 50,
};
