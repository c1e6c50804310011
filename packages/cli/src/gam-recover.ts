import { type Checked, check } from "@gam/core";

const hostsMax = 10_000;
const servicesMax = 100_000;
const skippedMax = 10_000;

/** What the command line reads of `GET /gam/v1/recover`. */
export const checkRecoverReport = check.object({
  refusal: check.string(),
  doubts: check.list(check.string(), hostsMax),
  life: check.integer(),
  leaderlessMs: check.integer(),
  lastIndex: check.integer(),
  unconfirmed: check.integer(),
  skipped: check.list(
    check.object({ index: check.integer(), reason: check.string(65_536) }),
    skippedMax,
  ),
  writtenAtMs: check.number(),
  services: check.list(check.string(), servicesMax),
  tasks: check.integer(),
  hosts: check.list(
    check.object({
      id: check.string(),
      hostname: check.string(),
      isSelf: check.boolean,
      votes: check.boolean,
      answers: check.boolean,
      lastIndex: check.optional(check.integer()),
      life: check.optional(check.integer()),
      tasks: check.integer(),
    }),
    hostsMax,
  ),
});

export type RecoverReport = Checked<typeof checkRecoverReport>;
export type RecoverHost = RecoverReport["hosts"][number];
