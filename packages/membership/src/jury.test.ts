import assert from "node:assert/strict";
import { test } from "node:test";
import { findingOf, votesNeeded } from "./jury.ts";
import type { Opinion } from "./message.ts";

const cases: { opinions: Opinion[]; needed: number; want: string }[] = [
  { opinions: [], needed: 2, want: "none 0" },
  { opinions: ["silent", "alive", "alive", "alive"], needed: 3, want: "none 1" },
  { opinions: ["silent", "silent", "suspect", "suspect"], needed: 3, want: "none 2" },
  { opinions: ["silent", "silent", "silent", "alive"], needed: 3, want: "silent 3" },
  { opinions: ["silent", "silent", "refused", "alive"], needed: 3, want: "refused 3" },
  { opinions: ["refused", "refused", "refused", "refused"], needed: 3, want: "refused 4" },
  { opinions: ["gone", "gone", "refused", "refused"], needed: 3, want: "refused 4" },
  { opinions: ["gone", "gone", "silent", "refused"], needed: 3, want: "gone 3" },
];

for (const { opinions, needed, want } of cases) {
  test(`findingOf() ${opinions.join(", ") || "nothing"}: ${want}`, () => {
    const { finding, votes } = findingOf(opinions, needed);
    assert.equal(`${finding} ${votes}`, want);
  });
}

test("votesNeeded() is a majority, at least two where there are two", () => {
  const needed = [0, 1, 2, 3, 4, 6].map((watchers) => votesNeeded(watchers, 3));
  assert.deepEqual(needed, [2, 2, 2, 2, 3, 4]);
  assert.equal(votesNeeded(1, 1), 1);
});
