import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "@gam/core";
import { firstLife, nextLife, type Relation, relationOf } from "./life.ts";

const table: readonly (readonly [string, string, Relation])[] = [
  ["", "", "same"],
  ["a", "a", "same"],
  ["a b", "a b", "same"],
  ["", "a", "behind"],
  ["a", "a b", "behind"],
  ["a", "a b c", "behind"],
  ["a b", "a", "ahead"],
  ["a b", "", "ahead"],
  ["a b", "a c", "rival"],
  // A longer chain is not a later life if it does not continue this one.
  ["a b", "a c d", "rival"],
  ["a b c", "a d", "rival"],
  ["a", "b", "rival"],
];
for (const [own, other, want] of table) {
  test(`"${own}" is ${want} of "${other}"`, () => {
    const chain = (text: string): string[] => text.split(" ").filter((id) => id !== "");
    assert.equal(relationOf(chain(own), chain(other)), want);
  });
}

test("each recovery adds an id", () => {
  const first = firstLife("0123456789abcdefghijklmno" as NodeId);
  assert.deepEqual(first, ["0123456789"]);
  assert.deepEqual(nextLife(first, "zyxwvutsrqponmlkjihgfedcb"), ["0123456789", "zyxwvutsrq"]);
});
