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
export { checkLogPlace, type LogPlace, mayRecover, type RecoverVerdict } from "./may-recover.ts";
export {
  decodeGossip,
  decodeMessage,
  encodeGossip,
  encodeMessage,
  type Message,
} from "./message.ts";
export { Peer, tickMs } from "./peer.ts";
export type { PeerFaults } from "./peer-config.ts";
export type { Answer } from "./proposals.ts";
export { journalRemedy } from "./record.ts";
export type { Recovery } from "./recover.ts";
export { salvaged } from "./salvage.ts";
