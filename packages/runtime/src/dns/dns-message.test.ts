import assert from "node:assert/strict";
import { test } from "node:test";
import { encode } from "dns-packet";
import fc from "fast-check";
import { type DnsQuery, questionKey, rcode, readQuery } from "./dns-message.ts";
import { readForwarded, writeForwarded } from "./forwarded-answer.ts";

const label = fc.stringMatching(/^[a-zA-Z0-9_-]{1,20}$/);
const name = fc.array(label, { minLength: 1, maxLength: 6 }).map((labels) => labels.join("."));

/** A real message with some bytes changed and its end cut off: it reaches more code than random bytes. */
const damaged = fc
  .record({
    name,
    cut: fc.nat(80),
    blows: fc.array(fc.record({ at: fc.nat(79), byte: fc.nat(255) }), { maxLength: 6 }),
    response: fc.boolean(),
  })
  .map(({ name: asked, cut, blows, response }) => {
    const message = encode({
      type: response ? "response" : "query",
      id: 7,
      questions: [{ name: asked, type: "A" }],
      answers: response ? [{ name: asked, type: "A", ttl: 60, data: "192.0.2.1" }] : [],
      additionals: [
        { type: "OPT", name: ".", udpPayloadSize: 1232, flags: 0, options: [] } as never,
      ],
    });
    for (const { at, byte } of blows) if (at < message.length) message[at] = byte;
    return message.subarray(0, message.length - (cut % message.length));
  });

test("readQuery() reads what dns-packet writes", () => {
  fc.assert(
    fc.property(name, fc.boolean(), fc.integer({ min: 1, max: 65_535 }), (asked, dnssec, size) => {
      const message = encode({
        type: "query",
        id: 4711,
        flags: 0x0100,
        questions: [{ name: asked, type: "AAAA" }],
        additionals: [
          {
            type: "OPT",
            name: ".",
            udpPayloadSize: size,
            flags: dnssec ? 0x8000 : 0,
            options: [],
          } as never,
        ],
      });
      const query = readQuery(message);
      assert.ok(query !== undefined && !("rcode" in query));
      assert.equal(query.id, 4711);
      assert.equal(query.name, asked.toLowerCase());
      assert.equal(query.type, 28);
      assert.deepEqual(query.edns, { sizeBytes: size, version: 0, wantsDnssec: dnssec });
      assert.ok(query.question.toString("latin1").includes(asked.split(".")[0] ?? ""));
    }),
  );
});

test("readQuery() tells a dot in a label from a dot between labels", () => {
  const plain = asQuery(Buffer.from("\x05tasks\x03web\0\0\x01\0\x01", "latin1"));
  const odd = asQuery(Buffer.from("\x09tasks.web\0\0\x01\0\x01", "latin1"));
  assert.equal(plain.name, "tasks.web");
  assert.equal(odd.name, "tasks\\.web");
});

test("questionKey() folds ASCII letters of the name and nothing else", () => {
  const key = (text: string): string => questionKey(Buffer.from(text, "latin1"));
  assert.equal(key("\x03WeB\0\0\x01\0\x01"), key("\x03web\0\0\x01\0\x01"));
  assert.notEqual(key("\x01\xc0\0\0\x01\0\x01"), key("\x01\xe0\0\0\x01\0\x01"));
  assert.notEqual(key("\x01a\0\0\x41\0\x01"), key("\x01a\0\0\x61\0\x01"));
});

const bad: readonly { name: string; bytes: string; want: number | undefined }[] = [
  { name: "nothing", bytes: "", want: undefined },
  { name: "half a header", bytes: "0007000000", want: undefined },
  { name: "an answer", bytes: "000780000000000000000000", want: undefined },
  { name: "no question", bytes: "000700000000000000000000", want: rcode.malformed },
  { name: "two questions", bytes: "000700000002000000000000", want: rcode.malformed },
  { name: "another opcode", bytes: "000728000001000000000000", want: rcode.notImplemented },
  { name: "a name that points at itself", bytes: "000700000001000000000000c00c00010001", want: 1 },
  { name: "a name without an end", bytes: "00070000000100000000000003776562", want: 1 },
  {
    name: "a question without a class",
    bytes: "00070000000100000000000001610000010000".slice(0, 34),
    want: 1,
  },
  { name: "a record that is not there", bytes: "00070000000100000000000101610000010001", want: 1 },
];

for (const { name: what, bytes, want } of bad) {
  test(`readQuery() of ${what}`, () => {
    const query = readQuery(Buffer.from(bytes, "hex"));
    assert.equal(query && "rcode" in query ? query.rcode : query, want);
  });
}

test("no bytes make a reader throw, as a query or as another server's answer", () => {
  const hostile = fc.oneof(fc.uint8Array({ maxLength: 600 }).map(Buffer.from), damaged);
  fc.assert(
    fc.property(hostile, fc.nat(1300), (bytes, bytesMax) => {
      readQuery(bytes);
      const asked = asQuery(Buffer.from("\x01a\0\0\x01\0\x01", "latin1"));
      // Matches the question, so that what follows the question is read as well.
      const reply = Buffer.from(bytes);
      if (reply.length >= 12) {
        reply.writeUInt16BE(asked.id, 0);
        reply.writeUInt8(reply.readUInt8(2) | 0x80, 2);
        reply.writeUInt16BE(1, 4);
        asked.question.copy(reply, 12);
      }
      const answer = readForwarded(reply, asked);
      if (answer !== undefined) {
        const limit = Math.max(512, bytesMax);
        assert.ok(
          writeForwarded(asked, answer, { ageSeconds: 3, bytesMax: limit }).length <= limit,
        );
      }
    }),
    { numRuns: 5_000 },
  );
});

function asQuery(question: Buffer): DnsQuery {
  const header = Buffer.from("123401000001000000000000", "hex");
  const query = readQuery(Buffer.concat([header, question]));
  assert.ok(query !== undefined && !("rcode" in query));
  return query;
}
