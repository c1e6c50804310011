/**
 * Audit clock: how long after a change in the kernel the data plane is audited.
 *
 * Decides the delay. Does not measure time, keep timers or audit: the caller passes the time in, and starts the
 * audit.
 *
 *   const delayMs = clock.heard({ nowMs, busy });   // after each change of the kernel that gam's devices saw
 *   clock.begun();                                  // when an audit starts, for any reason
 *   clock.touched(nowMs);                           // after gam itself changed something
 *   clock.took(ms);                                 // after an audit
 *
 * The kernel reports gam's own changes as well. An audit after each of them would cost more than it finds, so
 * these audits are delayed until audits take at most `auditShare` of the time. A change by somebody else is
 * audited after `promptMs`. At most one audit is due at a time; a prompt audit replaces a delayed one.
 */

/** Changes come in groups: one audit for all within this time. */
const promptMs = 100;
/** After gam's own changes, audits take at most this share of the time. */
const auditShare = 0.05;
const delayedMsMin = 500;
/** A change by somebody else that coincides with one of gam's is found after this time at the latest. */
const delayedMsMax = 2_000;

export interface KernelChange {
  /** Of any clock that never goes back; touched() takes the same. */
  readonly nowMs: number;
  /** Whether gam is changing something at this moment. */
  readonly busy: boolean;
}

export class AuditClock {
  #due: "prompt" | "delayed" | undefined;
  #touchedMs = Number.NEGATIVE_INFINITY;
  #auditMs = 0;

  /** Returns: milliseconds until the audit, which replaces any due one; `undefined`: keep the one that is due. */
  heard({ nowMs, busy }: KernelChange): number | undefined {
    const recent = nowMs - this.#touchedMs < promptMs;
    const kind = busy || recent ? "delayed" : "prompt";
    if (this.#due === "prompt" || this.#due === kind) return undefined;
    this.#due = kind;
    if (kind === "prompt") return promptMs;
    return Math.min(delayedMsMax, Math.max(delayedMsMin, this.#auditMs / auditShare));
  }

  /** No audit is due any more. */
  begun(): void {
    this.#due = undefined;
  }

  touched(nowMs: number): void {
    this.#touchedMs = nowMs;
  }

  took(auditMs: number): void {
    this.#auditMs = auditMs;
  }
}
