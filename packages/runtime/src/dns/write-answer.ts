/**
 * Write answer: writes an answer as bytes, cut where it must be.
 *
 * Address records point back to the name in the question (16 bytes each), so that most answers fit into 512
 * bytes. An answer that does not fit is cut between two records and marked as truncated. A client that knows
 * TCP then asks again; a client that does not has some addresses at least.
 */
import {
  type BadQuery,
  type DnsQuery,
  flag,
  headerBytes,
  internetClass,
  rcode,
  type,
} from "./dns-message.ts";
import type { NameAnswer } from "./name-answer.ts";

/**
 * Seconds. The smallest TTL above 0: a proxy that refreshes at the TTL is one second late at most. With 0, some
 * proxies query for every request, and others use a much longer default.
 */
const ttlSeconds = 1;
/** Fits any path without fragments (DNS flag day 2020). Announced in EDNS and never exceeded. */
const udpBytesMax = 1232;
const udpBytesWithoutEdns = 512;
export const tcpBytesMax = 65_535;
export const optBytes = 11;
const fixedBytes = 12;
const noBytes = Buffer.alloc(0);

/** The longest UDP answer to this query, in bytes. */
export function udpLimit({ edns }: DnsQuery): number {
  if (edns === undefined) return udpBytesWithoutEdns;
  return Math.min(udpBytesMax, Math.max(udpBytesWithoutEdns, edns.sizeBytes));
}

/** An answer from the plan, at most `bytesMax` long. */
export function writeAnswer(query: DnsQuery, answer: NameAnswer, bytesMax: number): Buffer {
  const records = answer.pointer === undefined ? addressRecords(answer) : pointerRecord(answer);
  const tail = query.edns === undefined ? noBytes : opt(answer.rcode, false);
  const room = bytesMax - headerBytes - query.question.length - tail.length;
  const fitting = Math.min(records.count, Math.floor(room / records.eachBytes));
  const flags =
    replyFlags(query, answer.rcode) |
    (isOurs(answer.rcode) ? flag.authoritative : 0) |
    (fitting < records.count ? flag.truncated : 0);
  return Buffer.concat([
    header(query.id, flags, 1, fitting, 0, tail === noBytes ? 0 : 1),
    query.question,
    records.bytes.subarray(0, fitting * records.eachBytes),
    tail,
  ]);
}

function isOurs(code: number): boolean {
  return code === rcode.noError || code === rcode.noSuchName;
}

/** An error answer that repeats nothing of the message. */
export function writeRefusal({ id, flags, rcode: code }: BadQuery): Buffer {
  const opcode = flags & 0x7800;
  return header(id, replyFlags({ flags }, code) | opcode, 0, 0, 0, 0);
}

/** The flags that every answer to `query` has. */
export function replyFlags({ flags }: Pick<DnsQuery, "flags">, code: number): number {
  const kept = flags & (flag.recursionDesired | flag.checkingDisabled);
  return flag.response | flag.recursionAvailable | kept | (code & 15);
}

export function opt(code: number, dnssec: boolean): Buffer {
  const bytes = Buffer.alloc(optBytes);
  bytes.writeUInt16BE(type.opt, 1);
  bytes.writeUInt16BE(udpBytesMax, 3);
  bytes.writeUInt8(code >> 4, 5);
  bytes.writeUInt8(dnssec ? 0x80 : 0, 7);
  return bytes;
}

export function header(
  id: number,
  flags: number,
  ...counts: [questions: number, answers: number, authorities: number, additionals: number]
): Buffer {
  const bytes = Buffer.allocUnsafe(headerBytes);
  bytes.writeUInt16BE(id, 0);
  bytes.writeUInt16BE(flags, 2);
  bytes.writeUInt16BE(counts[0], 4);
  bytes.writeUInt16BE(counts[1], 6);
  bytes.writeUInt16BE(counts[2], 8);
  bytes.writeUInt16BE(counts[3], 10);
  return bytes;
}

/** Records of one length, one after the other. */
interface Records {
  readonly bytes: Buffer;
  readonly count: number;
  readonly eachBytes: number;
}

function addressRecords({ addresses }: NameAnswer): Records {
  const eachBytes = fixedBytes + 4;
  const bytes = Buffer.allocUnsafe(addresses.length * eachBytes);
  let at = 0;
  for (const address of addresses) {
    writeFixed(bytes, at, { kind: type.a, dataBytes: 4 });
    at += fixedBytes;
    for (const part of address.split(".")) {
      bytes[at] = Number(part);
      at += 1;
    }
  }
  return { bytes, count: addresses.length, eachBytes };
}

function pointerRecord({ pointer = "" }: NameAnswer): Records {
  const name = encodeName(pointer);
  const bytes = Buffer.allocUnsafe(fixedBytes + name.length);
  writeFixed(bytes, 0, { kind: type.ptr, dataBytes: name.length });
  name.copy(bytes, fixedBytes);
  return { bytes, count: 1, eachBytes: bytes.length };
}

/** Writes a record up to its data. Its name is a pointer to the name in the question. */
function writeFixed(
  bytes: Buffer,
  at: number,
  { kind, dataBytes }: { readonly kind: number; readonly dataBytes: number },
): void {
  bytes.writeUInt16BE(0xc000 | headerBytes, at);
  bytes.writeUInt16BE(kind, at + 2);
  bytes.writeUInt16BE(internetClass, at + 4);
  bytes.writeUInt32BE(ttlSeconds, at + 6);
  bytes.writeUInt16BE(dataBytes, at + 10);
}

/** The plan checks the limits: labels have at most 63 bytes, names at most 255. */
function encodeName(name: string): Buffer {
  const labels = name.split(".").filter((label) => label !== "");
  const parts = labels.flatMap((label) => {
    const bytes = Buffer.from(label, "latin1").subarray(0, 63);
    return [Buffer.from([bytes.length]), bytes];
  });
  return Buffer.concat([...parts, Buffer.alloc(1)]);
}
