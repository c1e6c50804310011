/** Policy: the answer of `GET /gam/v1/policy` and of `POST /gam/v1/policy`. */
import { type Check, check } from "@gam/core";

export interface PolicyAnswer {
  /** For each power: the names of services that may have it; "*" stands for any letters. */
  readonly powers: readonly { readonly power: string; readonly services: readonly string[] }[];
  /** Services that run with more than they may have by now. */
  readonly breaches: readonly { readonly service: string; readonly powers: readonly string[] }[];
}

const namesMax = 256;
const servicesMax = 100_000;
const names = check.list(check.string(), namesMax);

/** Errors: BAD_FRAME with the path of what is wrong. */
export const checkPolicy: Check<PolicyAnswer> = check.object({
  powers: check.list(check.object({ power: check.string(), services: names }), namesMax),
  breaches: check.list(check.object({ service: check.string(), powers: names }), servicesMax),
});
