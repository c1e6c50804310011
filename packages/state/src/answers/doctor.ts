/** Doctor: the answer of `GET /gam/v1/doctor`: what was examined, what is wrong, and what to do first. */
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

/** One thing that is wrong, with everything that follows from it. */
export interface DoctorFinding {
  readonly topic: string;
  /** A whole sentence, with the hosts. */
  readonly cause: string;
  readonly remedy: string;
  /** What is wrong because of it, and needs no remedy of its own. */
  readonly follows: readonly string[];
  /** Names of the hosts that it is about. */
  readonly hosts: readonly string[];
  /** What "gam doctor --fix" does about it; "" where only a person should. */
  readonly fix: string;
}

export interface DoctorReport {
  /** No check failed. */
  readonly healthy: boolean;
  /** The most urgent first. */
  readonly findings: readonly DoctorFinding[];
  readonly checks: readonly DoctorCheck[];
}

/** What `POST /gam/v1/doctor/fix` did about one finding. */
export interface DoctorFix {
  readonly host: string;
  /** As DoctorFinding. */
  readonly fix: string;
  /** What was done; "" where it failed. */
  readonly done: string;
  /** Why it failed; "" where it did not. */
  readonly failure: string;
}

/** Large, because each pair of hosts has a check of its own. */
const checksMax = 1_000_000;
const hostsMax = 10_000;
const sentence = check.string(65_536);

/** Errors: BAD_FRAME with the path of what is wrong. */
export const checkDoctorReport: Check<DoctorReport> = check.object({
  healthy: check.boolean,
  findings: check.list(
    check.object({
      topic: check.string(),
      cause: sentence,
      remedy: sentence,
      follows: check.list(sentence, checksMax),
      hosts: check.list(check.string(), hostsMax),
      fix: sentence,
    }),
    checksMax,
  ),
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

/** Errors: BAD_FRAME with the path of what is wrong. */
export const checkDoctorFixes: Check<readonly DoctorFix[]> = check.list(
  check.object({ host: check.string(), fix: sentence, done: sentence, failure: sentence }),
  hostsMax,
);
