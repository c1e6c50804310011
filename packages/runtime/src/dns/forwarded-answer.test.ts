import assert from "node:assert/strict";
import { test } from "node:test";
import { type Answer, decode, encode, type Packet } from "dns-packet";
import { AnswerCache } from "./answer-cache.ts";
import { type DnsQuery, readQuery } from "./dns-message.ts";
import { type ForwardedAnswer, readForwarded, writeForwarded } from "./forwarded-answer.ts";

const soa = (ttl: number, minimum: number): Answer => ({
  type: "SOA",
  name: "org",
  ttl,
  data: { mname: "a.org", rname: "b.org", serial: 1, refresh: 1, retry: 1, expire: 1, minimum },
});
const a = (ttl: number, data = "192.0.2.1"): Answer => ({ type: "A", name: "www.org", ttl, data });
const opt = { type: "OPT", name: ".", udpPayloadSize: 4096, flags: 0, options: [] } as never;
const noSuchName = 3;

const lives: readonly { name: string; packet: Packet; want: number }[] = [
  { name: "the least TTL", packet: { answers: [a(60), a(20)] }, want: 20 },
  { name: "an hour at most", packet: { answers: [a(86_400)] }, want: 3600 },
  { name: "nothing at TTL 0", packet: { answers: [a(0), a(9)] }, want: 0 },
  {
    name: "no such name, by the minimum",
    packet: { flags: noSuchName, authorities: [soa(90, 40)] },
    want: 40,
  },
  {
    name: "no such name, by the SOA's TTL",
    packet: { flags: noSuchName, authorities: [soa(30, 40)] },
    want: 30,
  },
  {
    name: "no such name, 5 minutes at most",
    packet: { flags: noSuchName, authorities: [soa(9e3, 9e3)] },
    want: 300,
  },
  { name: "no such name, not without a SOA", packet: { flags: noSuchName }, want: 0 },
  { name: "none of that type, by the minimum", packet: { authorities: [soa(90, 50)] }, want: 50 },
  { name: "no failure", packet: { flags: 2, authorities: [soa(90, 50)] }, want: 0 },
];

for (const { name, packet, want } of lives) {
  test(`readForwarded() caches ${name}`, () => {
    assert.equal(read(packet).keepSeconds, want);
  });
}

test("readForwarded() rejects another question, another id, and messages that are no answers", () => {
  const asked = query("www.org");
  const reply = (change: Packet): Buffer =>
    encode({ type: "response", id: 1, questions: [{ name: "WWW.org", type: "A" }], ...change });
  const expected = { id: 1, question: asked.question };
  assert.notEqual(readForwarded(reply({}), expected), undefined);
  assert.equal(readForwarded(reply({ id: 2 }), expected), undefined);
  assert.equal(readForwarded(reply({ type: "query" }), expected), undefined);
  assert.equal(
    readForwarded(reply({ questions: [{ name: "www.com", type: "A" }] }), expected),
    undefined,
  );
  assert.equal(
    readForwarded(reply({ questions: [{ name: "www.org", type: "AAAA" }] }), expected),
    undefined,
  );
  assert.equal(readForwarded(reply({ questions: [] }), expected), undefined);
});

test("writeForwarded() repeats the client's question and EDNS, and reduces the TTLs", () => {
  const answer = read({ answers: [a(60), a(2)], authorities: [soa(50, 5)], additionals: [opt] });
  const plain = decode(writeForwarded(query("WwW.oRg"), answer, { ageSeconds: 10, bytesMax: 512 }));
  assert.equal(plain.id, 77);
  assert.equal(plain.questions?.[0]?.name, "WwW.oRg");
  assert.deepEqual(
    plain.answers?.map((one) => ("ttl" in one ? one.ttl : -1)),
    [50, 0],
  );
  assert.equal(plain.additionals?.length, 0);
  const edns = decode(
    writeForwarded(query("www.org", true), answer, { ageSeconds: 0, bytesMax: 512 }),
  );
  assert.equal(edns.additionals?.length, 1);
  assert.deepEqual(
    edns.answers?.map((one) => ("ttl" in one ? one.ttl : -1)),
    [60, 2],
  );
});

test("writeForwarded() cuts a long answer between records", () => {
  const many = Array.from({ length: 60 }, (_, n) => a(60, `192.0.2.${n}`));
  const answer = read({ answers: many, authorities: [soa(50, 5)], additionals: [opt] });
  const bytes = writeForwarded(query("www.org", true), answer, { ageSeconds: 0, bytesMax: 512 });
  const cut = decode(bytes);
  assert.ok(bytes.length <= 512 && cut.flag_tc);
  assert.ok((cut.answers?.length ?? 0) > 10);
  assert.equal(cut.authorities?.length, 0);
  assert.equal(
    decode(writeForwarded(query("www.org"), answer, { ageSeconds: 0, bytesMax: 65_535 })).answers
      ?.length,
    60,
  );
});

test("AnswerCache keeps an answer for its TTL, and a limited number of answers", () => {
  const cache = new AnswerCache();
  const answer = read({ answers: [a(20)] });
  cache.put("a", answer, 1_000);
  assert.equal(cache.get("a", 1_000)?.ageSeconds, 0);
  assert.equal(cache.get("a", 20_999)?.ageSeconds, 19);
  assert.equal(cache.get("a", 21_000), undefined);
  assert.equal(cache.size, 0);
  cache.put("never", { ...answer, keepSeconds: 0 }, 0);
  assert.equal(cache.size, 0);
  for (let n = 0; n < 5_000; n += 1) {
    cache.put(`n${n}`, answer, 0);
    cache.get("n0", 0);
  }
  assert.equal(cache.size, 4096);
  assert.notEqual(cache.get("n0", 0), undefined);
  assert.equal(cache.get("n1", 0), undefined);
});

function query(name: string, edns = false): DnsQuery {
  const questions = [{ name, type: "A" } as const];
  const message = encode({ type: "query", id: 77, questions, additionals: edns ? [opt] : [] });
  const found = readQuery(message);
  assert.ok(found !== undefined && !("rcode" in found));
  return found;
}

function read(packet: Packet): ForwardedAnswer {
  const questions = [{ name: "www.org", type: "A" } as const];
  const message = encode({ type: "response", id: 1, questions, ...packet });
  const answer = readForwarded(message, { id: 1, question: query("www.org").question });
  assert.ok(answer !== undefined);
  return answer;
}
