import assert from "node:assert/strict";
import { test } from "node:test";
import { Pace, type Passed } from "./pace.ts";

const tickMs = 50;

interface Step {
  readonly atMs: number;
  readonly isWoken?: boolean;
  readonly want: Passed | undefined;
  /** What the peer allows after it. */
  readonly rest?: number;
  readonly wakeInMs?: number;
}

const tables: { readonly name: string; readonly steps: readonly Step[] }[] = [
  {
    name: "a peer that does not rest gets each tick",
    steps: [
      { atMs: 50, isWoken: true, want: { ticks: 1, lateTicks: 0 }, rest: 1, wakeInMs: 50 },
      { atMs: 99, isWoken: true, want: { ticks: 1, lateTicks: 0 }, rest: 1, wakeInMs: 51 },
      { atMs: 120, want: undefined },
      { atMs: 151, isWoken: true, want: { ticks: 1, lateTicks: 0 } },
    ],
  },
  {
    name: "a peer that rests gets all ticks at the end of the rest, or before the next input",
    steps: [
      { atMs: 50, isWoken: true, want: { ticks: 1, lateTicks: 0 }, rest: 4, wakeInMs: 200 },
      { atMs: 249, isWoken: true, want: { ticks: 4, lateTicks: 0 }, rest: 4, wakeInMs: 201 },
      { atMs: 399, want: { ticks: 2, lateTicks: 0 }, rest: 4, wakeInMs: 151 },
      { atMs: 449, want: { ticks: 1, lateTicks: 0 }, rest: 4 },
      { atMs: 449, want: undefined },
    ],
  },
  {
    name: "ticks beyond the rest are late, and are not delivered",
    steps: [
      { atMs: 50, isWoken: true, want: { ticks: 1, lateTicks: 0 }, rest: 3, wakeInMs: 150 },
      { atMs: 1210, isWoken: true, want: { ticks: 3, lateTicks: 20 }, rest: 1, wakeInMs: 25 },
      { atMs: 1210, want: undefined },
      { atMs: 1235, isWoken: true, want: { ticks: 1, lateTicks: 0 }, rest: 1 },
      { atMs: 2300, want: { ticks: 1, lateTicks: 20 } },
    ],
  },
];

for (const { name, steps } of tables) {
  test(name, () => {
    const pace = new Pace(tickMs, 0);
    for (const { atMs, isWoken = false, want, rest, wakeInMs } of steps) {
      assert.deepEqual(pace.passed(atMs, isWoken), want, `at ${atMs} ms`);
      if (rest === undefined) continue;
      const delayMs = pace.rest(atMs, rest);
      if (wakeInMs !== undefined) assert.equal(delayMs, wakeInMs, `at ${atMs} ms`);
    }
  });
}
