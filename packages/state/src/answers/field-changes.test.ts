import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fieldChanges } from "./field-changes.ts";

const cases: readonly [name: string, before: unknown, after: unknown, want: readonly string[]][] = [
  ["equal values", { a: 1, b: [1, 2] }, { b: [1, 2], a: 1 }, []],
  ["a leaf", { a: { b: 1 } }, { a: { b: 2 } }, ["a.b: 1 > 2"]],
  ["a new field", {}, { a: "x" }, ['a:  > "x"']],
  ["a field that was removed", { a: true }, {}, ["a: true > "]],
  ["what is empty and what is absent", { a: {}, b: [], c: null }, {}, []],
  [
    "a variable that moved, and another value",
    { Env: ["A=1", "B=2"] },
    { Env: ["B=3", "A=1"] },
    ['Env[B]: "2" > "3"'],
  ],
  [
    "a mount at the front of others",
    { Mounts: [{ Target: "/data", Source: "x" }] },
    { Mounts: [{ Target: "/new" }, { Target: "/data", Source: "y" }] },
    ['Mounts[/data].Source: "x" > "y"', 'Mounts[/new]:  > {"Target":"/new"}'],
  ],
  ["arguments by place", { Args: ["a", "b"] }, { Args: ["a", "c"] }, ['Args[1]: "b" > "c"']],
  [
    "two items with one name",
    { P: [{ Name: "a" }] },
    { P: [{ Name: "a" }, { Name: "a" }] },
    ['P[a, 1]:  > {"Name":"a"}'],
  ],
];

for (const [name, before, after, want] of cases) {
  test(`fieldChanges() of ${name}`, () => {
    const shown = fieldChanges(before, after).map(
      (one) => `${one.path}: ${one.before} > ${one.after}`,
    );
    assert.deepEqual(shown, want);
  });
}

test("fieldChanges() finds nothing in a value and its copy, and something in two values", () => {
  const value = fc.object({ maxDepth: 3, withNullPrototype: false });
  fc.assert(
    fc.property(value, fc.string({ minLength: 1 }), (one, text) => {
      assert.deepEqual(fieldChanges(one, structuredClone(one)), []);
      assert.notDeepEqual(fieldChanges({ one, text }, { one, text: `${text}!` }), []);
    }),
  );
});
