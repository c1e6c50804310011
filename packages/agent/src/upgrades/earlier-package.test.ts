import assert from "node:assert/strict";
import { test } from "node:test";
import type { GamPackage } from "@gam/state/answers";
import { earlierPackage } from "./earlier-package.ts";

const kept = ["a", "b"].map(
  (build): GamPackage => ({
    ...{ name: "gam_0.1.0_amd64.deb", sha256: build, version: `0.1.0+${build}` },
    ...{ dialect: 1, machine: "amd64", kind: "deb" },
  }),
);

const cases = [
  { name: "is the one before", running: "b", present: "b", earlier: "a", want: "a" },
  {
    name: "is none after the first installation",
    running: "a",
    present: "a",
    earlier: "",
    want: "",
  },
  {
    name: "is the noted one when the note is too old",
    running: "b",
    present: "a",
    earlier: "z",
    want: "a",
  },
  {
    name: "is none when it is not kept any more",
    running: "b",
    present: "b",
    earlier: "z",
    want: "",
  },
  { name: "is never the running one", running: "a", present: "b", earlier: "a", want: "b" },
  { name: "is none without notes", running: "a", present: "", earlier: "", want: "" },
];

for (const { name, running, want, ...marks } of cases) {
  test(`earlierPackage() ${name}`, () => {
    assert.equal(earlierPackage(`0.1.0+${running}`, kept, marks), want);
  });
}
