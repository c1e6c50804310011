/** History: the answer of `GET /gam/v1/services/REF/history`: the specs that a service has had. */
import { type Check, check } from "@gam/core";
import { checkFields, type PlanField } from "./plan.ts";

export interface ShownRevision {
  readonly number: number;
  /** When it was written. RFC 3339. */
  readonly at: string;
  readonly image: string;
  /** What was different from the revision before it in the list; empty for the first one. */
  readonly changes: readonly PlanField[];
}

/** Oldest first. The last one is the present spec. */
export interface ServiceHistory {
  readonly id: string;
  readonly name: string;
  readonly revisions: readonly ShownRevision[];
}

const text = check.string(65_536);

/** Errors: BAD_FRAME with the path of what is wrong. */
export const checkServiceHistory: Check<ServiceHistory> = check.object({
  id: text,
  name: text,
  revisions: check.list(
    check.object({ number: check.integer(1), at: text, image: text, changes: checkFields }),
    1000,
  ),
});

export interface ServiceDifference {
  readonly from: number;
  readonly to: number;
  readonly changes: readonly PlanField[];
}

/** Errors: BAD_FRAME with the path of what is wrong. */
export const checkServiceDifference: Check<ServiceDifference> = check.object({
  from: check.integer(1),
  to: check.integer(1),
  changes: checkFields,
});
