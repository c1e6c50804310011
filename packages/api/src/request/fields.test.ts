import assert from "node:assert/strict";
import { test } from "node:test";
import { fieldsOf, textOf } from "./fields.ts";

test("a value of another shape has no fields and no text", () => {
  assert.deepEqual(fieldsOf({ Id: "a" }), { Id: "a" });
  for (const value of [null, undefined, "text", 1, ["a"]]) assert.deepEqual(fieldsOf(value), {});
  assert.equal(textOf("a"), "a");
  for (const value of [null, undefined, {}, 1, ["a"]]) assert.equal(textOf(value), "");
});
