/**
 * Go's own answers: each case was given to a Go program (the docker client's `--format`, Go 1.24). The test in
 * test/clients asks it again.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { expand, fromGoText, type GoValue, goText, Struct, TextMap } from "./index.ts";

type Case = readonly [
  template: string,
  outcome: { readonly text: string } | { readonly error: string },
];

const cases: readonly Case[] = JSON.parse(
  readFileSync(new URL("../testdata/go-cases.json", import.meta.url), "utf8"),
);

const labels = new TextMap(
  new Map([
    ["app", "shop"],
    ["a.b", "dotted"],
  ]),
);
const spec = new Struct("swarm.ServiceSpec", new Map<string, GoValue>([["Labels", labels]]));
const data = new Struct(
  "swarm.Service",
  new Map<string, GoValue>([
    ["ID", "svc1"],
    ["Spec", spec],
  ]),
);

for (const [template, outcome] of cases) {
  test(`expand() does as Go with ${template}`, () => {
    const got = expand(goText(template), { name: "", data, functions: new Map() });
    const plain = "text" in got ? { text: fromGoText(got.text) } : { error: fromGoText(got.error) };
    assert.deepEqual(plain, outcome);
  });
}
