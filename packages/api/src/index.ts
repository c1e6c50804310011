export type { ClusterDoor, InitRequest, SwarmJoinRequest } from "./door/door.ts";
export {
  checkExamination,
  type DoctorDoor,
  type DoctorFacts,
  type Examination,
  type Examined,
} from "./door/gam-doctor.ts";
export { ContainerServer } from "./hosts/container-server.ts";
export { ApiServer } from "./server.ts";
