/** Check of a service: its changes and the whole object. */
import { type Check, check, type ServiceId, type TaskId } from "@gam/core";
import type { ChangeFields } from "../log/table-rule.ts";
import { adviceMax, decisionsMax } from "../objects/autoscale.ts";
import { failedMax, type Rollout, rolloutActions } from "../objects/rollouts/rollout.ts";
import type { CronEnd, CronMiss, CronState, Service, UpdateStatus } from "../objects/service.ts";
import { checkCredentials } from "./check-content.ts";
import { checkEndpoint } from "./check-endpoint.ts";
import { anything, keeping, shortText, someList } from "./check-parts.ts";
import { checkServiceSpec } from "./check-spec.ts";
import {
  aCount,
  aMessage,
  aMoment,
  anId,
  anIndex,
  aText,
  aTime,
  contentVersions,
} from "./field-checks.ts";

const { boolean, id, list, literal, matching, optional, struct } = check;

/** Maximum of places of one service: its slots, or the nodes of the cluster. */
const placesMax = 200_000;

const checkUpdateStatus = struct({
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

/** Slots by number, nodes by id. */
const checkPlaces = list(
  matching(/^(0|[1-9]\d{0,9}|[0-9a-z]{25})$/, "a slot or a node", 25),
  placesMax,
);

const checkAdvice = struct({
  now: aCount,
  before: list(struct({ replicas: aCount, untilMs: aMoment }), adviceMax),
});

const checkAutoscale = struct({
  asked: aCount,
  decisions: list(struct({ atMs: aMoment, from: aCount, to: aCount, reason: aText }), decisionsMax),
  advice: optional(checkAdvice),
});

/** Runs, or notes of missed ones, that a service may have. */
const cronListMax = 1000;
/** Notes of missed runs in one change. */
const missesMax = 16;

export const checkMiss = struct({
  fromMs: aMoment,
  untilMs: aMoment,
  count: anIndex,
  reason: aMessage,
}) as Check<CronMiss>;

const checkEnd = struct({
  result: literal("complete", "failed", "replaced"),
  atMs: aMoment,
  reason: aMessage,
}) as Check<CronEnd>;

const checkCron = struct({
  handledMs: optional(aMoment),
  wasSuspended: optional(boolean),
  runs: list(
    struct({
      iteration: anIndex,
      dueMs: aMoment,
      startedMs: aMoment,
      by: literal("schedule", "hand"),
      end: optional(checkEnd),
    }),
    cronListMax,
  ),
  missed: list(checkMiss, cronListMax),
}) as Check<CronState>;

const checkRollout = struct({
  serial: anIndex,
  strategy: literal("canary", "bluegreen"),
  version: anIndex,
  base: anIndex,
  weight: check.integer(0, 100),
  step: aCount,
  phase: literal("starting", "watching", "passed"),
  sinceMs: aMoment,
  failed: list(id<TaskId>(), failedMax),
  paused: optional(struct({ atMs: aMoment, by: literal("person", "step", "failure") })),
  end: optional(
    struct({ result: literal("completed", "rolled back"), atMs: aMoment, reason: aMessage }),
  ),
}) as Check<Rollout>;

/** Specs before the present one that a service keeps. */
export const revisionsMax = 10;
const revisionFields = { number: check.integer(1), at: aTime };

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
    registryAuth: optional(checkCredentials),
    registryAuthPrevious: optional(checkCredentials),
    earlier: contentVersions,
    templateVersion: anIndex,
    waveAtMs: aMoment,
    updated: checkPlaces,
    revision: optional(struct(revisionFields)),
    revisions: optional(list(struct({ ...revisionFields, spec: checkServiceSpec }), revisionsMax)),
    autoscale: optional(checkAutoscale),
    cron: optional(checkCron),
    rollout: optional(checkRollout),
  }),
}) as Check<Service>;

export const serviceParts = keeping({
  ID: shortText,
  Spec: keeping({
    Name: shortText,
    TaskTemplate: keeping({ ContainerSpec: keeping({ Image: check.string() }) }),
    Mode: anything,
  }),
  Endpoint: anything,
  Gam: keeping({ updated: someList, earlier: contentVersions }),
});

export const serviceFields: ChangeFields<"service"> = {
  createService: {
    id: id<ServiceId>(),
    spec: checkServiceSpec,
    registryAuth: optional(checkCredentials),
  },
  updateService: {
    id: id<ServiceId>(),
    spec: (value, path) => (value === "previous" ? value : checkServiceSpec(value, path)),
    registryAuth: optional(checkCredentials),
    registryAuthFrom: optional(literal("spec", "previous-spec")),
    basedOn: anIndex,
  },
  removeService: { id: id<ServiceId>() },
  runJob: { id: id<ServiceId>() },
  steerRollout: { id: id<ServiceId>(), version: anIndex, action: literal(...rolloutActions) },
  handleDue: {
    id: id<ServiceId>(),
    basedOn: anIndex,
    sinceMs: optional(aMoment),
    handledMs: aMoment,
    missed: list(checkMiss, missesMax),
    startMs: optional(aMoment),
  },
  endRun: { id: id<ServiceId>(), iteration: anIndex, end: checkEnd },
  progressUpdate: {
    id: id<ServiceId>(),
    basedOn: anIndex,
    status: optional(checkUpdateStatus),
    waveAtMs: aMoment,
    updated: checkPlaces,
  },
  rollbackService: { id: id<ServiceId>(), basedOn: anIndex, message: aMessage },
  progressRollout: {
    id: id<ServiceId>(),
    basedOn: anIndex,
    rollout: checkRollout,
    status: checkUpdateStatus,
    updated: checkPlaces,
  },
  scaleService: {
    id: id<ServiceId>(),
    basedOn: anIndex,
    from: aCount,
    to: aCount,
    reason: aText,
    advice: checkAdvice,
  },
  resealCredentials: {
    id: id<ServiceId>(),
    which: literal("spec", "previous-spec"),
    from: anId,
    to: checkCredentials,
    basedOn: anIndex,
  },
  setEndpoint: { id: id<ServiceId>(), endpoint: checkEndpoint },
};
