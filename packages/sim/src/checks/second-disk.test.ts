import assert from "node:assert/strict";
import { test } from "node:test";
import { Checkers } from "./checkers.ts";

type Found = number | "snapshot" | undefined;

/** What each host's disk holds at the entry's index, and whether that is enough. The order of hosts must not matter. */
const table: readonly (readonly [string, readonly Found[], boolean])[] = [
  ["two of one term", [6, 6, undefined], true],
  ["one term and a snapshot", [undefined, 6, "snapshot", undefined], true],
  ["two snapshots", ["snapshot", undefined, "snapshot"], true],
  ["one disk", [undefined, 6, undefined], false],
  ["one snapshot", ["snapshot", undefined], false],
  ["two terms", [6, 5], false],
  ["two terms and a snapshot", [5, 6, "snapshot"], true],
  ["no disk", [undefined, undefined], false],
];

for (const [title, found, isEnough] of table) {
  test(`${title}: ${isEnough ? "enough" : "too few"}`, () => {
    for (const order of [found, found.toReversed()]) {
      const hosts = order.map((term) => ({ termOnDisk: () => term }));
      const check = (): void => new Checkers().secondDisk(9, 2, hosts);
      if (isEnough) assert.doesNotThrow(check);
      else assert.throws(check, /entry 9 was acknowledged from one disk/);
    }
  });
}
