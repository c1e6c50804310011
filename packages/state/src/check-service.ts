/** Check of a service, and of what gam writes of its update. */
import { type Check, check, type ServiceId } from "@gam/core";
import { checkEndpoint } from "./check-endpoint.ts";
import { checkServiceSpec } from "./check-spec.ts";
import { aMessage, aMoment, anIndex, aRegistryAuth, aTime } from "./field-checks.ts";
import type { Service, UpdateStatus } from "./service.ts";

const { id, list, literal, matching, optional, struct } = check;

/** Places of one service: its slots, or the nodes of the cluster. */
const placesMax = 200_000;

export const checkUpdateStatus = struct({
  State: literal(
    "updating",
    "paused",
    "completed",
    "rollback_started",
    "rollback_paused",
    "rollback_completed",
  ),
  StartedAt: aTime,
  CompletedAt: optional(aTime),
  Message: aMessage,
}) as Check<UpdateStatus>;

/** Slots by their numbers, nodes by their ids. */
export const checkPlaces = list(
  matching(/^(0|[1-9]\d{0,9}|[0-9a-z]{25})$/, "a slot or a node", 25),
  placesMax,
);

export const checkService = struct({
  ID: id<ServiceId>(),
  Version: struct({ Index: anIndex }),
  CreatedAt: aTime,
  UpdatedAt: aTime,
  Spec: checkServiceSpec,
  PreviousSpec: optional(checkServiceSpec),
  Endpoint: checkEndpoint,
  UpdateStatus: optional(checkUpdateStatus),
  JobStatus: optional(
    struct({ JobIteration: struct({ Index: optional(anIndex) }), LastExecution: aTime }),
  ),
  Gam: struct({
    registryAuth: aRegistryAuth,
    registryAuthPrevious: aRegistryAuth,
    templateVersion: anIndex,
    waveAtMs: aMoment,
    updated: checkPlaces,
  }),
}) as Check<Service>;
