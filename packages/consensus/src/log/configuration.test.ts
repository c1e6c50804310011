import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "@gam/core";
import {
  type Configuration,
  membersOf,
  readConfiguration,
  settled,
  towards,
  writeConfiguration,
} from "./configuration.ts";

const ids = (text: string): NodeId[] => [...text] as NodeId[];
const of = (voters: string, votersOutgoing = "", learners = "", standbys = ""): Configuration => ({
  voters: ids(voters),
  votersOutgoing: ids(votersOutgoing),
  learners: ids(learners),
  standbys: ids(standbys),
});

const cases = [
  { name: "adds a voter through a joint one", from: of("a"), to: of("ab"), want: of("ab", "a") },
  { name: "sorts, and names each once", from: of("a"), to: of("bab"), want: of("ab", "a") },
  {
    name: "lets an outgoing voter be a learner",
    from: of("abc"),
    to: of("ab", "", "c"),
    want: of("ab", "abc", "c"),
  },
  { name: "changes learners at once", from: of("a"), to: of("a", "", "b"), want: of("a", "", "b") },
  { name: "lets a voter be no learner", from: of("a"), to: of("ab", "", "b"), want: of("ab", "a") },
  {
    name: "changes standbys at once",
    from: of("a", "", "bc", "b"),
    to: of("a", "", "bc", "cb"),
    want: of("a", "", "bc", "bc"),
  },
  {
    name: "lets nobody stand by who does not learn",
    from: of("a", "", "b"),
    to: of("a", "", "b", "ac"),
    want: undefined,
  },
  { name: "has nothing to do", from: of("ab", "", "c"), to: of("ba", "", "c"), want: undefined },
  { name: "keeps somebody who votes", from: of("a"), to: of(""), want: undefined },
];

for (const { name, from, to, want } of cases) {
  test(`towards() ${name}`, () => assert.deepEqual(towards(from, to), want));
}

test("settled() ends the change that towards() began", () => {
  const joint = towards(of("abc"), of("cd", "", "a"));
  assert.ok(joint);
  assert.deepEqual(membersOf(joint), ids("abcd"));
  assert.deepEqual(settled(joint), of("cd", "", "a"));
});

test("readConfiguration() returns what was written", () => {
  const joint = of("ab", "bc", "d");
  assert.deepEqual(readConfiguration(writeConfiguration(joint)), joint);
});

test("other bytes are no configuration", () => {
  assert.throws(() => readConfiguration(Uint8Array.of(1)), { code: "BAD_FRAME" });
});
