/** Drains: a task that leaves is not stopped while it has open connections, until its time is over. */
import type { TaskId } from "@gam/core";
import { drainMsOf, type Event, isLeaving, type View } from "@gam/state";
import type { SimHost } from "../hosts/host.ts";
import { Breach } from "./breach.ts";

/** A drain may end so much early: the worker counts in ticks. */
const tickMs = 100;

export class Drains {
  /** When the first peer knew that the task leaves. */
  readonly #leftMs = new Map<TaskId, number>();

  take({ after }: Extract<Event, { table: "task" }>, nowMs: number): void {
    if (after === undefined || !isLeaving(after) || this.#leftMs.has(after.ID)) return;
    this.#leftMs.set(after.ID, nowMs);
  }

  /** Checks that the host may stop the container of the task now. */
  stops(host: SimHost, view: View, id: TaskId): void {
    const task = view.task(id);
    const drainMs = task === undefined ? 0 : drainMsOf(view, task);
    const count = host.engine.connections(id);
    if (drainMs === 0 || count === 0) return;
    const passedMs = host.trueMs - (this.#leftMs.get(id) ?? 0);
    if (passedMs >= drainMs - tickMs) return;
    throw new Breach(
      `${host.id} stops task ${id} with ${count} open connections ${passedMs} ms after it left, of ${drainMs}`,
    );
  }
}
