// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the templates under test hold variables.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { interpolate } from "./interpolate.ts";

const environment = { SET: "value", EMPTY: "", PRICE: "$SET" };

const cases: readonly [template: string, want: string][] = [
  ["$SET and ${SET}", "value and value"],
  ["$SET-tail", "value-tail"],
  ["$$SET $${SET}", "$SET ${SET}"],
  ["$PRICE", "$SET"],
  ["${EMPTY:-d}${EMPTY-d}${NONE-d}${SET:-d}", "ddvalue"],
  ["${NONE:-${EMPTY:-${SET}}}", "value"],
  ["${NONE:-a}b}", "ab}"],
  // Literal, as the docker client reads defaults.
  ["${NONE:-$$5}", "$$5"],
  ["${HASH:-$2a$14$abc}", "$2a$14$abc"],
  ["${SET:-$2a$14$abc}", "value"],
  ["${NONE:-$SET}", "$SET"],
  ["${NONE-a:-b}", "a:-b"],
  // By the specification where whole braces are inside.
  ["${NONE:-${SET}-$$5-$SET-$1}", "value-$5-value-$1"],
  ["${NONE:-${NONE-${SET}}}x}", "valuex}"],
  // Braces that never close are literal.
  ["${NONE:-a${b}", "a${b"],
  ["${SET:+yes}${SET+yes}${EMPTY:+no}${EMPTY+yes}${NONE:+no}${NONE+no}", "yesyesyes"],
  ["${SET:?no}${EMPTY?no}", "value"],
  ["${SET:-${NONE?never asked}}", "value"],
  ["${NONE:-}", ""],
];
for (const [template, want] of cases) {
  test(`interpolate() ${template}`, () => {
    assert.deepEqual(interpolate(template, environment), { ok: true, text: want, unset: [] });
  });
}

const refusals: readonly [template: string, want: RegExp][] = [
  ["${NONE:?say who}", /variable "NONE" is required: say who$/],
  ["${EMPTY:?}", /variable "EMPTY" is required$/],
  ["${NONE?${SET}}", /variable "NONE" is required: value$/],
  ["${NONE:?$SET costs $5}", /variable "NONE" is required: \$SET costs \$5$/],
  ["$", /found "\$" without a variable/],
  ["a $ b", /write "\$\$" for a dollar/],
  ["${SET", /found an invalid variable/],
  ["${SET:-x", /found no closing "}"/],
  ["${}", /found an invalid variable/],
  ["${1}", /found an invalid variable/],
  ["${SET!x}", /found an invalid variable/],
];
for (const [template, want] of refusals) {
  test(`interpolate() refuses ${template}`, () => {
    const result = interpolate(template, environment);
    assert.match(result.ok ? "" : result.message, want);
  });
}

test("interpolate() names each unset variable once", () => {
  const result = interpolate("$A ${B} ${A} ${C:-${D}} ${E:+${F}}", { C: "c" });
  assert.deepEqual(result, { ok: true, text: "   c ", unset: ["A", "B"] });
});

const word = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,5}$/);

test("interpolate() restores a text whose dollars are doubled", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const result = interpolate(text.replaceAll("$", "$$$$"), {});
      assert.deepEqual(result, { ok: true, text, unset: [] });
    }),
  );
});

test("interpolate() does not interpolate values", () => {
  fc.assert(
    fc.property(word, fc.string(), (name, value) => {
      const result = interpolate(`<\${${name}}>`, { [name]: value });
      assert.equal(result.ok && result.text, `<${value}>`);
    }),
  );
});

test("interpolate() takes the default exactly when the other form is empty", () => {
  fc.assert(
    fc.property(word, fc.option(fc.string(), { nil: undefined }), (name, value) => {
      const environment = value === undefined ? {} : { [name]: value };
      for (const colon of [":", ""]) {
        const fallback = interpolate(`\${${name}${colon}-d}`, environment);
        const instead = interpolate(`\${${name}${colon}+r}`, environment);
        const present = instead.ok && instead.text === "r";
        assert.equal(fallback.ok && fallback.text, present ? value : "d");
      }
    }),
  );
});

test("interpolate() returns a result for every text", () => {
  const pieces = fc.constantFrom("$", "{", "}", ":", "-", "?", "+", "A", "B", " ");
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
      const result = interpolate(parts.join(""), { A: "a" });
      assert.equal(typeof (result.ok ? result.text : result.message), "string");
    }),
    { numRuns: 2000 },
  );
});
