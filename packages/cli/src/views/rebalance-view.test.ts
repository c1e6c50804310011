import assert from "node:assert/strict";
import { test } from "node:test";
import type { RebalanceReport } from "@gam/state/answers";
import { createColors } from "picocolors";
import { rebalanceView } from "./rebalance-view.ts";

const paint = createColors(false);
const move = { service: "web", slot: 2, from: "host1", to: "host3", reason: "host1 is fuller" };
const none: RebalanceReport = {
  auto: false,
  isAsked: false,
  planned: [],
  open: [],
  past: [],
  stopped: "",
};

test("moves that would be made, with why", () => {
  assert.deepEqual(rebalanceView({ ...none, planned: [move] }, paint), [
    "WOULD MOVE  FROM   TO     WHY",
    "web.2       host1  host3  host1 is fuller",
    "",
    'The cluster moves no task by itself ("gam rebalance" moves them once)',
  ]);
});

test("nothing to move, with what was moved and why it stopped", () => {
  const past = [{ ...move, slot: 0, endedAtMs: 3_600_000, problem: "no such image" }];
  assert.deepEqual(rebalanceView({ ...none, auto: true, past, stopped: "no such image" }, paint), [
    "Nothing to move: tasks are where they should be",
    "",
    "Last moves:",
    "01:00:00  web from host1 to host3: host1 is fuller, not done: no such image",
    "",
    "Stopped at the first failure: no such image",
    "",
    'The cluster moves tasks by itself ("gam rebalance --auto off" ends that)',
  ]);
});
