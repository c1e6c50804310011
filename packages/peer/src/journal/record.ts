/**
 * Record: how one write is stored in a journal file, and how a file is read back after a crash.
 *
 *   magic "GAMR" | checksum u32 | sequence u32 | length u32 | payload      (big endian)
 *
 * Decides where a file ends. A crash can tear only the last record, because the next write does not begin
 * before that one is durable. So a broken record with no intact record behind it is a torn tail, and is cut
 * off. A broken record with an intact one behind it was damaged later. It is never cut off: this peer has
 * already acted on what it held, such as votes and acknowledgements.
 *
 * Source: the checksum is CRC-32C over sequence, length and payload.
 */
import { crc32c, GamError } from "@gam/core";

/** "GAMS" instead of "GAMR" marks a record whose payload the shell has encrypted (sealed-records.ts). */
const magics = { plain: 0x47414d52, sealed: 0x47414d53 } as const;
export type RecordForm = keyof typeof magics;
const headerBytes = 16;
/** Encryption may make a payload longer by this much. */
const sealBytesMax = 64;
/** No record is larger: it must hold a snapshot of the whole state. */
export const payloadBytesMax = 512 * 1024 * 1024;

/** Returns: the size in the file of a payload of so many bytes. */
export function recordBytes(payloadBytes: number): number {
  return headerBytes + payloadBytes;
}

export function writeRecord(
  sequence: number,
  payload: Uint8Array,
  form: RecordForm = "plain",
): Uint8Array {
  const record = new Uint8Array(recordBytes(payload.length));
  const header = new DataView(record.buffer);
  header.setUint32(0, magics[form]);
  header.setUint32(8, sequence);
  header.setUint32(12, payload.length);
  record.set(payload, headerBytes);
  header.setUint32(4, crc32c(record.subarray(8)));
  return record;
}

/** Shape: an intact record. Returns: its parts. */
export function partsOf(record: Uint8Array): { sequence: number; payload: Uint8Array } {
  const header = new DataView(record.buffer, record.byteOffset, headerBytes);
  return { sequence: header.getUint32(8), payload: record.subarray(headerBytes) };
}

/** Returns: the form of a file's records, by its first bytes. */
export function formOf(file: Uint8Array): RecordForm {
  if (file.length < headerBytes) return "plain";
  const first = new DataView(file.buffer, file.byteOffset, headerBytes).getUint32(0);
  return first === magics.sealed ? "sealed" : "plain";
}

/**
 * The host must join with a new identity: the old one has voted and acknowledged in ways that only the journal
 * recorded.
 */
export const journalRemedy =
  "Move the whole data directory away, start the agent, " +
  'run "gam join TOKEN" with a token from another peer, which has all the data, ' +
  'and remove the old node there with "docker node rm --force". ' +
  'If no other peer has the data, run "gam agent --salvage on", then "gam recover": they keep what is intact';

export interface Records {
  readonly payloads: readonly Uint8Array[];
  /** The file is intact up to here; the rest is a torn tail. */
  readonly endBytes: number;
  /** Sequence number of the last intact record; 0 when there is none. */
  readonly sequence: number;
}

export interface ReadOptions {
  /** Ignore everything behind a broken record. */
  readonly salvage?: boolean;
  readonly form?: RecordForm;
}

/**
 * Returns: the payloads of the intact records.
 *
 * Errors: CORRUPT_FILE with the file's name, the offset in bytes and what to do; never with `salvage`.
 */
export function readRecords(
  name: string,
  file: Uint8Array,
  { salvage = false, form = "plain" }: ReadOptions = {},
): Records {
  const magic = magics[form];
  const payloads: Uint8Array[] = [];
  let at = 0;
  let sequence = 0;
  for (;;) {
    const length = recordAt(file, at, { magic, wanted: sequence + 1 });
    if (length === undefined) break;
    payloads.push(file.subarray(at + headerBytes, at + headerBytes + length));
    at += headerBytes + length;
    sequence += 1;
  }
  for (let later = at + 1; !salvage && later + headerBytes <= file.length; later += 1) {
    if (file[later] !== 0x47) continue;
    if (recordAt(file, later, { magic, after: sequence }) === undefined) continue;
    throw new GamError(
      "CORRUPT_FILE",
      `Cannot read journal "${name}": the record at offset ${at} is broken, and intact records follow it at offset ${later}. ` +
        `The disk has damaged data that was safely written: check the disk. ${journalRemedy}`,
    );
  }
  return { payloads, endBytes: at, sequence };
}

/** Returns: the payload length of the intact record at this offset; undefined if there is none. */
function recordAt(
  file: Uint8Array,
  at: number,
  { magic, wanted, after = 0 }: { magic: number; wanted?: number; after?: number },
): number | undefined {
  if (at + headerBytes > file.length) return undefined;
  const header = new DataView(file.buffer, file.byteOffset + at, headerBytes);
  if (header.getUint32(0) !== magic) return undefined;
  const sequence = header.getUint32(8);
  if (wanted === undefined ? sequence <= after : sequence !== wanted) return undefined;
  const length = header.getUint32(12);
  const end = at + headerBytes + length;
  if (length > payloadBytesMax + sealBytesMax || end > file.length) return undefined;
  return crc32c(file.subarray(at + 8, end)) === header.getUint32(4) ? length : undefined;
}
