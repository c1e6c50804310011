import assert from "node:assert/strict";
import { test } from "node:test";
import { splitWords } from "./words.ts";

const lines: readonly [line: string, want: string[] | undefined][] = [
  ["", []],
  ["  a  b ", ["a", "b"]],
  [`sh -c "echo 'hi' \\"x\\""`, ["sh", "-c", `echo 'hi' "x"`]],
  ["'a \\ b'\"c\"d", ["a \\ bcd"]],
  ["a\\ b ''", ["a b", ""]],
  ["a # rest\nb", ["a", "b"]],
  ["a#b", ["a#b"]],
  ['a "b', undefined],
  ["a\\", undefined],
];
for (const [line, want] of lines) {
  test(`splitWords() ${line}`, () => assert.deepEqual(splitWords(line), want));
}
