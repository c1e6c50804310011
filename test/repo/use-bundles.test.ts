/** When scripts/env rebuilds the bundles, and with which arguments scripts/gam starts them. Node is a stub. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

const checkout = join(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "gam-use-bundles-"));
after(() => rmSync(folder, { recursive: true }));

interface Ran {
  readonly status: number | null;
  /** Calls of node, with their arguments, in order, without those for its version. */
  readonly calls: readonly string[];
  readonly stderr: string;
}

/** A checkout whose node builds bundles by `makes`, a line of shell. */
function makeTree(makes = "touch dist/agent.mjs dist/gam.cjs"): {
  readonly root: string;
  readonly gam: (...words: string[]) => Ran;
} {
  const root = mkdtempSync(join(folder, "tree-"));
  for (const path of ["bin", "scripts/bundle", "packages/core/src", "node_modules"]) {
    mkdirSync(join(root, path), { recursive: true });
  }
  for (const path of ["scripts/env", "scripts/run", "scripts/gam"]) {
    copyFileSync(join(checkout, path), join(root, path));
  }
  for (const path of ["package-lock.json", "node_modules/.gam-lock", "packages/core/src/a.ts"]) {
    writeFileSync(join(root, path), "");
  }
  const node = `#!/bin/sh
    if [ "$1" = --version ]; then echo v24.0.0; exit; fi
    echo "$* $MALLOC_ARENA_MAX" >>${root}/calls
    if [ "$1" = scripts/bundle/main.ts ]; then ${makes}; fi`;
  writeFileSync(join(root, "bin/node"), node, { mode: 0o755 });
  const gam = (...words: string[]): Ran => {
    writeFileSync(join(root, "calls"), "");
    const { status, stderr } = spawnSync("bash", [join(root, "scripts/gam"), ...words], {
      env: { PATH: `${join(root, "bin")}:${process.env.PATH}` },
      encoding: "utf8",
    });
    const text = readFileSync(join(root, "calls"), "utf8").replaceAll(`${root}/`, "");
    const calls = text.split("\n").flatMap((line) => line.trimEnd() || []);
    return { status, calls, stderr };
  };
  return { root, gam };
}

const agent = "--max-semi-space-size=2 --v8-pool-size=1 dist/agent.mjs";
const making = ["scripts/bundle/main.ts", `${agent} --help 1`, "dist/gam.cjs --help"];

test("bundles are made at the first call, with their compiled code, and then used", () => {
  const { gam } = makeTree();
  assert.deepEqual(gam("status").calls, [...making, "dist/gam.cjs status"]);
  assert.deepEqual(gam("status", "--json").calls, ["dist/gam.cjs status --json"]);
});

test("gam agent starts the agent with its flags", () => {
  const { gam } = makeTree();
  gam("--version");
  assert.deepEqual(gam("agent", "--log", "a b").calls, [`${agent} --log a b 1`]);
});

test("a source added later rebuilds them, even with an old file time", () => {
  const { root, gam } = makeTree();
  gam("--version");
  const source = join(root, "packages/core/src/a.ts");
  writeFileSync(source, "changed");
  utimesSync(source, 1, 1);
  assert.deepEqual(gam("--version").calls, [...making, "dist/gam.cjs --version"]);
});

test("a failed build fails the call, and no old bundle is started", () => {
  const { gam } = makeTree("echo planted >&2; exit 1");
  const { status, calls, stderr } = gam("status");
  assert.notEqual(status, 0);
  assert.deepEqual(calls, ["scripts/bundle/main.ts"]);
  assert.match(stderr, /planted/);
});
