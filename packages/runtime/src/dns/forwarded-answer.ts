/**
 * Forwarded answer: reads the answer of one of the host's servers, and writes it for each client that asks the
 * same.
 *
 * Keeps the answer's bytes and changes only what belongs to one exchange: the id, the question's case, flags,
 * EDNS, and TTLs, by the answer's age. Decides how long an answer may be cached; answer-cache.ts caches it.
 */
import {
  type DnsQuery,
  type Edns,
  flag,
  headerBytes,
  questionEnd,
  questionKey,
  type RecordPlace,
  rcode,
  readEdns,
  readRecords,
  type,
} from "./dns-message.ts";
import { header, opt, optBytes, replyFlags } from "./write-answer.ts";

/** One hour: people may correct a wrong name on the host's servers, and cannot empty this cache. */
const keptSecondsMax = 3600;
/** RFC 2308, section 5 asks for a limit; five minutes is common. */
const keptSecondsMaxNegative = 300;

export interface ForwardedAnswer {
  readonly rcode: number;
  readonly truncated: boolean;
  /** 0: do not cache it. */
  readonly keepSeconds: number;
  readonly message: Buffer;
  readonly questionEnd: number;
  /** Without the OPT record and what follows it. */
  readonly records: readonly RecordPlace[];
  readonly authentic: boolean;
  readonly dnssec: boolean;
}

/** Returns: undefined when the message does not answer this question, for example one that a stranger sent. */
export function readForwarded(
  message: Buffer,
  expected: { readonly id: number; readonly question: Buffer },
): ForwardedAnswer | undefined {
  if (message.length < headerBytes || message.readUInt16BE(0) !== expected.id) return undefined;
  const flags = message.readUInt16BE(2);
  if ((flags & flag.response) === 0) return undefined;
  const end = questionEnd(message);
  if (end === undefined) return undefined;
  const question = message.subarray(headerBytes, end);
  if (questionKey(question) !== questionKey(expected.question)) return undefined;
  const truncated = (flags & flag.truncated) !== 0;
  // A truncated answer needs only a readable beginning; TCP gets the whole one.
  const all = readRecords(message, end) ?? (truncated ? [] : undefined);
  if (all === undefined) return undefined;
  const optAt = all.findIndex((one) => one.type === type.opt);
  const optPlace = all[optAt];
  const edns: Edns | undefined = optPlace && readEdns(message, optPlace);
  const records = optPlace === undefined ? all : all.slice(0, optAt);
  const upper = optPlace === undefined ? 0 : message.readUInt8(optPlace.ttlAt);
  const code = (flags & 15) | (upper << 4);
  return {
    rcode: code,
    truncated,
    keepSeconds: truncated ? 0 : keepSeconds(message, code, records),
    message,
    questionEnd: end,
    records,
    authentic: (flags & flag.authentic) !== 0,
    dnssec: edns?.wantsDnssec ?? false,
  };
}

function keepSeconds(message: Buffer, code: number, records: readonly RecordPlace[]): number {
  const ttl = (place: RecordPlace): number => {
    const seconds = message.readUInt32BE(place.ttlAt);
    return seconds > 0x7fffffff ? 0 : seconds; // RFC 2181 section 8.
  };
  const answers = records.filter(({ section }) => section === "answer");
  if (code !== rcode.noError && code !== rcode.noSuchName) return 0;
  const soa = records.find(
    (place) =>
      place.section === "authority" && place.type === type.soa && place.end - place.dataAt >= 22,
  );
  const least = Math.min(keptSecondsMax, ...answers.map(ttl));
  if (code === rcode.noError && answers.length > 0 && soa === undefined) return least;
  // RFC 2308: the SOA says how long to cache that a name, or its record of that type, does not exist.
  if (soa === undefined) return 0;
  return Math.min(least, keptSecondsMaxNegative, ttl(soa), message.readUInt32BE(soa.end - 4));
}

export interface ForwardOptions {
  /** Time since the answer came; its TTLs are reduced by it. */
  readonly ageSeconds: number;
  readonly bytesMax: number;
}

/** The answer to one client. */
export function writeForwarded(
  query: DnsQuery,
  answer: ForwardedAnswer,
  { ageSeconds, bytesMax }: ForwardOptions,
): Buffer {
  const { message, records } = answer;
  const endAll = records.at(-1)?.end ?? answer.questionEnd;
  const optLength = query.edns === undefined ? 0 : optBytes;
  const fits = endAll + optLength <= bytesMax;
  const kept = fits ? records : answersWithin(records, bytesMax - optLength);
  const end = kept.at(-1)?.end ?? answer.questionEnd;
  const counts = { answer: 0, authority: 0, additional: query.edns === undefined ? 0 : 1 };
  const body = Buffer.from(message.subarray(answer.questionEnd, end));
  for (const { section, ttlAt } of kept) {
    counts[section] += 1;
    const at = ttlAt - answer.questionEnd;
    if (ageSeconds > 0) body.writeUInt32BE(Math.max(0, body.readUInt32BE(at) - ageSeconds), at);
  }
  const flags =
    replyFlags(query, answer.rcode) |
    (answer.authentic ? flag.authentic : 0) |
    (fits && !answer.truncated ? 0 : flag.truncated);
  return Buffer.concat([
    header(query.id, flags, 1, counts.answer, counts.authority, counts.additional),
    query.question,
    body,
    ...(query.edns === undefined ? [] : [opt(answer.rcode, answer.dnssec)]),
  ]);
}

function answersWithin(records: readonly RecordPlace[], bytesMax: number): RecordPlace[] {
  return records.filter(({ section, end }) => section === "answer" && end <= bytesMax);
}
