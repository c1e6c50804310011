/**
 * Prepare disk: makes what a membership needs on disk before any other peer hears of it.
 *
 * A host whose disk turns out to be full after it joined would stay in the list of nodes and never run a task.
 * So the agent begins the journal and reserves the room for the credentials first.
 */
import { mkdir, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { rethrowInvariant } from "@gam/core";
import { type HostCipher, syncDirectory } from "@gam/files";
import { reserveCredentials } from "@gam/mesh";
import { blankJournal, type Recovered } from "@gam/peer";
import { Disk } from "./disk.ts";
import { diskFailed } from "./disk-failed.ts";

/** The size at which a journal is first rewritten. */
const freeBytesMin = 16 * 1024 * 1024;

/**
 * Begins a blank journal in a folder without one, and reserves the room for credentials.
 *
 * Errors: DISK_FAILED, with what the disk said.
 */
export async function prepareDisk(
  dataDir: string,
  journalDir: string,
  cipher: HostCipher,
): Promise<{ readonly disk: Disk; readonly recovered: Recovered }> {
  let disk: Disk | undefined;
  try {
    await mkdir(journalDir, { recursive: true, mode: 0o700 });
    const { bavail, bsize } = await statfs(dataDir);
    if (bavail * bsize < freeBytesMin) {
      throw new Error(
        `${Math.floor((bavail * bsize) / 2 ** 20)} MiB are free, and 16 MiB are needed. Make room`,
      );
    }
    await reserveCredentials(dataDir);
    disk = (await Disk.open(journalDir, cipher)).disk;
    const recovered = blankJournal();
    const step = recovered.journal.take();
    if (step !== undefined) {
      await disk.perform(step);
      recovered.journal.persisted();
    }
    await syncDirectory(dirname(journalDir));
    return { disk, recovered };
  } catch (thrown) {
    await disk?.close();
    rethrowInvariant(thrown);
    throw diskFailed(dataDir, thrown);
  }
}
