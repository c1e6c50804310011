export { roleOf, type Sender } from "./access/authority.ts";
export { refusalOfContents } from "./access/content-authority.ts";
export { refusalOfImage } from "./access/image-authority.ts";
export { Rehearsal } from "./explain/rehearsal.ts";
export { explainWhy, type ObjectReference } from "./explain/why.ts";
export type { Effect } from "./io/effect.ts";
export type { Input, SelfDescription } from "./io/input.ts";
export {
  decodeGossip,
  decodeMessage,
  encodeGossip,
  encodeMessage,
  type Message,
} from "./io/message.ts";
export type { PeerFaults } from "./io/peer-config.ts";
export type { ProposalOutcome } from "./io/proposals.ts";
export {
  blankJournal,
  bootstrapJournal,
  type DiskStep,
  isJournalFile,
  Journal,
  type JournalFile,
  type Recovered,
  recoverJournal,
} from "./journal/journal.ts";
export { formOf, journalRemedy } from "./journal/record.ts";
export { openRecords, sealRecord, sealRecords } from "./journal/sealed-records.ts";
export {
  chooseLayers,
  type LayerSource,
  type LayerTransfer,
  openingOrder,
} from "./node/layer-choice.ts";
export { Peer, tickMs } from "./peer.ts";
export {
  checkLogPlace,
  type LogPlace,
  mayRecover,
  type RecoverVerdict,
} from "./recovery/may-recover.ts";
export type { Recovery } from "./recovery/recover.ts";
export { salvaged } from "./recovery/salvage.ts";
