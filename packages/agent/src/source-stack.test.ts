import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { sourceStack } from "./source-stack.ts";

const folder = mkdtempSync(join(tmpdir(), "gam-stack-"));
after(() => rmSync(folder, { recursive: true }));

const source = `export function planted(): string {

  return new Error("planted").stack ?? "";
}`;
mkdirSync(join(folder, "src"));
writeFileSync(join(folder, "src/planted.ts"), source);
const bundle = join(folder, "dist/program.mjs");
await build({
  entryPoints: [join(folder, "src/planted.ts")],
  outfile: bundle,
  format: "esm",
  minifyWhitespace: true,
  sourcemap: "external",
  absWorkingDir: folder,
});
const { planted } = await import(pathToFileURL(bundle).href);
const stack: string = planted();

test("sourceStack() names the position in the source, with its function", () => {
  assert.match(stack, /planted \(file:.*program\.mjs:1:/);
  const first = sourceStack(stack, Date.now() + 1000).split("\n")[1];
  assert.equal(first, "    at planted (src/planted.ts:3:10)");
});

test("sourceStack() keeps positions without a map", () => {
  const own = new Error("of the sources").stack ?? "";
  assert.equal(sourceStack(own, Date.now()), own);
});

test("sourceStack() does not use the map of a bundle that was made later", () => {
  const startedAtMs = statSync(bundle).mtimeMs;
  utimesSync(`${bundle}.map`, startedAtMs / 1000 + 5, startedAtMs / 1000 + 5);
  assert.equal(sourceStack(stack, startedAtMs), stack);
});
