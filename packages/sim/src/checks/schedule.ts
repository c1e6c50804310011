/**
 * Schedule: each due time of a job has one run or is noted as missed, checked at each event of the log.
 *
 * Clocks of hosts differ by less than the three hours after which a schedule begins again. Throws a breach.
 */
import type { ServiceId } from "@gam/core";
import { cronRules, type Event, type Service } from "@gam/state";
import { Breach } from "./breach.ts";

export class Schedule {
  /** Of each service: the newest run, and when it was due. */
  readonly #runs = new Map<ServiceId, { readonly iteration: number; readonly dueMs: number }>();

  take({ before, after }: Extract<Event, { table: "service" }>): void {
    if (after?.Gam.cron === undefined) return;
    const isSame = before?.Version.Index === after.Version.Index;
    // Another spec may have another schedule, whose times are other times.
    if (!isSame) this.#runs.delete(after.ID);
    for (const { iteration, dueMs, by } of after.Gam.cron.runs) {
      const last = this.#runs.get(after.ID);
      if (by !== "schedule" || (last !== undefined && iteration <= last.iteration)) continue;
      if (last !== undefined && dueMs <= last.dueMs) {
        throw new Breach(
          `service ${after.Spec.Name}: run ${iteration} is due when ${last.iteration} was`,
        );
      }
      this.#runs.set(after.ID, { iteration, dueMs });
    }
    if (isSame && before !== undefined) noneForgotten(before, after);
  }
}

/** Checks the due times that became handled. */
function noneForgotten(before: Service, after: Service): void {
  const fromMs = before.Gam.cron?.handledMs;
  const { handledMs: untilMs, runs = [], missed = [] } = after.Gam.cron ?? {};
  const rules = cronRules(after.Spec);
  if (fromMs === undefined || untilMs === undefined || rules === undefined) return;
  for (let dueMs = rules.time.next(fromMs); dueMs !== undefined && dueMs <= untilMs; ) {
    const due = dueMs;
    const isKnown =
      runs.some((run) => run.dueMs === due) ||
      missed.some((miss) => miss.fromMs <= due && due <= miss.untilMs);
    if (!isKnown) {
      const at = new Date(due).toISOString();
      throw new Breach(`service ${after.Spec.Name}: ${at} had no run and is not noted`);
    }
    dueMs = rules.time.next(due);
  }
}
