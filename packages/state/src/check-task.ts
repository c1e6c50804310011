/** Check of a task, and of what is reported of one. */
import {
  type Check,
  check,
  type NetworkId,
  type NodeId,
  type ServiceId,
  type TaskId,
} from "@gam/core";
import type { NewTask } from "./change.ts";
import { checkEndpointSpec, checkPorts } from "./check-endpoint.ts";
import { genericResources } from "./check-node.ts";
import { checkTaskSpec } from "./check-spec.ts";
import {
  aCount,
  aMessage,
  aMoment,
  aName,
  anAddress,
  anId,
  anIndex,
  aRegistryAuth,
  aText,
  aTime,
  labels,
  orEmpty,
} from "./field-checks.ts";
import { type Task, type TaskAttachment, type TaskStatus, taskStates } from "./task.ts";

const { boolean, id, integer, list, literal, optional, struct, where } = check;

const attachmentsMax = 256;
/** Of processes: Linux has 0 to 255, other systems have more. */
const exitCodeMax = 2 ** 32;

export const checkTaskStatus = struct({
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

/** Before it is given to a node, as the leader says it. */
export const checkWaitingStatus = where(
  checkTaskStatus,
  ({ State }) => State === "new" || State === "allocated" || State === "pending",
  "a state of a task without a node",
);

export const checkDesired = literal("ready", "running", "complete", "shutdown", "remove");

export const checkTaskAttachments = where(
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
    registryAuth: aRegistryAuth,
    startAfterMs: aMoment,
    after: orEmpty(anId),
    restart: boolean,
    startedAtMs: optional(aMoment),
    attachments: checkTaskAttachments,
  }),
};

export const checkNewTask = struct(parts) as Check<NewTask>;

export const checkTask = struct({
  ...parts,
  Version: struct({ Index: anIndex }),
  CreatedAt: aTime,
  UpdatedAt: aTime,
}) as Check<Task>;
