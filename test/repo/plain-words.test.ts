import assert from "node:assert/strict";
import { test } from "node:test";
import { findPhrases } from "./plain-words.ts";
import { readSource } from "./source.ts";
import type { Tree } from "./tree.ts";

function treeOf(files: Readonly<Record<string, string>>): Tree {
  const texts = new Map(Object.entries(files));
  const sources = new Map(
    [...texts]
      .filter(([path]) => path.endsWith(".ts"))
      .map(([path, text]) => [path, readSource(path, text)] as const),
  );
  const none = {
    path: "",
    text: "{}",
    name: "",
    exports: {},
    dependencies: {},
    devDependencies: {},
  };
  return { texts, sources, packages: new Map(), root: none };
}

const cases: readonly { name: string; files: Record<string, string>; want: readonly string[] }[] = [
  {
    name: "in comments and strings, and not in code",
    files: {
      "packages/core/src/a.ts": "/** Whoever asks. */\nconst whoever = whoever + `is told`;\n",
    },
    want: ["packages/core: whoever at 1", "packages/core: is told at 2"],
  },
  {
    name: "that continue in the next line",
    files: {
      "packages/core/src/a.ts":
        "/**\n * A peer that was\n * told so.\n */\n// One\n// that is new.\n",
      "scripts/go": "# none the\n# worse\n",
    },
    want: [
      "packages/core: was told at 2",
      "packages/core: one that at 5",
      "scripts: none the worse at 1",
    ],
  },
  {
    name: "as whole words, in docs as well",
    files: { "docs/a.md": "Is toldest. Past items.\nLet go of it, past it.\n" },
    want: ["docs: past it at 2", "docs: let go at 2"],
  },
  { name: "nowhere else", files: { "test/a.md": "whoever\n", "README.md": "whoever\n" }, want: [] },
];

for (const { name, files, want } of cases) {
  test(`phrases are found ${name}`, () => {
    const found = findPhrases(treeOf(files));
    assert.deepEqual(
      found.map(({ group, phrase, line }) => `${group}: ${phrase} at ${line}`).sort(),
      [...want].sort(),
    );
  });
}
