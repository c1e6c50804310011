export {
  checkExamination,
  type DoctorFacts,
  type DoorState,
  type Examination,
  type Examined,
  type HostFacts,
  type Mend,
  mends,
} from "./door/doctor-facts.ts";
export type { ClusterDoor, InitRequest, SwarmJoinRequest, UpgradeDoor } from "./door/door.ts";
export { ContainerServer } from "./hosts/container-server.ts";
export { ApiServer } from "./server.ts";
