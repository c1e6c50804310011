/**
 * Salvage: what a peer starts from when its journal is spoilt, so that it can be asked what is left.
 *
 * Such a peer has forgotten promises that it made, so it must not take part: it votes for nobody, acknowledges
 * nothing, gives its engine no orders and writes nothing. It hears who is there, and may go on alone where
 * `gam recover` may be done, or drop what it has for a later life of the cluster.
 */
import { GamError, type NodeId } from "@gam/core";
import type { Recovered } from "../journal/journal.ts";
import { journalRemedy } from "../journal/record.ts";
import { recoverLog } from "./recover.ts";

/**
 * The same journal, with the state that it amounts to, in which nobody votes.
 *
 * Errors: CORRUPT_FILE when nothing in it can be used.
 */
export function salvaged(recovered: Recovered, self: NodeId): Recovered {
  const recovery = recoverLog(recovered.journal.log(), self);
  if (recovery === undefined) {
    throw new GamError(
      "CORRUPT_FILE",
      `Cannot salvage the journal: no state of the cluster is whole in it. ${journalRemedy}`,
    );
  }
  const configuration = { voters: [], votersOutgoing: [], learners: [], standbys: [] };
  const { hardState } = recovered.restored;
  const snapshot = { ...recovery.snapshot, configuration };
  return { ...recovered, restored: { hardState, snapshot, entries: [] } };
}
