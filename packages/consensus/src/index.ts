export {
  type Configuration,
  checkConfiguration,
  isJoint,
  isVoter,
  membersOf,
  readConfiguration,
  writeConfiguration,
} from "./configuration.ts";
export {
  blank,
  bootstrap,
  type Entry,
  type HardState,
  type Restored,
  type Snapshot,
} from "./durable.ts";
export type { Effect, Role } from "./effect.ts";
export { type Faults, type RaftFault, raftFaults } from "./fault.ts";
export type { Input } from "./input.ts";
export type { PeerProgress, Placement, Refusal } from "./leadership.ts";
export {
  entryBytesMax,
  type RaftLimits,
  raftLimits,
  snapshotBytesMax,
  termMax,
} from "./limits.ts";
export { checkMessage, type Message } from "./message.ts";
export { Raft } from "./raft.ts";
export type { Acceptance, RaftConfig } from "./raft-config.ts";
