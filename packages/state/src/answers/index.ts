/**
 * Answers: the JSON answers of gam's own calls (/gam/v1), shared by the agent and the gam command.
 *
 * An entry point of its own, so that the gam command does not load the checks of the whole state.
 */
export {
  type AutoscaledService,
  type AutoscaleReport,
  checkAutoscaleReport,
} from "./autoscale.ts";
export {
  type BackupList,
  type BackupManifest,
  type BackupRow,
  type BackupScheduleRow,
  checkBackupList,
  checkBackupManifest,
  checkRestorePlan,
  manifestFile,
  type RestorePlan,
} from "./backups.ts";
export {
  checkDoctorFixes,
  checkDoctorReport,
  type DoctorCheck,
  type DoctorFinding,
  type DoctorFix,
  type DoctorReport,
} from "./doctor.ts";
export { fieldChanges, shownSpec } from "./field-changes.ts";
export {
  checkServiceDifference,
  checkServiceHistory,
  type ServiceDifference,
  type ServiceHistory,
} from "./history.ts";
export {
  acmeSettingsName,
  checkHttpReport,
  type HttpReport,
  type HttpSiteReport,
  httpProxyName,
  httpProxySpec,
} from "./http.ts";
export {
  checkImageList,
  checkImagePrune,
  checkImagePush,
  checkPruneRow,
  type ImageList,
  type ImagePush,
  type PruneRow,
  type PushRow,
} from "./images.ts";
export {
  checkJobHistory,
  checkJobs,
  type JobHistory,
  type JobRun,
  type JobSummary,
} from "./jobs.ts";
export {
  checkPlanReport,
  type PlanField,
  type PlanObject,
  type PlanReport,
  type PlanTask,
  type PlanTasks,
} from "./plan.ts";
export { checkPolicy, type PolicyAnswer } from "./policy.ts";
export { checkRebalanceReport, type RebalanceReport, type ShownMove } from "./rebalance.ts";
export { checkRecoverReport, type RecoverHost, type RecoverReport } from "./recover.ts";
export {
  checkServiceRollout,
  type ServiceRollout,
  type ShownRollout,
} from "./rollout.ts";
export {
  checkStatus,
  type GamStatus,
  type NodeSummary,
  oldCopyNotice,
  type Pools,
} from "./status.ts";
export { checkJoinTokens, type JoinTokens } from "./tokens.ts";
export {
  aPackageSum,
  checkGivenPackage,
  checkHostGam,
  checkPackage,
  checkUpgradeReport,
  type GamPackage,
  type GivenPackage,
  type HostGam,
  type InstallEnd,
  misfit,
  packageForm,
  type UpgradeHost,
  type UpgradeReport,
} from "./upgrade.ts";
export {
  checkVolumeList,
  type VolumeList,
  type VolumeMoveSummary,
  type VolumeSummary,
} from "./volumes.ts";
export {
  checkWhyReport,
  type WhyAsked,
  type WhyNode,
  type WhyReport,
  type WhyTask,
} from "./why.ts";
