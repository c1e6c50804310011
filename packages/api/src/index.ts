export type { ClusterDoor, InitRequest, JoinRequest, LogsOptions } from "./door.ts";
export type { GamStatus, NodeSummary, PeerRole } from "./gam-status.ts";
