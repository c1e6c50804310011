import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, encode } from "dns-packet";
import fc from "fast-check";
import { type DnsQuery, rcode, readQuery } from "./dns-message.ts";
import { udpLimit, writeAnswer, writeRefusal } from "./write-answer.ts";

const opt = (size: number) => ({
  type: "OPT",
  name: ".",
  udpPayloadSize: size,
  flags: 0,
  options: [],
});

function query(name: string, edns?: number): DnsQuery {
  const read = readQuery(
    encode({
      type: "query",
      id: 99,
      flags: 0x0100,
      questions: [{ name, type: "A" }],
      additionals: edns === undefined ? [] : [opt(edns) as never],
    }),
  );
  assert.ok(read !== undefined && !("rcode" in read));
  return read;
}

const addresses = (count: number): string[] =>
  Array.from({ length: count }, (_, n) => `10.0.${n >> 8}.${n & 255}`);

test("dns-packet reads what writeAnswer() writes, in the case of the question", () => {
  const bytes = writeAnswer(query("Tasks.WEB", 4096), { rcode: 0, addresses: addresses(3) }, 512);
  const answer = decode(bytes);
  assert.equal(answer.id, 99);
  assert.equal(answer.type, "response");
  assert.deepEqual(answer.questions, [{ name: "Tasks.WEB", type: "A", class: "IN" }]);
  assert.deepEqual(
    answer.answers?.map((one) => ("data" in one ? [one.name, one.type, one.data] : [])),
    addresses(3).map((address) => ["Tasks.WEB", "A", address]),
  );
  assert.ok(answer.flag_aa && answer.flag_ra && answer.flag_rd && !answer.flag_tc);
  assert.equal(answer.additionals?.[0]?.type, "OPT");
});

test("writeAnswer() writes a pointer", () => {
  const pointer = "web.1.abc.front";
  const answer = decode(
    writeAnswer(query("1.0.0.10.in-addr.arpa"), { rcode: 0, addresses: [], pointer }, 512),
  );
  const [record] = answer.answers ?? [];
  assert.ok(record?.type === "PTR");
  assert.equal(record.data, pointer);
});

test("writeAnswer() never exceeds the limit, and marks exactly what it cuts", () => {
  fc.assert(
    fc.property(
      fc.nat(300),
      fc.integer({ min: 100, max: 6000 }),
      fc.boolean(),
      (count, limit, edns) => {
        const bytes = writeAnswer(
          query("tasks.web", edns ? 1232 : undefined),
          { rcode: 0, addresses: addresses(count) },
          limit,
        );
        assert.ok(bytes.length <= limit);
        const answer = decode(bytes);
        assert.equal(answer.flag_tc, (answer.answers?.length ?? 0) < count);
        // When one more record fits, the answer was cut too early.
        if (answer.flag_tc) assert.ok(bytes.length + 16 > limit);
      },
    ),
  );
});

test("writeAnswer() writes BADVERS into the OPT record", () => {
  const answer = decode(
    writeAnswer(query("web", 1232), { rcode: rcode.badVersion, addresses: [] }, 512),
  );
  const [record] = answer.additionals ?? [];
  assert.ok(record?.type === "OPT");
  assert.equal((record as unknown as { extendedRcode: number }).extendedRcode, 1);
  assert.equal(answer.flag_aa, false);
});

for (const [edns, want] of [
  [undefined, 512],
  [1, 512],
  [600, 600],
  [4096, 1232],
] as const) {
  test(`udpLimit() for a client that says ${edns}`, () => {
    assert.equal(udpLimit(query("web", edns)), want);
  });
}

test("writeRefusal() repeats nothing of the message", () => {
  const bytes = writeRefusal({ id: 5, flags: 0x2800, rcode: rcode.notImplemented });
  assert.equal(bytes.length, 12);
  assert.equal(bytes.readUInt16BE(2), 0x8000 | 0x2800 | 0x0080 | rcode.notImplemented);
});
