import assert from "node:assert/strict";
import { test } from "node:test";
import { readOnce } from "./read-once.ts";

const nested = (depth: number): object => (depth === 0 ? {} : { in: nested(depth - 1) });
const holed: unknown[] = [1];
holed.length = 2;

function counting(): { readonly read: ReturnType<typeof readOnce<object>>; count: number } {
  const counter = {
    count: 0,
    read: readOnce((value: unknown) => {
      counter.count += 1;
      return { value };
    }),
  };
  return counter;
}

test("equal values are read once and share the result", () => {
  const counter = counting();
  const first = counter.read({ a: [1, "x", null, { b: true }] }, "it");
  assert.equal(counter.read({ a: [1, "x", null, { b: true }] }, "it"), first);
  assert.equal(counter.count, 1);
  assert.notEqual(counter.read({ a: [1, "y", null, { b: true }] }, "it"), first);
});

for (const [name, value, like] of [
  ["no number", { a: Number.NaN }, { a: null }],
  ["a number without end", { a: Number.POSITIVE_INFINITY }, { a: null }],
  ["minus nothing", { a: -0 }, { a: 0 }],
  ["a date", { a: new Date(0) }, { a: "1970-01-01T00:00:00.000Z" }],
  ["nothing in a list", { a: [undefined] }, { a: [null] }],
  ["bytes", { a: Uint8Array.of(1) }, { a: { 0: 1 } }],
  ["a hole", { a: holed }, { a: [1, null] }],
  ["a field that is nothing", { a: undefined }, {}],
] as const) {
  test(`${name} is never mistaken for its JSON form`, () => {
    const counter = counting();
    const other = counter.read(like, "it");
    assert.notEqual(counter.read(value, "it"), other);
    assert.equal(counter.count, 2);
  });
}

test("a value that is too deep is read each time", () => {
  const counter = counting();
  counter.read(nested(100), "it");
  counter.read(nested(100), "it");
  assert.equal(counter.count, 2);
});
