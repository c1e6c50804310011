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
