import { type Checked, check } from "@gam/core";

const checksMax = 1_000_000;

/** What the command line reads of `GET /gam/v1/doctor`. */
export const checkReport = check.object({
  healthy: check.boolean,
  checks: check.list(
    check.object({
      topic: check.string(),
      subject: check.string(),
      result: check.literal("passed", "failed", "unknown"),
      found: check.string(),
      remedy: check.string(),
    }),
    checksMax,
  ),
});

export type DoctorReport = Checked<typeof checkReport>;
export type DoctorCheck = DoctorReport["checks"][number];
