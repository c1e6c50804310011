export { roleOf, type Sender } from "./authority.ts";
export type { Effect } from "./effect.ts";
export type { Input, SelfDescription } from "./input.ts";
export {
  blankJournal,
  bootstrapJournal,
  type DiskStep,
  isJournalFile,
  Journal,
  type JournalFile,
  type Recovered,
  recoverJournal,
} from "./journal.ts";
export type { Life } from "./life.ts";
export type { Rival } from "./lives.ts";
export {
  checkLogPlace,
  type LogPlace,
  mayRecover,
  type RecoverVerdict,
} from "./may-recover.ts";
export {
  decodeGossip,
  decodeMessage,
  encodeGossip,
  encodeMessage,
  type Gossip,
  type Message,
} from "./message.ts";
export { Peer, tickMs } from "./peer.ts";
export type { PeerConfig, PeerFaults } from "./peer-config.ts";
export type { Answer } from "./proposals.ts";
export { journalRemedy } from "./record.ts";
export { type Recovery, recoverLog } from "./recover.ts";
export { salvaged } from "./salvage.ts";
