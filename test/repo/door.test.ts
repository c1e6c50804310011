/** What a new developer uses first: the npm scripts that run tests, and the script that CI runs too. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

const checkout = join(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "gam-door-"));
after(() => rmSync(folder, { recursive: true }));

function one(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["scripts/one.ts", ...args], {
    cwd: checkout,
    encoding: "utf8",
    // If it is set, Node's runner refuses to run inside another runner's test.
    env: { ...process.env, NODE_TEST_CONTEXT: undefined },
  });
  return { code: status, out: stdout, err: stderr };
}

const file = join(folder, "some.test.ts");
writeFileSync(
  file,
  'import { test } from "node:test";\ntest("passes", () => undefined);\ntest("fails", () => { throw new Error("planted"); });\n',
);

const refused: readonly (readonly [readonly string[], RegExp])[] = [
  [
    [],
    /^one wants a test file, such as packages\/.*; "npm run one -- --help" shows the options\n$/,
  ],
  [
    ["packages/state"],
    /^one wants a file whose name ends in \.test\.ts, found "packages\/state"; /,
  ],
  [["packages/no.test.ts"], /^no file "packages\/no\.test\.ts"; name it from the top folder /],
  [["--frob", file], /--frob/],
];
for (const [words, message] of refused) {
  test(`npm run one refuses "${words.join(" ")}" and runs nothing`, () => {
    const { code, out, err } = one(...words);
    assert.deepEqual([code, out], [2, ""]);
    assert.match(err, message);
  });
}

test("npm run one runs the tests of a file, and fails with them", () => {
  const { code, out } = one(file);
  assert.equal(code, 1);
  assert.match(out, /pass 1\b[\s\S]*fail 1\b/);
});

test("npm run one runs only tests that match a name", () => {
  const { code, out } = one(file, "--name", "^passes$");
  assert.equal(code, 0, out);
  assert.match(out, /pass 1\b/);
});

test("CI runs scripts/test, and has no list of steps of its own", () => {
  const workflow = readFileSync(join(checkout, ".github/workflows/check.yml"), "utf8");
  const commands = [...workflow.matchAll(/^\s*-?\s*run:\s*(.*)$/gm)].map(([, command]) => command);
  assert.deepEqual(commands, ["sudo scripts/test"]);
});

test("the issue form requires the output of gam doctor", () => {
  const form = readFileSync(join(checkout, ".github/ISSUE_TEMPLATE/bug.yml"), "utf8");
  const doctor = form.split(/^ {2}- type: /m).find((field) => field.includes("gam doctor"));
  assert.match(doctor ?? "", /required: true/);
});
