/** Check of a task: its changes and the whole object. */
import {
  type Check,
  check,
  type NetworkId,
  type NodeId,
  type ServiceId,
  type TaskId,
} from "@gam/core";
import { crashReasonMax } from "../derived/crash-loop.ts";
import { failedOnMax } from "../derived/failed-on.ts";
import type { NewTask } from "../log/change.ts";
import type { ChangeFields } from "../log/table-rule.ts";
import { type Task, type TaskAttachment, type TaskStatus, taskStates } from "../objects/task.ts";
import { checkEndpointSpec, checkPorts } from "./check-endpoint.ts";
import { genericResources } from "./check-node.ts";
import { anything, keeping, shortText } from "./check-parts.ts";
import { checkTaskSpec } from "./check-spec.ts";
import {
  aCount,
  aMessage,
  aMoment,
  aName,
  anAddress,
  anId,
  anIndex,
  aText,
  aTime,
  contentVersions,
  labels,
  orEmpty,
} from "./field-checks.ts";

const { boolean, id, integer, list, literal, optional, struct, where } = check;

const attachmentsMax = 256;
/** Linux has exit codes from 0 to 255, other systems have more. */
const exitCodeMax = 2 ** 32;

const checkTaskStatus = struct({
  Timestamp: aTime,
  State: literal(...taskStates),
  Message: optional(aMessage),
  Err: optional(aMessage),
  ContainerStatus: optional(
    struct({
      ContainerID: optional(aText),
      PID: optional(integer(0, 2 ** 32)),
      ExitCode: optional(integer(-exitCodeMax, exitCodeMax)),
    }),
  ),
  PortStatus: optional(struct({ Ports: optional(checkPorts) })),
}) as Check<TaskStatus>;

/** The status of a task that is not assigned, written by the leader. */
const checkWaitingStatus = where(
  checkTaskStatus,
  ({ State }) => State === "new" || State === "allocated" || State === "pending",
  "a state of a task without a node",
);

const checkDesired = literal("ready", "running", "complete", "shutdown", "remove");

const checkTaskAttachments = where(
  list(struct({ network: id<NetworkId>(), address: anAddress }), attachmentsMax),
  (all) => new Set(all.map(({ network }) => network)).size === all.length,
  "one address in each network",
) as Check<TaskAttachment[]>;

const parts = {
  ID: id<TaskId>(),
  Labels: labels,
  Spec: checkTaskSpec,
  ServiceID: id<ServiceId>(),
  Slot: optional(aCount),
  NodeID: optional(id<NodeId>()),
  Status: checkTaskStatus,
  DesiredState: checkDesired,
  GenericResources: optional(genericResources),
  JobIteration: optional(struct({ Index: optional(anIndex) })),
  Gam: struct({
    templateVersion: anIndex,
    endpoint: checkEndpointSpec,
    serviceName: aName,
    serviceLabels: labels,
    credentials: boolean,
    startAfterMs: aMoment,
    after: orEmpty(anId),
    moves: optional(id<TaskId>()),
    pod: optional(id<TaskId>()),
    restart: boolean,
    failedOn: optional(
      list(struct({ node: id<NodeId>(), weight: aCount, atMs: aMoment }), failedOnMax),
    ),
    crashes: optional(struct({ count: aCount, reason: check.string(crashReasonMax) })),
    startedAtMs: optional(aMoment),
    contents: contentVersions,
    attachments: checkTaskAttachments,
  }),
};

const checkNewTask = struct(parts) as Check<NewTask>;

export const checkTask = struct({
  ...parts,
  Version: struct({ Index: anIndex }),
  CreatedAt: aTime,
  UpdatedAt: aTime,
}) as Check<Task>;

export const taskParts = keeping({
  ID: shortText,
  ServiceID: shortText,
  Spec: keeping({ ContainerSpec: keeping({ Image: check.string() }) }),
  Status: keeping({ State: shortText }),
  DesiredState: shortText,
  Gam: keeping({
    endpoint: anything,
    contents: contentVersions,
    attachments: list(anything, 4096),
  }),
});

export const taskFields: ChangeFields<"task"> = {
  createTask: { task: checkNewTask },
  assignTask: {
    id: id<TaskId>(),
    node: id<NodeId>(),
    status: where(checkTaskStatus, ({ State }) => State === "assigned", "state assigned"),
    generic: optional(genericResources),
  },
  attachTask: { id: id<TaskId>(), attachments: checkTaskAttachments },
  explainTask: { id: id<TaskId>(), status: checkWaitingStatus },
  desireTask: { id: id<TaskId>(), desired: checkDesired },
  reportTask: { id: id<TaskId>(), status: checkTaskStatus },
  orphanTask: {
    id: id<TaskId>(),
    status: where(checkTaskStatus, ({ State }) => State === "orphaned", "state orphaned"),
  },
  removeTask: { id: id<TaskId>() },
};
