// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the sources under test are strings here.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { folderOrder } from "./layers.ts";
import { rules } from "./rules.ts";
import { readSource } from "./source.ts";
import { readTree } from "./tree.ts";

const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

const manifest = (name: string, dependencies: object): string =>
  JSON.stringify({ name: `@gam/${name}`, exports: { ".": "./src/index.ts" }, dependencies });

/** A tree that breaks no rule. */
const clean: Readonly<Record<string, string>> = {
  "package.json": JSON.stringify({ devDependencies: { "fast-check": "1.2.3" } }),
  "packages/core/package.json": manifest("core", {}),
  "packages/core/README.md": "# core\n",
  "packages/core/src/index.ts": 'export { one } from "./one.ts";\n',
  "packages/core/src/one.ts":
    "// Not Date.now(), nor a TODO(#7).\nexport const one = `${1 / 2} process.exit() /`;\n",
  "packages/template/package.json": manifest("template", {}),
  "packages/template/README.md": "# template\n",
  "packages/template/src/index.ts": 'export { three } from "./three.ts";\n',
  "packages/template/src/three.ts": "export const three = 3;\n",
  "packages/state/package.json": manifest("state", {
    "@gam/core": "*",
    "@gam/template": "*",
    yaml: "2.9.1",
  }),
  "packages/state/README.md": "# state\n",
  "packages/state/src/index.ts":
    'import { one } from "@gam/core";\nimport { parse } from "yaml";\nexport type Process = { process: 1 };\nexport const two = parse(one);\n',
  "packages/state/src/two.test.ts":
    'import fc from "fast-check";\nimport "node:test";\nawait fc.assert(Math.random());\n',
  "test/bench/two.ts": 'import { two } from "@gam/state";\nrun(two);\n',
  "scripts/go": "node packages/state/src/started.ts\n",
  "packages/state/src/started.ts": 'import { three } from "@gam/template";\nrun(three);\n',
};

function breaches(changed: Readonly<Record<string, string>>): string[] {
  const root = mkdtempSync(join(tmpdir(), "gam-repo-"));
  folders.push(root);
  for (const [path, text] of Object.entries({ ...clean, ...changed })) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  const tree = readTree(root);
  return Object.entries(rules).flatMap(([name, rule]) =>
    rule(tree).map(({ path, line }) => `${name} ${path}:${line}`),
  );
}

test("a clean tree breaks no rule", () => assert.deepEqual(breaches({}), []));

const core = "packages/core/src/one.ts";
const state = "packages/state/src/index.ts";
const used = 'import { one } from "@gam/core";\nimport "yaml";\nexport const two = one;\n';
test("a path to a program does not count as an import, but makes the program count as used", () => {
  const started = 'new URL("../../core/src/program.ts", import.meta.url);\n';
  const files = { "packages/core/src/program.ts": "run();\n", [state]: used + started };
  assert.deepEqual(breaches(files), []);
});

const machine = ["", "work", "main"].join("/");

/** The state with a file in each of its folders, and further files. */
function stateFolders(more: Readonly<Record<string, string>> = {}): Record<string, string> {
  const files: Record<string, string> = {};
  const imports: string[] = [];
  for (const folder of folderOrder["packages/state/src"] ?? []) {
    const name = folder.replaceAll("/", "");
    files[`packages/state/src/${folder}/${name}.ts`] = `export const ${name} = 1;\n`;
    imports.push(`export { ${name} } from "./${folder}/${name}.ts";\n`);
  }
  const bench = { "test/bench/two.ts": 'import * as state from "@gam/state";\nrun(state);\n' };
  return { ...files, ...bench, [state]: used + imports.join(""), ...more };
}
const objects = "packages/state/src/objects/objects.ts";
const specs = "packages/state/src/specs/specs.ts";
const importing = (name: string, path: string): string =>
  `import { ${name} } from "${path}";\nexport const `;

test("folders in order break no rule, and tests may import upward", () => {
  const files = stateFolders({
    [specs]: `${importing("objects", "../objects/objects.ts")}specs = objects;\n`,
    "packages/state/src/objects/objects.test.ts": 'import "../specs/specs.ts";\n',
  });
  assert.deepEqual(breaches(files), []);
});

