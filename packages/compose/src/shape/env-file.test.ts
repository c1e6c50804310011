import assert from "node:assert/strict";
import { test } from "node:test";
import { parseEnvFile } from "./env-file.ts";

test("parseEnvFile() takes values literally", () => {
  const text = '\uFEFF# c\r\nA=1\r\n\n  B= x \nC="q"=r\nFROM\nNOWHERE\nD=\n';
  assert.deepEqual(parseEnvFile(text, { FROM: "env" }), {
    ok: true,
    values: { A: "1", B: " x ", C: '"q"=r', FROM: "env", D: "" },
  });
});

test("parseEnvFile() names the invalid line", () => {
  const found = [parseEnvFile("A=1\n=x", {}), parseEnvFile("A B=1", {})];
  assert.deepEqual(
    found.map((result) => !result.ok && result.line),
    [2, 1],
  );
});
