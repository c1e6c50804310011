import assert from "node:assert/strict";
import { test } from "node:test";
import { jsonOr } from "./json.ts";

test("jsonOr() reads JSON, and returns another value for other text", () => {
  assert.deepEqual(jsonOr('{"a":[1]}', "none"), { a: [1] });
  assert.equal(jsonOr("null", "none"), null);
  for (const text of ["", "{", "undefined", "<html>"]) assert.equal(jsonOr(text, "none"), "none");
});
