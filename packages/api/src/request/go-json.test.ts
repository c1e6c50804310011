import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseGoJson } from "./go-json.ts";

/** Each as Go's encoding/json says it. */
const cases: readonly (readonly [text: string, problem: string])[] = [
  ["{bad", "invalid character 'b' looking for beginning of object key string"],
  ["notjson", "invalid character 'o' in literal null (expecting 'u')"],
  ["trux", "invalid character 'x' in literal true (expecting 'e')"],
  ["falsy", "invalid character 'y' in literal false (expecting 'e')"],
  ["x", "invalid character 'x' looking for beginning of value"],
  ["é", "invalid character 'Ã' looking for beginning of value"],
  ["'a'", "invalid character '\\'' looking for beginning of value"],
  ["\u0001", "invalid character '\\x01' looking for beginning of value"],
  ["", "unexpected end of JSON input"],
  [" {", "unexpected end of JSON input"],
  ["tru", "unexpected end of JSON input"],
  ['{"a"', "unexpected end of JSON input"],
  ['{"a":1', "unexpected end of JSON input"],
  ["[1,", "unexpected end of JSON input"],
  ['"abc', "unexpected end of JSON input"],
  ['"\\u12', "unexpected end of JSON input"],
  ["-", "unexpected end of JSON input"],
  ["1.", "unexpected end of JSON input"],
  ["1e", "unexpected end of JSON input"],
  ["1e+", "unexpected end of JSON input"],
  ['{"a" 1}', "invalid character '1' after object key"],
  ['{"a":1 "b":2}', "invalid character '\"' after object key:value pair"],
  ['{"a":1,}', "invalid character '}' looking for beginning of object key string"],
  ["[1,]", "invalid character ']' looking for beginning of value"],
  ["[1 2]", "invalid character '2' after array element"],
  ['"a\nb"', "invalid character '\\n' in string literal"],
  ['"\\x"', "invalid character 'x' in string escape code"],
  ['"\\u12g4"', "invalid character 'g' in \\u hexadecimal character escape"],
  ["-a", "invalid character 'a' in numeric literal"],
  ["1.a", "invalid character 'a' after decimal point in numeric literal"],
  ["1ex", "invalid character 'x' in exponent of numeric literal"],
  ["1e+x", "invalid character 'x' in exponent of numeric literal"],
  ["01", "invalid character '1' after top-level value"],
  ["1 2", "invalid character '2' after top-level value"],
  ["{} {}", "invalid character '{' after top-level value"],
  ["[".repeat(100_000), "exceeded max depth"],
];
for (const [text, message] of cases) {
  test(`parseGoJson() says of ${JSON.stringify(text.slice(0, 20))}: ${message}`, () => {
    assert.throws(() => parseGoJson(text), { code: "BAD_REQUEST", message });
  });
}

test("the caller chooses the words for a text that is cut off or goes on", () => {
  const words = { cutOff: "unexpected EOF", trailing: "unexpected content after JSON" };
  assert.throws(() => parseGoJson('{"a":', words), { message: "unexpected EOF" });
  assert.throws(() => parseGoJson("{}x", words), { message: "unexpected content after JSON" });
  assert.deepEqual(parseGoJson("{} \r\n\t", words), {});
});

test("of equal keys the last one counts, in its own place", () => {
  const read = parseGoJson('{"a":1,"b":2,"a":3}') as object;
  assert.deepEqual(Object.entries(read), [
    ["b", 2],
    ["a", 3],
  ]);
});

test("half a surrogate pair becomes the replacement character", () => {
  assert.equal(parseGoJson('"\\ud83d\\ude00 \\ud83d x"'), "😀 \ufffd x");
});

test("parseGoJson() takes what JSON.parse() takes, and refuses all else", () => {
  fc.assert(
    fc.property(fc.json({ stringUnit: "grapheme" }), (text) =>
      assert.deepEqual(parseGoJson(text), JSON.parse(text)),
    ),
  );
  const pieces = fc.constantFrom(...'{}[],:"\\ 019.-+eEtruefalsenullab\n\u0001é');
  fc.assert(
    fc.property(fc.string({ unit: pieces, maxLength: 12 }), (text) => {
      const read = attempt(() => parseGoJson(text));
      assert.deepEqual(
        read,
        attempt(() => JSON.parse(text)),
      );
    }),
    { numRuns: 5000 },
  );
});

function attempt(parse: () => unknown): unknown {
  try {
    return { value: parse() };
  } catch (thrown) {
    assert.notEqual((thrown as Error).message, "");
    return "refused";
  }
}
