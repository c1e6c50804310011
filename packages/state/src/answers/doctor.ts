/** Doctor: the answer of `GET /gam/v1/doctor`: what was examined and what is wrong. */
import { type Check, check } from "@gam/core";

export interface DoctorCheck {
  /** What was examined, such as "clocks". Readers accept any topic: a newer agent may examine more. */
  readonly topic: string;
  /** The host, pair of hosts or network that was examined. */
  readonly subject: string;
  readonly result: "passed" | "failed" | "unknown";
  /** What was wrong; "" when it passed. */
  readonly found: string;
  /** What to do; "" unless it failed. */
  readonly remedy: string;
}

export interface DoctorReport {
  /** No check failed. */
  readonly healthy: boolean;
  readonly checks: readonly DoctorCheck[];
}

/** Large, because each pair of hosts has a check of its own. */
const checksMax = 1_000_000;
const sentence = check.string(65_536);

/** Errors: BAD_FRAME with the path of what is wrong. */
export const checkDoctorReport: Check<DoctorReport> = check.object({
  healthy: check.boolean,
  checks: check.list(
    check.object({
      topic: check.string(),
      subject: check.string(),
      result: check.literal("passed", "failed", "unknown"),
      found: sentence,
      remedy: sentence,
    }),
    checksMax,
  ),
});
