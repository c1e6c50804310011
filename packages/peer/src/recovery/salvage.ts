/**
 * Salvage: what a peer starts from when its journal is damaged, so that people can ask what is left.
 *
 * Such a peer has lost votes and acknowledgements that it gave, so it must not take part: it does not vote,
 * acknowledge, write or give its engine orders. It does learn which peers are alive. It may continue alone
 * where `gam recover` is allowed, or drop its data for a later life of the cluster.
 */
import { GamError, type NodeId } from "@gam/core";
import type { Recovered } from "../journal/journal.ts";
import { journalRemedy } from "../journal/record.ts";
import { recoverLog } from "./recover.ts";

/**
 * Returns: the same journal with the state that results from it, in a configuration without voters.
 *
 * Errors: CORRUPT_FILE when nothing in it can be used.
 */
export function salvaged(recovered: Recovered, self: NodeId): Recovered {
  const recovery = recoverLog(recovered.journal.log(), self);
  if (recovery === undefined) {
    throw new GamError(
      "CORRUPT_FILE",
      `Cannot salvage the journal: it holds no intact state of the cluster. ${journalRemedy}`,
    );
  }
  const configuration = { voters: [], votersOutgoing: [], learners: [], standbys: [] };
  const { hardState } = recovered.restored;
  const snapshot = { ...recovery.snapshot, configuration };
  return { ...recovered, restored: { hardState, snapshot, entries: [] } };
}
