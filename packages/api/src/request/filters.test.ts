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

test("a network's name is a regular expression, unless matching it could take long", () => {
  const cases: readonly (readonly [value: string, name: string, want: boolean])[] = [
    ["front", "shop_front", true],
    ["^front$", "shop_front", false],
    ["^shop_front$", "shop_front", true],
    ["^(front|back)$", "back", true],
    ["fr.nt", "front", true],
    ["a+", "back", true],
    ["(a+)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", false],
    ["a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac", false],
    ["(front", "shop_(front", true],
    ["[", "front", false],
  ];
  for (const [value, name, want] of cases) {
    assert.equal(read({ name: [value] }).pattern("name", name), want, `${value} in ${name}`);
  }
  assert.equal(read({}).pattern("name", "front"), true);
});

test("words are known, in any case", () => {
  const roles = ["worker", "manager"] as const;
  assert.deepEqual(read({ role: ["Manager", ""] }).words("role", roles), ["manager"]);
  assert.throws(() => read({ role: ["boss"] }).words("role", roles), {
    status: 500,
    message: "Invalid role filter: 'boss'",
  });
});

test("an empty value of a cluster's label means any value", () => {
  const labels = { a: "1", b: "2=3" };
  const cases: [string[], boolean][] = [
    [["a"], true],
    [["a="], true],
    [["a=1", "b=2=3"], true],
    [["a=2"], false],
    [["c="], false],
    [["toString"], false],
  ];
  for (const [values, want] of cases) {
    assert.equal(read({ label: values }).clusterLabels("label", labels), want, values.join());
  }
});
