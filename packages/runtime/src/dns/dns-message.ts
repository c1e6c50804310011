/**
 * DNS message: finds the parts of a message, byte by byte.
 *
 * Reads what is needed to answer a query from the plan, or to forward it and cache the answer: one question, EDNS,
 * and where each record begins and ends. Everything else stays as bytes, because decoding and encoding a message
 * would lose what the decoder does not know.
 * Never throws: anybody may have sent the bytes. Decides no answer (name-answer.ts).
 *
 * Source: RFC 1035 section 4.1, RFC 6891 (EDNS), RFC 4343 (case).
 */

export const headerBytes = 12;
/** Limit for the name alone. Source: RFC 1035, section 2.3.4. */
const nameBytesMax = 255;
const labelBytesMax = 63;

export const flag = {
  response: 0x8000,
  authoritative: 0x0400,
  truncated: 0x0200,
  recursionDesired: 0x0100,
  recursionAvailable: 0x0080,
  authentic: 0x0020,
  checkingDisabled: 0x0010,
} as const;

export const rcode = {
  noError: 0,
  malformed: 1,
  serverFailed: 2,
  noSuchName: 3,
  notImplemented: 4,
  refused: 5,
  /** An EDNS code; its upper bits go into the OPT record. */
  badVersion: 16,
} as const;

export const type = { a: 1, soa: 6, ptr: 12, aaaa: 28, opt: 41, ixfr: 251, axfr: 252 } as const;
export const internetClass = 1;

export interface Edns {
  /** The largest UDP answer that the sender says it accepts. */
  readonly sizeBytes: number;
  readonly version: number;
  readonly wantsDnssec: boolean;
}

/** One question, and what its answer must repeat. */
export interface DnsQuery {
  readonly id: number;
  readonly flags: number;
  /** Lower case without a final dot; "" is the root. A dot inside a label is written `\.`. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
  /** Name, type and class as they came: the answer repeats them in the same case. */
  readonly question: Buffer;
  readonly edns: Edns | undefined;
}

/** A message that gets only an error as its answer. */
export interface BadQuery {
  readonly id: number;
  readonly flags: number;
  readonly rcode: number;
}

export interface RecordPlace {
  readonly section: "answer" | "authority" | "additional";
  readonly type: number;
  readonly class: number;
  readonly start: number;
  readonly ttlAt: number;
  readonly dataAt: number;
  readonly end: number;
}

/** Returns: undefined for a message that gets no answer: it has no header, or is an answer itself. */
export function readQuery(message: Buffer): DnsQuery | BadQuery | undefined {
  if (message.length < headerBytes) return undefined;
  const id = message.readUInt16BE(0);
  const flags = message.readUInt16BE(2);
  if ((flags & flag.response) !== 0) return undefined;
  if (((flags >> 11) & 15) !== 0) return { id, flags, rcode: rcode.notImplemented };
  const bad = { id, flags, rcode: rcode.malformed };
  const end = questionEnd(message);
  if (end === undefined) return bad;
  const records = readRecords(message, end);
  if (records === undefined) return bad;
  const opts = records.filter((record) => record.type === type.opt);
  if (opts.length > 1) return bad;
  const question = message.subarray(headerBytes, end);
  return {
    id,
    flags,
    name: nameOf(question),
    type: message.readUInt16BE(end - 4),
    class: message.readUInt16BE(end - 2),
    question,
    edns: opts[0] === undefined ? undefined : readEdns(message, opts[0]),
  };
}

/** The offset where the question ends. Returns: undefined unless there is exactly one, without a pointer. */
export function questionEnd(message: Buffer): number | undefined {
  if (message.length < headerBytes || message.readUInt16BE(4) !== 1) return undefined;
  let at = headerBytes;
  for (;;) {
    const length = message[at];
    if (length === undefined || length > labelBytesMax) return undefined;
    at += 1 + length;
    if (at - headerBytes > nameBytesMax) return undefined;
    if (length === 0) break;
  }
  return at + 4 <= message.length ? at + 4 : undefined;
}

/** All records after the question. Returns: undefined when one of them is cut short. */
export function readRecords(message: Buffer, from: number): RecordPlace[] | undefined {
  const places: RecordPlace[] = [];
  let at = from;
  for (const [section, countAt] of sections) {
    for (let left = message.readUInt16BE(countAt); left > 0; left -= 1) {
      const fixed = nameEnd(message, at);
      if (fixed === undefined || fixed + 10 > message.length) return undefined;
      const dataAt = fixed + 10;
      const end = dataAt + message.readUInt16BE(fixed + 8);
      if (end > message.length) return undefined;
      const kind = { type: message.readUInt16BE(fixed), class: message.readUInt16BE(fixed + 2) };
      places.push({ section, ...kind, start: at, ttlAt: fixed + 4, dataAt, end });
      at = end;
    }
  }
  return places;
}

const sections = [
  ["answer", 6],
  ["authority", 8],
  ["additional", 10],
] as const;

export function readEdns(message: Buffer, { class: sizeBytes, ttlAt }: RecordPlace): Edns {
  return {
    sizeBytes,
    version: message.readUInt8(ttlAt + 1),
    wantsDnssec: (message.readUInt8(ttlAt + 2) & 0x80) !== 0,
  };
}

/** The question in lower case, as a string to compare and for map keys. Changes ASCII letters only. */
export function questionKey(question: Buffer): string {
  return lower(question).toString("latin1");
}

/** The offset where a name ends. It may end in a pointer, which is not followed, so there can be no loop. */
function nameEnd(message: Buffer, from: number): number | undefined {
  let at = from;
  for (;;) {
    const length = message[at];
    if (length === undefined) return undefined;
    if (length >= 0xc0) return at + 2;
    if (length > labelBytesMax) return undefined;
    at += 1 + length;
    if (length === 0) return at;
  }
}

function nameOf(question: Buffer): string {
  const bytes = lower(question);
  const labels: string[] = [];
  for (let at = 0; ; ) {
    const length = bytes[at] ?? 0;
    if (length === 0) return labels.join(".");
    const label = bytes.toString("latin1", at + 1, at + 1 + length);
    labels.push(label.includes(".") ? label.replaceAll(".", "\\.") : label);
    at += 1 + length;
  }
}

/** Treats the whole name as letters: length bytes are below 64 and so below "A". */
function lower(question: Buffer): Buffer {
  const bytes = Buffer.from(question);
  // Leaves out the type and class at the end: their bytes may equal a letter.
  for (let at = 0; at < bytes.length - 4; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte >= 0x41 && byte <= 0x5a) bytes[at] = byte | 0x20;
  }
  return bytes;
}
