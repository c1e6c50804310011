export type { Effect } from "./effect.ts";
export { type Configuration, readConfiguration, writeConfiguration } from "./log/configuration.ts";
export {
  blank,
  bootstrap,
  type Entry,
  type HardState,
  type Restored,
  type Snapshot,
} from "./log/durable.ts";
export type { RaftFaults } from "./log/fault.ts";
export { entryBytesMax, raftLimits, snapshotBytesMax, termMax } from "./log/limits.ts";
export { checkMessage, type Message } from "./log/message.ts";
export type { Acceptance } from "./log/raft-config.ts";
export { Raft } from "./raft.ts";
