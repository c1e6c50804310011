/**
 * Write answer: an answer as bytes, cut where it must be.
 *
 * Addresses point back to the name in the question (16 bytes each), so that most answers fit into 512
 * bytes. What does not fit is cut between two records and marked: a client that knows TCP asks again,
 * one that does not has some addresses at least.
 */
import {
  type BadQuery,
  flag,
  headerBytes,
  internetClass,
  type Query,
  rcode,
  type,
} from "./dns-message.ts";
import type { Answer } from "./name-answer.ts";

/**
 * Seconds. The least that is not nothing: a proxy that takes the TTL as its interval of refresh is one
 * second late at most, while 0 makes some ask for every request and others use a default far longer.
 */
const ttlSeconds = 1;
/** What fits into any path without fragments (DNS flag day 2020): said of ourselves, and never passed. */
export const udpBytesMax = 1232;
const udpBytesWithoutEdns = 512;
export const tcpBytesMax = 65_535;
export const optBytes = 11;

/** The longest answer by UDP to this query. */
export function udpLimit({ edns }: Query): number {
  if (edns === undefined) return udpBytesWithoutEdns;
  return Math.min(udpBytesMax, Math.max(udpBytesWithoutEdns, edns.sizeBytes));
}

/** An answer from the plan, at most `bytesMax` long. */
export function writeAnswer(query: Query, answer: Answer, bytesMax: number): Buffer {
  const records =
    answer.pointer === undefined
      ? answer.addresses.map(addressRecord)
      : [record(type.ptr, encodeName(answer.pointer))];
  const reserved = headerBytes + query.question.length + (query.edns === undefined ? 0 : optBytes);
  let bytes = reserved;
  let fitting = 0;
  for (const { length } of records) {
    if (bytes + length > bytesMax) break;
    bytes += length;
    fitting += 1;
  }
  const cut = fitting < records.length;
  const flags =
    replyFlags(query, answer.rcode) |
    (isOurs(answer.rcode) ? flag.authoritative : 0) |
    (cut ? flag.truncated : 0);
  const counts = [fitting, 0, query.edns === undefined ? 0 : 1] as const;
  return Buffer.concat([
    header(query.id, flags, 1, ...counts),
    query.question,
    ...records.slice(0, fitting),
    ...(query.edns === undefined ? [] : [opt(answer.rcode, false)]),
  ]);
}

function isOurs(code: number): boolean {
  return code === rcode.noError || code === rcode.noSuchName;
}

/** That a message cannot be answered; nothing of it is said again. */
export function writeRefusal({ id, flags, rcode: code }: BadQuery): Buffer {
  const opcode = flags & 0x7800;
  return header(id, replyFlags({ flags }, code) | opcode, 0, 0, 0, 0);
}

/** Flags of every answer to `query`. */
export function replyFlags({ flags }: Pick<Query, "flags">, code: number): number {
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
  for (const [index, count] of counts.entries()) bytes.writeUInt16BE(count, 4 + 2 * index);
  return bytes;
}

function addressRecord(address: string): Buffer {
  return record(type.a, Buffer.from(address.split(".").map(Number)));
}

function record(kind: number, data: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(12 + data.length);
  bytes.writeUInt16BE(0xc000 | headerBytes, 0);
  bytes.writeUInt16BE(kind, 2);
  bytes.writeUInt16BE(internetClass, 4);
  bytes.writeUInt32BE(ttlSeconds, 6);
  bytes.writeUInt16BE(data.length, 10);
  data.copy(bytes, 12);
  return bytes;
}

/** Labels are at most 63 bytes and names 255 where they are checked: when they enter the plan. */
function encodeName(name: string): Buffer {
  const labels = name.split(".").filter((label) => label !== "");
  const parts = labels.flatMap((label) => {
    const bytes = Buffer.from(label, "latin1").subarray(0, 63);
    return [Buffer.from([bytes.length]), bytes];
  });
  return Buffer.concat([...parts, Buffer.alloc(1)]);
}