const planted: readonly { name: string; files: Record<string, string>; want: string[] }[] = [
  {
    name: "an import against the map",
    files: {
      "packages/core/package.json": manifest("core", { "@gam/state": "*" }),
      [core]: 'import type { Process } from "@gam/state";\nexport const one: Process = 1;\n',
    },
    want: [
      `layers ${core}:1`,
      "cycles packages/core/src/index.ts:1",
      "folderCircles packages/state/src/index.ts:1",
    ],
  },
  {
    name: "a package that the map does not know",
    files: { "packages/extra/src/main.ts": "" },
    want: ["layers packages/extra/src/main.ts:1", "readmes packages/extra/README.md:1"],
  },
  {
    name: "a relative import that leaves its package",
    files: { [state]: `${used}export * from "../../core/src/one.ts";\n` },
    want: [`layers ${state}:4`],
  },
  {
    name: "a testing door in the product",
    files: {
      "packages/core/package.json": JSON.stringify({
        name: "@gam/core",
        exports: { ".": "./src/index.ts", "./testing": "./src/testing/index.ts" },
      }),
      "packages/core/src/testing/index.ts": "export const seed = 1;\n",
      [state]: `${used}export { seed } from "@gam/core/testing";\n`,
    },
    want: [`layers ${state}:4`, `deadDoorExports ${state}:4`],
  },
  {
    name: "a circle of files",
    files: {
      [core]: 'import { three } from "./three.ts";\nexport const one = three;\n',
      "packages/core/src/three.ts": 'import { one } from "./one.ts";\nexport const three = one;\n',
    },
    want: [`cycles ${core}:1`],
  },
  {
    name: "an import from a folder above",
    files: stateFolders({
      [objects]: `${importing("specs", "../specs/specs.ts")}objects = specs;\n`,
    }),
    want: [`folderLayers ${objects}:1`],
  },
  {
    name: "an import from the files beside a folder",
    files: stateFolders({
      [specs]: `${importing("five", "../five.ts")}specs = five;\n`,
      "packages/state/src/five.ts": "export const five = 5;\n",
    }),
    want: [`folderCircles ${specs}:1`, `folderLayers ${specs}:1`],
  },
  {
    name: "a circle of folders without a circle of files",
    files: stateFolders({
      [specs]: `${importing("objects", "../objects/objects.ts")}specs = objects;\n`,
      "packages/state/src/objects/six.ts": `${importing("seven", "../specs/seven.ts")}six = seven;\n`,
      "packages/state/src/specs/seven.ts": "export const seven = 7;\n",
      "packages/state/src/eight.test.ts": 'import { six } from "./objects/six.ts";\n',
    }),
    want: [`folderCircles ${specs}:1`, "folderLayers packages/state/src/objects/six.ts:1"],
  },
  {
    name: "a folder without a place in the order",
    files: {
      [core]: 'import "./text/ten.ts";\nexport { nine as one } from "./nines/nine.ts";\n',
      "packages/core/src/nines/nine.ts": "export const nine = 9;\n",
      "packages/core/src/text/ten.ts": "run();\n",
    },
    want: ["folderLayers packages/core/src/nines:1"],
  },
  {
    name: "a folder with too many files",
    files: Object.fromEntries(
      Array.from({ length: 24 }, (_, at) => [`packages/core/src/a${at}.test.ts`, "run();\n"]),
    ),
    want: ["folderSizes packages/core/src:1"],
  },
  {
    name: "a type's name in two packages",
    files: {
      [core]: "export const one = 1;\nexport interface Process {}\nexport type Input = 1;\n",
      [state]: `${used}export type Process = 1;\nexport class Input {}\n`,
      "test/bench/two.ts": 'import { Input, two } from "@gam/state";\nrun(two, Input);\n',
    },
    want: [`typeNames ${state}:4`],
  },
  ...[
    "Date.now()",
    "new Date()",
    "new Date",
    "Math.random()",
    "setTimeout(one)",
    "setInterval(one)",
    "console.log()",
    "process.pid",
    "async () => 1",
    "Promise.resolve()",
    "`${console}`",
  ].map((code) => ({
    name: `${code} in a pure package`,
    files: { [core]: `// Why.\nexport const one = ${code};\n` },
    want: [`purity ${core}:2`],
  })),
  ...[
    "try { f(); } catch {}",
    "try { f(); } catch (thrown) { g(thrown); }",
    "try { f(); } catch (thrown) { throw new Error(`${thrown}`); }",
    "try { f(); } catch (thrown) { if (thrown instanceof GamError) g(); }",
    "f().catch(() => undefined);",
    "f().catch((thrown) => g(thrown));",
  ].map((code) => ({
    name: `a catch of everything: ${code}`,
    files: { [core]: `export const one = 1;\n${code}\n` },
    want: [`catches ${core}:2`],
  })),
  {
    name: "no fault in a catch that names its errors",
    files: {
      [core]: [
        "export const one = 1;",
        "try { f(); } catch (thrown) { if (!(thrown instanceof GamError)) throw thrown; }",
        "try { f(); } catch (thrown) { rethrowInvariant(thrown); g(); }",
        "try { f(); } catch (thrown) { this.#parts.fail(thrown); }",
        "f().catch(absent);",
        "f().catch((thrown) => { rethrowInvariant(thrown); });",
        "f().catch((thrown) => fail(thrown));",
        "// Catches all: nobody waits for it.",
        "f().catch(() => undefined);",
        "try { f(); } catch {",
        "  // Catches all: nobody waits for it.",
        "}",
        "",
      ].join("\n"),
    },
    want: [],
  },
  ...["JSON.parse(text) as One", "(decode(await f(g)) as { a: 1 }).a", "jsonOr(t, 1) as One"].map(
    (code) => ({
      name: `a cast of a decoded value: ${code}`,
      files: { [core]: `export const one =\n  f(${code});\n` },
      want: code.includes("await") ? [`casts ${core}:2`, `purity ${core}:2`] : [`casts ${core}:2`],
    }),
  ),
  {
    name: "no fault in a checked decoded value",
    files: {
      [core]:
        "export const one = check(JSON.parse(f())) as One;\nconst a = decode(b) as unknown;\n",
    },
    want: [],
  },
  {
    name: "node: in a pure package",
    files: { [core]: 'import "node:fs";\nexport const one = 1;\n' },
    want: [`purity ${core}:1`],
  },
  {
    name: "a rename without a sync",
    files: {
      [core]:
        'import { open, rename } from "node:fs/promises";\nimport { writeFileSync } from "node:fs";\nexport const one = 1;\n',
    },
    want: [
      ...[`purity ${core}:1`, `purity ${core}:2`],
      ...[`diskWrites ${core}:1`, `diskWrites ${core}:2`],
    ],
  },
  {
    name: "a default export",
    files: { [core]: "export const one = 1;\nexport default one;\n" },
    want: [`defaultExports ${core}:2`],
  },
  {
    name: "a meaningless name",
    files: {
      [core]: 'export { one } from "./utils.ts";\n',
      "packages/core/src/utils.ts": "export const one = 1;\n",
    },
    want: ["fileNames packages/core/src/utils.ts:1"],
  },
  {
    name: "a dead file",
    files: { "packages/core/src/three.ts": "const three = 1;\n" },
    want: ["deadFiles packages/core/src/three.ts:1"],
  },
  {
    name: "a dead export",
    files: { [core]: "export const one = 1;\nexport function three() {}\n" },
    want: [`deadExports ${core}:2`],
  },
  {
    name: "a door without a file, and an unused door",
    files: {
      "packages/state/package.json": `{
        "name": "@gam/state",
        "exports": {
          ".": "./src/gone.ts",
          "./testing": "./src/testing/index.ts"
        },
        "dependencies": { "@gam/core": "*", "@gam/template": "*", "yaml": "2.9.1" }
      }`,
      "packages/state/src/testing/index.ts": "export const seed = 1;\n",
    },
    want: [
      "deadFiles packages/state/src/index.ts:1",
      "deadExports packages/state/src/index.ts:4",
      ...["doors packages/state/package.json:4", "doors packages/state/package.json:5"],
    ],
  },
  {
    name: "names that a door exports and no other package imports",
    files: {
      "packages/core/src/index.ts":
        'export {\n  one,\n  type Three,\n  two as four,\n} from "./one.ts";\nexport * as five from "./five.ts";\n',
      [core]: "export const one = 1;\nexport const two = 2;\nexport type Three = 3;\n",
      "packages/core/src/five.ts": "export const five = 5;\n",
    },
    want: [3, 4, 6].map((line) => `deadDoorExports packages/core/src/index.ts:${line}`),
  },
  {
    name: "an unused permission",
    files: {
      [state]: "export const two = 2;\n",
      "packages/state/package.json": manifest("state", { "@gam/template": "*" }),
      "packages/core/package.json": JSON.stringify({ name: "@gam/core", dependencies: {} }),
      "test/repo/layers.ts":
        "// Which package may import which.\nconst map = {\n  state: [],\n};\n",
    },
    want: [
      "deadFiles packages/core/src/index.ts:1",
      "deadFiles packages/core/src/one.ts:1",
      "deadFiles test/repo/layers.ts:1",
      "permissions test/repo/layers.ts:3",
    ],
  },
  {
    name: "a TODO without an issue",
    files: { [core]: "export const one = 1; // TODO: more\n" },
    want: [`todos ${core}:1`],
  },
  {
    name: "a long file",
    files: { [core]: `export const one = 1;\n${"\n".repeat(700)}` },
    want: [`sizes ${core}:700`],
  },
  {
    name: "a missing and a long README",
    files: { "packages/core/README.md": "\n".repeat(41) },
    want: ["readmes packages/core/README.md:40"],
  },
  {
    name: "a path of one machine",
    files: { "README.md": `Look\nin ${machine}/x\n` },
    want: ["machinePaths README.md:2"],
  },
  {
    name: "a broken link",
    files: { "docs/a.md": "[A](../packages/core) [b](b.md)\n[c](https://example.org/c)\n" },
    want: ["links docs/a.md:1"],
  },
  {
    name: "an import that is not declared",
    files: { [core]: 'import "yaml";\nexport const one = 1;\n' },
    want: [`manifests ${core}:1`],
  },
  {
    name: "a dependency that is never imported",
    files: { "packages/core/package.json": manifest("core", { yaml: "2.9.1" }) },
    want: ["manifests packages/core/package.json:1"],
  },
  {
    name: "a version that is not exact",
    files: {
      "packages/state/package.json": manifest("state", {
        "@gam/core": "*",
        "@gam/template": "*",
        yaml: "^2.9.1",
      }),
    },
    want: ["manifests packages/state/package.json:1"],
  },
  {
    name: "an npm script that runs TypeScript on any Node",
    files: {
      "package.json":
        '{ "scripts": {\n"one": "node scripts/node-fits.cjs && node --test",\n"two": "x && node --test \'**/*.test.ts\'" },\n"devDependencies": { "fast-check": "1.2.3" } }',
    },
    want: ["npmScripts package.json:3"],
  },
  {
    name: "versions of Node that differ",
    files: {
      "package.json":
        '{ "engines": { "node": ">=22.18" }, "devDependencies": { "fast-check": "1.2.3" } }',
      ".node-version": "24.2.0\n",
      "scripts/env": 'gam_node_version=24.21.0\n# Node 22.18 or newer\necho "Node 22.6 or newer"\n',
    },
    want: ["nodeVersions .node-version:1", "nodeVersions scripts/env:3"],
  },
];

