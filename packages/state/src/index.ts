export type {
  AskedChange,
  Change,
  NewNetwork,
  NewNode,
  NewTask,
  Outcome,
  PlannedChange,
  Proposal,
  Refusal,
  RefusalCode,
  ReportedChange,
  Rows,
  TableName,
} from "./change.ts";
export { isPlanned, refusalCodes } from "./change.ts";
export {
  checkChange,
  checkEnvelope,
  checkProposal,
  type Envelope,
  insistOnDialect,
  readEnvelope,
  readProposal,
} from "./check-proposal.ts";
export {
  type Cluster,
  type ClusterSpec,
  clusterSpecDefault,
  dataPathDefault,
  type JoinToken,
} from "./cluster.ts";
export { readClusterSpec } from "./cluster-spec.ts";
export { type Constraint, meetsConstraints, readConstraints } from "./constraint.ts";
export { type DataPath, readDataPath } from "./data-path.ts";
export {
  type Dialect,
  dialectOfProposal,
  firstDialect,
  refusalOfDialect,
  spokenDialect,
} from "./dialect.ts";
export { type Dump, readDump, readRows } from "./dump.ts";
export { insistOnSchema } from "./dump-schema.ts";
export { checkTemplate, expandTemplate } from "./expand-template.ts";
export { messageLengthMax } from "./field-checks.ts";
export { hostOf } from "./host-of.ts";
export { label } from "./label.ts";
export { macOf } from "./mac.ts";
export type { Labels } from "./meta.ts";
export type { Attachment, Network } from "./network.ts";
export { ingressOf, isAttached, networkNeed, serviceNetworks } from "./network-need.ts";
export {
  bridgeName,
  mayTunnel,
  mtuOf,
  type NetworkPlan,
  planNetwork,
  tunnelBytes,
} from "./network-plan.ts";
export {
  demandsEncryption,
  isClusterNetwork,
  newIngressNetwork,
  predefinedNetworks,
  readNetworkSpec,
} from "./network-spec.ts";
export type {
  Availability,
  EngineHealth,
  GenericResource,
  Node,
  NodeDescription,
  NodeNetwork,
  NodeRole,
  NodeSpec,
  NodeState,
  NodeStatus,
} from "./node.ts";
export { isDescribed, tunnelRange } from "./node.ts";
export { readNodeSpec } from "./node-spec.ts";
export { guarded, noGuard, type PlanGuard } from "./plan-guard.ts";
export { matchesPlatform } from "./platform.ts";
export { heldPorts, hostPorts, ingressPorts } from "./ports.ts";
export { restartDelayMs } from "./restart-policy.ts";
export { nodesWithoutNextRoot } from "./root-rotation.ts";
export type {
  ContainerSpec,
  Endpoint,
  EndpointSpec,
  Healthcheck,
  Mount,
  NetworkTarget,
  Placement,
  PortConfig,
  Resources,
  RestartPolicy,
  Service,
  ServiceMode,
  ServiceSpec,
  TaskSpec,
  UpdateConfig,
  UpdateStatus,
} from "./service.ts";
export { takenPort } from "./service-refusal.ts";
export { readServiceSpec, withDefaults } from "./service-spec.ts";
export { type HeldEndpoint, staleAttachments } from "./stale-attachments.ts";
export { type Applied, Store } from "./store.ts";
export {
  type ContainerStatus,
  compareStates,
  containerName,
  type DesiredState,
  isLeaving,
  isTerminal,
  isWaiting,
  isWanted,
  slotName,
  type Task,
  type TaskAttachment,
  type TaskState,
  type TaskStatus,
  taskStates,
} from "./task.ts";
export { mergeStatus } from "./task-change.ts";
export { templateContext } from "./template-context.ts";
export { UpToDate } from "./up-to-date.ts";
export { checkUsage, type Usage } from "./usage.ts";
export type { Event, View } from "./view.ts";
