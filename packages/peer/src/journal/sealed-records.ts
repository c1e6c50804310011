/**
 * Sealed records: the journal's records as they are on a disk, with encrypted payloads.
 *
 * Decides the framing only: the shell brings the cipher. The checksum is over the encrypted payload, so torn tails
 * and damage are found without the key, by the same rules as in a plain file. The cipher gets the file's name and
 * the record's sequence number: a record from another place does not open.
 */
import { GamError, messageOf, rethrowInvariant } from "@gam/core";
import type { JournalFile } from "./journal.ts";
import { partsOf, readRecords, writeRecord } from "./record.ts";

/** Encrypts or decrypts the payload of the record with this sequence number in this file. */
export type Transform = (payload: Uint8Array, file: string, sequence: number) => Uint8Array;

/** Returns: the record for the disk. Shape: `record` is one plain record. */
export function sealRecord(record: Uint8Array, file: string, seal: Transform): Uint8Array {
  const { sequence, payload } = partsOf(record);
  return writeRecord(sequence, seal(payload, file, sequence), "sealed");
}

/**
 * Returns: a plain file with sealed records. Drops a torn tail.
 *
 * Errors: those of readRecords().
 */
export function sealRecords(
  { name, bytes }: JournalFile,
  seal: Transform,
  salvage = false,
): Uint8Array {
  const { payloads } = readRecords(name, bytes, { salvage });
  return Buffer.concat(
    payloads.map((payload, at) => writeRecord(at + 1, seal(payload, name, at + 1), "sealed")),
  );
}

export interface OpenedFile {
  /** As recoverJournal() reads it. */
  readonly plain: JournalFile;
  /** The file on the disk is intact up to here; the rest is a torn tail. */
  readonly endBytes: number;
}

/**
 * Opens a file with sealed records.
 *
 * Errors: those of readRecords(); CORRUPT_FILE, followed by `remedy`, when a record does not open.
 */
export function openRecords(
  { name, bytes }: JournalFile,
  open: Transform,
  { salvage, remedy }: { readonly salvage: boolean; readonly remedy: string },
): OpenedFile {
  const { payloads, endBytes } = readRecords(name, bytes, { salvage, form: "sealed" });
  const plain = payloads.map((payload, at) => {
    try {
      return writeRecord(at + 1, open(payload, name, at + 1));
    } catch (thrown) {
      rethrowInvariant(thrown);
      throw new GamError(
        "CORRUPT_FILE",
        `Cannot decrypt journal "${name}": record ${at + 1} was encrypted with another key (${messageOf(thrown)}). Nothing was changed on this disk. ${remedy}`,
        { cause: thrown },
      );
    }
  });
  return { plain: { name, bytes: Buffer.concat(plain) }, endBytes };
}