for (const { name, files, want } of planted) {
  test(`the check finds ${name}`, () => assert.deepEqual(breaches(files), want));
}

test("a Node that is too old is reported in one line, with what to do", () => {
  const refusalOf = createRequire(import.meta.url)("../../scripts/node-fits.cjs");
  const versions = ["18.20.4", "20.20.2", "22.17.9", "22.18.0", "22.20.0", "24.0.0"];
  const refused = versions.filter((found) => refusalOf(found, "22.18") !== undefined);
  assert.deepEqual(refused, versions.slice(0, 3));
  const line = /^Node 20\.20\.2 is too old: gam needs 22\.18 or newer\. Run "[^\n]+$/;
  assert.match(refusalOf("20.20.2", "22.18"), line);
});

test("readSource() keeps code, strings and comments apart", () => {
  const { code, comments } = readSource(
    "a.ts",
    "a = /[/`]\"/.test(b) / c; // d 'e'\nf = `g${{ h: `i` }}j` + 'k\\'' /* l */;\n",
  );
  assert.equal(code.replace(/ +/g, " "), "a = / /.test(b) / c; \nf = ` ${{ h: ` ` }} ` + ' ' ;\n");
  assert.equal(comments.replace(/ +/g, " "), " // d 'e'\n /* l */ \n");
});
