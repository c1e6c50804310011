export type { ClusterDoor, InitRequest, JoinRequest } from "./door.ts";
export {
  checkExamination,
  type DoctorDoor,
  type DoctorFacts,
  type Examination,
  type Examined,
} from "./gam-doctor.ts";
export { ApiServer } from "./server.ts";
