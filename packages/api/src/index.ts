export type { ApiLog } from "./api-log.ts";
export type { ClusterDoor, InitRequest, JoinRequest, LogsOptions } from "./door.ts";
export {
  checkExamination,
  type DoctorDoor,
  type DoctorFacts,
  type Examination,
  type Examined,
} from "./gam-doctor.ts";
export type { RecoverDoor } from "./gam-recover.ts";
export { ApiServer, type ApiServerOptions } from "./server.ts";
export { statusOf } from "./status-of.ts";
