export { replicasOf } from "./changes/autoscale-change.ts";
export { activeRuns, activeRunsMax } from "./changes/cron-change.ts";
export { presentRevision, specOfRevision } from "./changes/revisions.ts";
export { nodesWithoutNextRoot } from "./changes/root-rotation.ts";
export { keysInUse, newestKey, sealedIn, usedKeys } from "./changes/sealing-keys.ts";
export { mayReturn } from "./changes/service-change.ts";
export { takenPort } from "./changes/service-refusal.ts";
export { type HeldEndpoint, staleAttachments } from "./changes/stale-attachments.ts";
export { mergeStatus } from "./changes/task-change.ts";
export { activeBackups, hindranceOf, restoreRefusal } from "./changes/volumes/backup-change.ts";
export { messageLengthMax } from "./checks/field-checks.ts";
export {
  askedMax,
  checkUsage,
  measuredTasksMax,
  type TaskCheck,
  type TaskToMeasure,
  type TaskUsage,
  type Usage,
} from "./checks/usage.ts";
export {
  currentContents,
  neededVersions,
} from "./derived/content-need.ts";
export { crashesWith, crashReasonMax, restartNote } from "./derived/crash-loop.ts";
export {
  circleFrom,
  dependenciesOf,
  dependencyCircle,
  serviceMeant,
  stackLabel,
  type Trust,
  updateWaitsFor,
  waitsFor,
} from "./derived/dependencies.ts";
export {
  Budget,
  checkTemplate,
  expandPayload,
  expandTemplate,
  payloadProblem,
  withoutQuotes,
} from "./derived/expand-template.ts";
export { failedOn } from "./derived/failed-on.ts";
export { httpCertificate, isProxy, proxySecrets } from "./derived/http/http-need.ts";
export { ingressOf, isAttached, networkNeed, serviceNetworks } from "./derived/network-need.ts";
export {
  bridgeName,
  engineNetworkName,
  mayTunnel,
  mtuOf,
  type NetworkPlan,
  planNetwork,
  tunnelBytes,
} from "./derived/network-plan.ts";
export { notUp } from "./derived/not-up.ts";
export {
  mainOf,
  partsOf,
  podConflict,
  podMates,
  replicasWanted,
  waitsForInit,
  whyNoPod,
} from "./derived/pods/pods.ts";
export { deniedPowers, policyProblem, powersOf } from "./derived/policy-problem.ts";
export { heldPorts, hostPorts, ingressPorts, needsIngress } from "./derived/ports.ts";
export {
  bodyBytesMax,
  type HttpAnswer,
  type Reading,
  readNumber,
  readStatus,
} from "./derived/probes/http-answer.ts";
export { type AskName, type ServiceAsk, serviceAsks } from "./derived/probes/service-asks.ts";
export { asksOf, type TaskAsk } from "./derived/probes/task-asks.ts";
export { restartDelayMs } from "./derived/restart-policy.ts";
export { openRollout } from "./derived/rollout/open-rollout.ts";
export { trafficShares } from "./derived/rollout/traffic-shares.ts";
export { templateContext } from "./derived/template-context.ts";
export { drainMsOf } from "./derived/traffic/drain.ts";
export { UpToDate } from "./derived/up-to-date.ts";
export { servicesByName, servicesOf } from "./derived/volumes/backup-service.ts";
export {
  bindingVolumes,
  homesFor,
  homesWith,
  isBarred,
  mustYield,
  volumeUser,
} from "./derived/volumes/volume-need.ts";
export { imageNames, pinnedDigest } from "./images/image-names.ts";
export {
  type HeldImage,
  heldIds,
  heldImages,
  type PinFacts,
  pinnedImage,
} from "./images/image-pin.ts";
export { unusedImages } from "./images/unused-images.ts";
export {
  type AutoscaleMetric,
  type AutoscaleTarget,
  type AutoscaleWish,
  amountOf,
  autoscaleOf,
  showAmount,
  showTarget,
  type TaskLoad,
} from "./labels/autoscale-labels.ts";
export {
  type BackupHooks,
  type BackupSchedule,
  backupHooks,
  backupSchedule,
  backupsKept,
  backupTarget,
} from "./labels/backup-labels.ts";
export { containerOptions, gpuKind } from "./labels/container-labels.ts";
export {
  type CronRules,
  cronRules,
  isJob,
  isSuspended,
  restartPolicyOf,
} from "./labels/cron-labels.ts";
export { type HttpAccount, type HttpWish, httpPort, httpWish } from "./labels/http-labels.ts";
export { readLabel } from "./labels/label-rule.ts";
export { type DependencyCondition, dependsOnLabel } from "./labels/order-labels.ts";
export {
  affinityByLabel,
  affinityLabel,
  antiAffinityByLabel,
  antiAffinityLabel,
  type PlacementTerm,
  strategyLabel,
} from "./labels/placement-labels.ts";
export {
  isGuest,
  isInit,
  mainName,
  podLabel,
  podRestartLabel,
  podRoleLabel,
} from "./labels/pod-labels.ts";
export type { RolloutChecks } from "./labels/rollout-checks.ts";

