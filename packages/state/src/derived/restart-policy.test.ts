import assert from "node:assert/strict";
import { test } from "node:test";
import type { RestartPolicy } from "../objects/service.ts";
import { type EndedTask, restartDelayMs } from "./restart-policy.ts";

const failed: EndedTask = { hasFailed: true, isJob: false, restartsMsAgo: [], crashes: 1 };
const done: EndedTask = { ...failed, hasFailed: false };

const cases: readonly (readonly [RestartPolicy | undefined, EndedTask, number | undefined])[] = [
  [undefined, failed, 5000],
  [undefined, done, 5000],
  [undefined, { ...done, isJob: true }, undefined],
  [undefined, { ...failed, isJob: true }, 5000],
  [{ Condition: "any" }, done, 5000],
  [{ Condition: "none" }, failed, undefined],
  [{ Condition: "on-failure" }, failed, 5000],
  [{ Condition: "on-failure" }, done, undefined],
  [{ Delay: 0 }, failed, 0],
  [{ Delay: 1.5e9 }, failed, 1500],
  [{ MaxAttempts: 2 }, { ...failed, restartsMsAgo: [9] }, 5000],
  [{ MaxAttempts: 2 }, { ...failed, restartsMsAgo: [1e9, 9] }, undefined],
  [{ MaxAttempts: 0 }, { ...failed, restartsMsAgo: [1, 2, 3] }, 5000],
  [{ MaxAttempts: 2, Window: 1e9 }, { ...failed, restartsMsAgo: [1001, 9] }, 5000],
  [{ MaxAttempts: 2, Window: 1e9 }, { ...failed, restartsMsAgo: [1000, 9] }, undefined],
  // Back-off.
  [undefined, { ...failed, crashes: 2 }, 10_000],
  [undefined, { ...done, crashes: 4 }, 40_000],
  [undefined, { ...failed, crashes: 7 }, 300_000],
  [undefined, { ...failed, crashes: 5000 }, 300_000],
  [{ Delay: 0 }, { ...failed, crashes: 2 }, 2000],
  [{ Delay: 600e9 }, { ...failed, crashes: 9 }, 600_000],
  [{ Condition: "none" }, { ...failed, crashes: 9 }, undefined],
  [{ MaxAttempts: 5 }, { ...failed, crashes: 3, restartsMsAgo: [1, 2] }, 20_000],
  [{ MaxAttempts: 5, Window: 1e9 }, { ...failed, crashes: 9 }, 5000],
];

for (const [policy, ended, want] of cases) {
  test(`${JSON.stringify(policy)} of ${JSON.stringify(ended)} is ${want}`, () => {
    assert.equal(restartDelayMs(policy, ended), want);
  });
}
