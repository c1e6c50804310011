import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type HttpAnswer,
  type Reading,
  readNumber,
  readPrometheus,
  readStatus,
} from "./http-answer.ts";

const vector = (...values: readonly unknown[]): string => {
  const result = values.map((value) => ({ metric: {}, value: [1700000000.1, value] }));
  return JSON.stringify({ status: "success", data: { resultType: "vector", result } });
};
const scalar = JSON.stringify({
  status: "success",
  data: { resultType: "scalar", result: [1700000000, "3"] },
});
const ok = (body: string): HttpAnswer => ({ status: 200, body });

const cases: readonly (readonly [
  read: (answer: HttpAnswer) => Reading,
  answer: HttpAnswer,
  want: string,
])[] = [
  [readStatus, ok(""), "passed"],
  [readStatus, { status: 399, body: "" }, "passed"],
  [readStatus, { status: 400, body: "" }, "failed: it answered with status 400"],
  [readStatus, { error: "connect ECONNREFUSED" }, "failed: connect ECONNREFUSED"],
  [readNumber, ok(" 12.5\n"), "passed 12.5"],
  [readNumber, ok("-3e2"), "passed -300"],
  [readNumber, ok(""), "unknown: its answer is no number"],
  [readNumber, ok("1.2.3"), "unknown: its answer is no number"],
  [readNumber, ok("1e999"), "unknown: its answer is no number"],
  [readNumber, ok("0x10"), "unknown: its answer is no number"],
  [readNumber, { status: 503, body: "5" }, "unknown: it answered with status 503"],
  [readNumber, { error: "late" }, "unknown: late"],
  [readPrometheus, ok(vector("0.25")), "passed 0.25"],
  [readPrometheus, ok(scalar), "passed 3"],
  [readPrometheus, ok(vector()), "unknown: the query has no result"],
  [
    readPrometheus,
    ok(vector("1", "2")),
    "unknown: the query has 2 results: make it one, as with sum()",
  ],
  [readPrometheus, ok(vector("NaN")), "unknown: its result is no number"],
  [readPrometheus, ok(vector(7)), "unknown: its result is no number"],
  [readPrometheus, ok("<html>"), "unknown: it is no answer of Prometheus"],
  [readPrometheus, ok("null"), "unknown: it is no answer of Prometheus"],
  [readPrometheus, { status: 400, body: vector("1") }, "unknown: it answered with status 400"],
];

for (const [read, answer, want] of cases) {
  test(`${read.name} of ${JSON.stringify(answer)}: ${want}`, () => {
    const found = read(answer);
    const value = "value" in found ? ` ${found.value}` : "";
    assert.equal("reason" in found ? `${found.kind}: ${found.reason}` : found.kind + value, want);
  });
}

test("no answer of anybody is more than a reading", () => {
  const answers = fc.oneof(
    fc.record({ status: fc.nat(999), body: fc.oneof(fc.string(), fc.json()) }),
    fc.record({ error: fc.string({ maxLength: 1000 }) }),
  );
  fc.assert(
    fc.property(answers, (answer) => {
      for (const read of [readStatus, readNumber, readPrometheus]) {
        const found = read(answer);
        if ("reason" in found) assert.ok(found.reason.length <= 256);
        else assert.ok(found.value === undefined || Number.isFinite(found.value));
      }
    }),
  );
});
