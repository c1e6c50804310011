/** What a host's name server reads: queries of containers, and answers of other name servers. */
import type { NetworkId } from "@gam/core";
import type { DnsPlan } from "@gam/network";
import { encode } from "dns-packet";
import { framed, unframed } from "../../packages/runtime/src/dns/ask-upstream.ts";
import {
  type DnsQuery,
  headerBytes,
  questionEnd,
  readQuery,
  readRecords,
} from "../../packages/runtime/src/dns/dns-message.ts";
import { readForwarded, writeForwarded } from "../../packages/runtime/src/dns/forwarded-answer.ts";
import { NameBook } from "../../packages/runtime/src/dns/name-answer.ts";
import { readResolvConf } from "../../packages/runtime/src/dns/resolv-conf.ts";
import {
  udpLimit,
  writeAnswer,
  writeRefusal,
} from "../../packages/runtime/src/dns/write-answer.ts";
import type { Target } from "./target.ts";

const front = "front" as NetworkId;
const plan: DnsPlan = {
  zones: [
    {
      network: front,
      name: "front",
      internal: false,
      gateway: "10.0.1.2",
      subnet: "10.0.1.0/24",
      names: new Map([
        ["web", ["10.0.1.10"]],
        ["tasks.web", Array.from({ length: 80 }, (_, at) => `10.0.1.${at + 11}`)],
      ]),
      reverse: new Map([["10.0.1.11", "web.1.abc.front"]]),
    },
  ],
  clients: new Map([["10.0.1.11", [front]]]),
  confined: new Set(),
};
const asker = { from: "10.0.1.11", at: "10.0.1.2" };
const id = 4711;

const opt = { type: "OPT", name: ".", udpPayloadSize: 1232, flags: 0, options: [] } as never;
const ask = (name: string, type: "A" | "PTR" | "AAAA", additionals: never[] = []): Buffer =>
  encode({ type: "query", id, flags: 0x0100, questions: [{ name, type }], additionals });

const queries = [
  ask("tasks.web", "A", [opt]),
  ask("WEB", "A"),
  ask("example.com", "AAAA", [opt]),
  ask("11.1.0.10.in-addr.arpa", "PTR"),
];
const example = [{ name: "example.com", type: "A" as const }];
const soa = {
  mname: "ns.example.com",
  rname: "root.example.com",
  serial: 1,
  refresh: 1,
  retry: 1,
  expire: 1,
  minimum: 60,
};
const answers = [
  encode({
    type: "response",
    id,
    questions: example,
    answers: [
      { name: "example.com", type: "CNAME", ttl: 60, data: "other.example.com" },
      { name: "other.example.com", type: "A", ttl: 30, data: "192.0.2.1" },
    ],
    additionals: [opt],
  }),
  encode({
    type: "response",
    id,
    flags: 3,
    questions: example,
    authorities: [{ name: "example.com", type: "SOA", ttl: 60, data: soa }],
  }),
];
const asked = readQuery(ask("example.com", "A", [opt])) as DnsQuery;

/** Checks that an answer is complete and not too long. */
function insistOnAnswer(message: Buffer, bytesMax: number): void {
  if (message.length > bytesMax) throw new Error(`an answer of ${message.length} bytes`);
  const end = message.readUInt16BE(4) === 0 ? headerBytes : questionEnd(message);
  if (end === undefined || readRecords(message, end)?.at(-1)?.end === undefined) {
    const records = message.readUInt16BE(6) + message.readUInt16BE(8) + message.readUInt16BE(10);
    if (end === undefined || records > 0) throw new Error("an answer that cannot be read");
  }
}

function query(): Target {
  const names = new NameBook(plan, { below: () => 0 });
  return {
    name: "dns-query",
    group: "containers",
    form: "bytes",
    seeds: queries,
    take: (input) => {
      const found = readQuery(Buffer.from(input));
      if (found === undefined) return false;
      if ("rcode" in found) {
        insistOnAnswer(writeRefusal(found), headerBytes);
        return false;
      }
      const answer = names.answer(found, asker);
      if (answer !== "forward")
        insistOnAnswer(writeAnswer(found, answer, udpLimit(found)), udpLimit(found));
      return true;
    },
  };
}

function answer(): Target {
  return {
    name: "dns-answer",
    group: "containers",
    form: "bytes",
    seeds: answers,
    take: (input, random) => {
      const expected = { id, question: asked.question };
      const found = readForwarded(Buffer.from(input), expected);
      if (found === undefined) return false;
      for (const bytesMax of [udpLimit(asked), 512, 65_535]) {
        const written = writeForwarded(asked, found, { ageSeconds: random.below(100), bytesMax });
        if (!found.truncated) insistOnAnswer(written, bytesMax);
      }
      return true;
    },
  };
}

function stream(): Target {
  return {
    name: "dns-stream",
    group: "containers",
    form: "bytes",
    seeds: [Buffer.concat(queries.map(framed)), framed(queries[0] ?? Buffer.alloc(0))],
    take: (input) => {
      let heard = Buffer.from(input);
      let messages = 0;
      for (;;) {
        const { message, rest } = unframed(heard);
        if (message === undefined) return messages > 0;
        if (rest.length >= heard.length) throw new Error("no byte was taken");
        messages += 1;
        heard = rest as typeof heard;
      }
    },
  };
}

function resolvConf(): Target {
  return {
    name: "resolv-conf",
    group: "containers",
    form: "text",
    seeds: [
      Buffer.from(
        "# made by hand\nnameserver 192.0.2.1\nsearch example.com\nnameserver fe80::1%eth0\n",
      ),
    ],
    words: ["nameserver", "search", "options", "192.0.2.1", "::1", "%"],
    take: (input) => readResolvConf(Buffer.from(input).toString("utf8")).length > 0,
  };
}

export function dnsTargets(): readonly Target[] {
  return [query(), answer(), stream(), resolvConf()];
}
