export type { ApiLog } from "./api-log.ts";
export type { ClusterDoor, InitRequest, JoinRequest, LogsOptions } from "./door.ts";
export {
  checkExamination,
  type DoctorDoor,
  type DoctorFacts,
  type DoctorReport,
  type Examination,
  type Examined,
} from "./gam-doctor.ts";
export type { RecoverDoor, RecoverReport } from "./gam-recover.ts";
export type { GamStatus, NodeSummary, PeerRole } from "./gam-status.ts";
export { ApiServer, type ApiServerOptions } from "./server.ts";
export { statusOf } from "./status-of.ts";
