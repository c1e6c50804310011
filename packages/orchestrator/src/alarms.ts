/**
 * Alarms: which services need another look at which moment.
 *
 * Saves looks only: the moments follow from the state, and a new leader looks at everything. If the clock goes
 * back, all moments may be wrong, so every service with an alarm is due.
 */
import type { ServiceId } from "@gam/core";

export class Alarms {
  readonly #atMs = new Map<ServiceId, number>();
  #lastMs = 0;

  /** `atMs`: undefined for no alarm. */
  set(id: ServiceId, atMs: number | undefined): void {
    if (atMs === undefined) this.#atMs.delete(id);
    else this.#atMs.set(id, atMs);
  }

  /** Returns: the services that are due at `nowMs`, and forgets their alarms. */
  due(nowMs: number): readonly ServiceId[] {
    if (this.#atMs.size === 0) return [];
    const isBack = nowMs < this.#lastMs;
    this.#lastMs = nowMs;
    const due = [...this.#atMs].filter(([, atMs]) => isBack || atMs <= nowMs).map(([id]) => id);
    for (const id of due) this.#atMs.delete(id);
    return due;
  }
}
