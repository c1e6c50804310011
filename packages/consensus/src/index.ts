export { type Configuration, readConfiguration, writeConfiguration } from "./configuration.ts";
export {
  blank,
  bootstrap,
  type Entry,
  type HardState,
  type Restored,
  type Snapshot,
} from "./durable.ts";
export type { Effect } from "./effect.ts";
export type { Faults } from "./fault.ts";
export { entryBytesMax, raftLimits, snapshotBytesMax, termMax } from "./limits.ts";
export { checkMessage, type Message } from "./message.ts";
export { Raft } from "./raft.ts";
export type { Acceptance } from "./raft-config.ts";
