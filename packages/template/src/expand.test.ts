import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  Budget,
  type Expansion,
  expand,
  fromBytes,
  goText,
  parseProblem,
  TextMap,
  toBytes,
} from "./index.ts";

const given: Expansion = {
  name: "t",
  data: new TextMap(new Map([["a", "1"]])),
  functions: new Map([["up", { fixed: ["string"], call: ([text]) => String(text).toUpperCase() }]]),
};

test("functions of the caller stand beside Go's own", () => {
  assert.deepEqual(expand('{{up "x" | printf "%s-%s" .a}}', given), { text: "1-X" });
  assert.deepEqual(expand("{{up 1}}", given), {
    error: 'template: t:1:5: executing "t" at <1>: expected string; found 1',
  });
  assert.deepEqual(expand("{{up (len .a)}}", given), {
    error:
      'template: t:1:10: executing "t" at <.a>: wrong type for value; expected string; got int',
  });
});

test("a map must have the key of a field", () => {
  assert.deepEqual(expand("{{.b}}", given), {
    error: 'template: t:1:2: executing "t" at <.b>: map has no entry for key "b"',
  });
});

test("bytes that are no UTF-8 pass unchanged", () => {
  const bytes = Uint8Array.of(0xff, 0x7b, 0x7b, 0x31, 0x7d, 0x7d, 0xfe, 0x0d, 0x00);
  const got = expand(fromBytes(bytes), given);
  assert.ok("text" in got);
  assert.deepEqual([...toBytes(got.text)], [0xff, 0x31, 0xfe, 0x0d, 0x00]);
});

test("parseProblem() finds what no data could mend, and only that", () => {
  assert.equal(parseProblem("{{.a.b.c}}", given), undefined);
  assert.equal(parseProblem('{{upper "a"}}', given), 'template: t:1: function "upper" not defined');
});

test("complex numbers are refused", () => {
  assert.deepEqual(expand("{{1+2i}}", given), {
    error: "template: t:1: complex numbers are not supported",
  });
  assert.match(JSON.stringify(expand("{{3i}}", given)), /complex numbers are not supported/);
});

const double = '{{$x := "0123456789abcdef"}}{{range 40}}{{$x = printf "%s%s" $x $x}}{{end}}';
const bombs: readonly (readonly [name: string, template: string, error: RegExp])[] = [
  ["a long range", "{{range 1000000000}}{{end}}", /too many steps/],
  ["ranges in ranges", "{{range 9999}}{{range 9999}}x{{end}}{{end}}", /too many steps/],
  [
    "a range of text",
    `{{$x := printf "%500000d" 1}}{{range 10}}{{$x}}{{end}}`,
    /longer than 4194304 bytes/,
  ],
  ["a text that doubles", double, /too long|too many steps/],
  ["wide numbers", `{{printf "${"%1000000d".repeat(9)}" 1 1 1 1 1 1 1 1 1}}`, /too long/],
  [
    "long texts, many times",
    `{{$x := printf "%1000000d" 1}}{{print ${"$x ".repeat(9)}}}`,
    /too long/,
  ],
  [
    "long texts that are thrown away",
    '{{$x := printf "%1000000d" 1}}{{range 100000}}{{$y := html $x}}{{end}}',
    /too many steps/,
  ],
  [
    "templates that call each other",
    '{{define "a"}}{{template "b"}}{{end}}{{define "b"}}{{template "a"}}{{end}}{{template "a"}}',
    /exceeded maximum template depth/,
  ],
  [
    "templates that call each other from deep inside",
    `{{define "a"}}${"{{if 1}}".repeat(80)}{{template "a"}}${"{{end}}".repeat(80)}{{end}}{{template "a"}}`,
    /more than 400 blocks/,
  ],
  ["parentheses", `{{${"(".repeat(5000)}1${")".repeat(5000)}}}`, /max expression depth/],
  ["blocks", "{{if 1}}".repeat(5000), /max expression depth/],
  ["else if", `{{if 0}}${"{{else if 0}}".repeat(5000)}{{end}}`, /max expression depth/],
  [
    "precision",
    '{{printf "%.1000000f%.1000000f%.1000000f%.1000000f%.1000000f" 0.1 0.1 0.1 0.1 0.1}}',
    /too long/,
  ],
];
for (const [name, template, error] of bombs) {
  test(`${name}: ends soon`, () => {
    const beganMs = performance.now();
    const got = expand(template, given);
    assert.ok("error" in got);
    assert.match(got.error, error);
    assert.ok(performance.now() - beganMs < 3000);
  });
}

test("templates with one budget end soon together", () => {
  const expansion = { ...given, budget: new Budget() };
  const outcomes = Array.from({ length: 12 }, () => expand("{{range 9999}}{{end}}", expansion));
  assert.deepEqual(outcomes[0], { text: "" });
  assert.match(JSON.stringify(outcomes.at(-1)), /too many steps/);
  assert.deepEqual(expand("no template", expansion), { text: "no template" });
});

test("many comments and texts do not use the stack", () => {
  assert.deepEqual(expand(`${"{{/* */}}".repeat(50_000)}x`, given), { text: "x" });
});

test("any text ends in a text or an error", () => {
  const piece = fc.constantFrom(
    ...'{{ }} {{- -}} if else end range with define template block break continue nil ( ) | , := = $ $x . .a "q" ` \' 1 2.5 /* */ and or not index slice len printf print eq lt html \n'.split(
      " ",
    ),
  );
  const noise = fc.oneof(piece, fc.string({ maxLength: 4 }), fc.constant(" "));
  fc.assert(
    fc.property(fc.array(noise, { maxLength: 30 }), (all) => {
      const got = expand(goText(all.join("")), given);
      assert.equal(typeof ("text" in got ? got.text : got.error), "string");
    }),
    { numRuns: 2000 },
  );
});
