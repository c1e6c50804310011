export {
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
export {
  type Effect,
  type Input,
  Peer,
  type PeerConfig,
  type PeerFaults,
  type SelfDescription,
  tickMs,
} from "./peer.ts";
export type { Answer } from "./proposals.ts";
export { journalRemedy } from "./record.ts";