export {
  type RolloutStep,
  type RolloutWish,
  rolloutOf,
  rolloutTasks,
} from "./labels/rollout-labels.ts";
export { zoneProblem } from "./labels/service-labels.ts";
export { drainLabel, ingressLabel, stickyLabel } from "./labels/steering-labels.ts";
export type {
  AskedChange,
  BackupStart,
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
  TableName,
} from "./log/change.ts";
export { isPlanned, refusalCodes } from "./log/change.ts";
export {
  type Dialect,
  dialectOfProposal,
  firstDialect,
  refusalOfDialect,
  spokenDialect,
} from "./log/dialect.ts";
export type { Event, View } from "./log/view.ts";
export { isInside, isRange } from "./objects/addresses/cidr.ts";
export { macOf } from "./objects/addresses/mac.ts";
export {
  type AutoscaleAdvice,
  type AutoscaleDecision,
  adviceMax,
} from "./objects/autoscale.ts";
export {
  type Cluster,
  type ClusterSpec,
  clusterSpecDefault,
  dataPathDefault,
  type JoinToken,
  type SealedForRoots,
  type SealingKey,
} from "./objects/cluster.ts";
export type { Config } from "./objects/config.ts";
export { type Constraint, meetsConstraints, readConstraints } from "./objects/constraint.ts";
export type {
  ContentId,
  ContentVersions,
  Sealed,
} from "./objects/content.ts";
export { engineTooOld } from "./objects/engine-need.ts";
export {
  claimResources,
  kindAndCount,
  parseGenericResources,
  resourceEnv,
  withResources,
} from "./objects/generic-resource.ts";
export type { Happening } from "./objects/happening.ts";
export { hostOf } from "./objects/host-of.ts";
export {
  acmeAccountName,
  acmeLabel,
  acmeSettingsName,
  httpConfigFile,
  httpFolder,
  httpProxyName,
} from "./objects/http-proxy.ts";
export { label } from "./objects/label.ts";
export type { Labels } from "./objects/meta.ts";
export type { Attachment, Network } from "./objects/network.ts";
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
} from "./objects/node.ts";
export { isDescribed, tunnelRange } from "./objects/node.ts";
export { matchesPlatform } from "./objects/platform.ts";
export { allowed, type Policy, type Power, patternForm, powers } from "./objects/policy.ts";
export {
  noRebalance,
  type OpenMove,
  type PastMove,
  pastMovesMax,
  type RebalanceMemory,
  type RebalanceMove,
} from "./objects/rebalance.ts";
export {
  failedMax,
  type Rollout,
  type RolloutPause,
  rolloutActions,
} from "./objects/rollouts/rollout.ts";
export type { Secret } from "./objects/secret.ts";
export type {
  ContainerSpec,
  CronMiss,
  CronRun,
  Endpoint,
  EndpointSpec,
  FileTarget,
  Healthcheck,
  LogDriver,
  Mount,
  NetworkTarget,
  Placement,
  PortConfig,
  Privileges,
  Resources,
  RestartPolicy,
  Service,
  ServiceMode,
  ServiceSpec,
  TaskSpec,
  UpdateConfig,
  UpdateStatus,
} from "./objects/service.ts";
export {
  type ContainerStatus,
  type Crashes,
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
  type TaskFailures,
  type TaskState,
  type TaskStatus,
  taskStates,
} from "./objects/task.ts";
export {
  type Backup,
  type BackupEnd,
  type BackupPlace,
  backupFile,
  backupFileForm,
  readBackupPlace,
  type VolumeRestore,
} from "./objects/volumes/backup.ts";
export {
  type VolumeHome,
  type VolumeLeftover,
  type VolumeMove,
  type VolumeRecord,
  volumeNameForm,
} from "./objects/volumes/volume.ts";
export { certificateLifeMs, readClusterSpec } from "./specs/cluster-spec.ts";
export {
  insistOnData,
  type ReadConfig,
  type ReadSecret,
  readConfigSpec,
  readSecretSpec,
} from "./specs/content-spec.ts";
export { type DataPath, readDataPath } from "./specs/data-path.ts";
export { seccompProfile } from "./specs/field-rules.ts";
export { isImageReference } from "./specs/image-reference.ts";
export { goFields } from "./specs/json-shape.ts";
export {
  demandsEncryption,
  newIngressNetwork,
  predefinedNetworks,
  readNetworkKind,
  readNetworkSpec,
} from "./specs/network-spec.ts";
export { readNodeSpec } from "./specs/node-spec.ts";
export { readServiceSpec, withDefaults } from "./specs/service-spec.ts";
export { nameProblem } from "./specs/swarm-name.ts";
export { readInitRequest, readJoinRequest, readUnlockRequest } from "./specs/swarm-request.ts";
export {
  checkChange,
  checkEnvelope,
  checkProposal,
  type Envelope,
  insistOnDialect,
  readEnvelope,
  readProposal,
} from "./store/check-proposal.ts";
export { type Dump, readDump, readRows } from "./store/dump.ts";
export { insistOnSchema } from "./store/dump-schema.ts";
export { guarded, noGuard, type PlanGuard } from "./store/plan-guard.ts";
export { type Applied, Store } from "./store/store.ts";
