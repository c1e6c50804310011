import assert from "node:assert/strict";
import { test } from "node:test";
import { Filters } from "./filters.ts";

const read = (filters: object): Filters => new Filters(JSON.stringify(filters), "any");

test("values of one key are alternatives, in either form", () => {
  for (const filters of [read({ name: { a: true, b: true } }), read({ name: ["a", "b"] })]) {
    assert.deepEqual(
      ["a1", "b1", "c1"].map((name) => filters.prefix("name", name)),
      [true, true, false],
    );
  }
  assert.equal(read({ name: { a: false } }).exact("name", "b"), true);
  assert.equal(read({}).exact("name", "b"), true);
});

test("all labels must be there, with their value where one is given", () => {
  const labels = { a: "1", b: "2" };
  const cases: [string[], boolean][] = [
    [["a"], true],
    [["a=1", "b"], true],
    [["a=1", "b=3"], false],
    [["c"], false],
    [["a="], false],
    [["toString"], false],
  ];
  for (const [values, want] of cases) {
    assert.equal(read({ label: values }).labels("label", labels), want, values.join());
  }
  assert.equal(read({ label: ["a"] }).labels("label", undefined), false);
});

const refused = [
  { text: "notjson", status: 500 },
  { text: "[]", status: 400 },
  { text: '{"name":1}', status: 400 },
  { text: '{"bogus":{"1":true}}', status: 400 },
  { text: '{"name":[{}]}', status: 400 },
  { text: '{"name":["web",{"toString":1}]}', status: 400 },
];
for (const { text, status } of refused) {
  test(`filters ${text} are refused`, () => {
    assert.throws(() => new Filters(text, ["name"]), { name: "ApiError", status });
  });
}

test("no filters let everything pass", () => {
  for (const text of [undefined, "", "null", "{}"]) {
    assert.equal(new Filters(text, []).exact("name", "x"), true);
  }
});
