import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseGoJson } from "./go-json.ts";

const cases = [
  { text: "{bad", want: "invalid character 'b' looking for beginning of object key string" },
  { text: "notjson", want: "invalid character 'o' in literal null (expecting 'u')" },
  { text: "x", want: "invalid character 'x' looking for beginning of value" },
  { text: " {", want: "unexpected end of JSON input" },
  { text: "tru", want: "unexpected end of JSON input" },
];
for (const { text, want } of cases) {
  test(`parseGoJson() says of ${text}: ${want}`, () => {
    assert.throws(() => parseGoJson(text), { code: "BAD_REQUEST", message: want });
  });
}

test("parseGoJson() reads all JSON, and says something of all that is none", () => {
  fc.assert(
    fc.property(fc.json(), (text) => assert.deepEqual(parseGoJson(text), JSON.parse(text))),
  );
  fc.assert(
    fc.property(fc.string(), (text) => {
      try {
        parseGoJson(text);
      } catch (thrown) {
        assert.notEqual((thrown as Error).message, "");
      }
    }),
  );
});
