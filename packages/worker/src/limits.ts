/** Limits of a worker. A tick is as long as its driver makes it; the defaults are for 100 ms. */
export interface WorkerLimits {
  /** Length of a tick. Used only to turn the durations in specs into ticks. */
  readonly tickMs: number;
  /**
   * Networks, creates, starts, inspects, removes and deletions of files that run at once. Measured with 20 containers
   * on one engine: 3.0 s one at a time, 1.8 s by two, 1.7 s by four, 2.0 s by eight.
   */
  readonly actionsMax: number;
  /** Stops that run at once. They wait for the container, not for the engine. */
  readonly stopsMax: number;
  readonly pullsMax: number;
  /** Tasks whose files are written at once. They wait for a manager. */
  readonly placesMax: number;
  /** Tasks whose connections are counted at once. */
  readonly countsMax: number;
  /** Delay before an action is retried that failed because the engine did not answer. */
  readonly retryTicks: number;
  /** While no manager answers, the delay grows from `retryTicks` to this. */
  readonly askTicksMax: number;
  /** A state on the way to running is reported only when it lasts so long, because each report costs a write. */
  readonly dawdleTicks: number;
  readonly reportChangesMax: number;
  /**
   * Least time before a leaving task with an address is stopped, for clients that have just resolved its name. All
   * nodes must also have reported that they send it no new connections.
   */
  readonly drainTicks: number;
  /**
   * The task is stopped after this time, even if a node has not reported. It equals the time for which a node
   * without its agent counts as up, so that a restarting agent or a slow host loses no connections of the task.
   */
  readonly drainTicksMax: number;
  /**
   * The connections of a task that drains are counted again after a quarter of the time that it has waited, within these
   * bounds: a count costs some 5 ms of the processor, and a long wait need not end to the second.
   */
  readonly countTicksMin: number;
  readonly countTicksMax: number;
  /** Time after which a committed report is sent again if the state still does not show it. */
  readonly resendTicks: number;
  /** Time without a leader after which containers that end are restarted in place. */
  readonly leaderlessTicks: number;
}

export const workerLimitsDefault: WorkerLimits = {
  tickMs: 100,
  actionsMax: 4,
  stopsMax: 32,
  pullsMax: 3,
  placesMax: 8,
  countsMax: 2,
  retryTicks: 10,
  askTicksMax: 50,
  dawdleTicks: 20,
  reportChangesMax: 256,
  drainTicks: 10,
  drainTicksMax: 150,
  countTicksMin: 5,
  countTicksMax: 50,
  resendTicks: 20,
  leaderlessTicks: 50,
};
