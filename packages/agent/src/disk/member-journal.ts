/**
 * Member journal: where in a data directory the journal of a membership is, and whether there is one.
 */
import { access, rm } from "node:fs/promises";
import { join } from "node:path";

export function journalOf(dataDir: string): string {
  return join(dataDir, "journal");
}

/** Whether the data directory holds a membership, or one that was not removed completely. */
export async function hasJournal(dataDir: string): Promise<boolean> {
  return await access(journalOf(dataDir)).then(
    () => true,
    () => false,
  );
}

/** Errors: those of the disk. */
export async function removeJournal(dataDir: string): Promise<void> {
  await rm(journalOf(dataDir), { recursive: true, force: true });
}
