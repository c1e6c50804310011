import assert from "node:assert/strict";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { sameValue } from "./same-value.ts";

const same: readonly (readonly [unknown, unknown])[] = [
  [
    { a: 1, b: { c: [1, "x"] } },
    { b: { c: [1, "x"] }, a: 1 },
  ],
  [{ a: 1, b: undefined }, { a: 1 }],
  [Uint8Array.of(1, 2), Buffer.from([1, 2])],
  [[undefined], [undefined]],
  [{}, { a: undefined }],
];
const others: readonly (readonly [unknown, unknown])[] = [
  [{ a: 1 }, { a: 1, b: 2 }],
  [{ a: 1 }, { b: 1 }],
  [{ a: null }, {}],
  [
    [1, 2],
    [2, 1],
  ],
  [[1], [1, undefined]],
  [[], {}],
  [{ length: 0 }, []],
  [Uint8Array.of(1), [1]],
  [Uint8Array.of(1), Uint8Array.of(2)],
  [1, "1"],
  [null, {}],
  [0, false],
];

test("sameValue() compares contents, in both directions", () => {
  for (const [one, other] of same) {
    assert.ok(sameValue(one, other) && sameValue(other, one), `${JSON.stringify([one, other])}`);
  }
  for (const [one, other] of others) {
    assert.ok(!sameValue(one, other) && !sameValue(other, one), `${JSON.stringify([one, other])}`);
  }
});

test("sameValue() agrees with Node on JSON, whatever the order of keys", () => {
  const json = fc.jsonValue({ maxDepth: 3 });
  fc.assert(
    fc.property(json, json, (one, other) => {
      assert.ok(sameValue(one, structuredClone(one)));
      assert.equal(sameValue(one, other), isDeepStrictEqual(one, other));
    }),
  );
});
