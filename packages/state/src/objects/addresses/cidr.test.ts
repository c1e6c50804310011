import assert from "node:assert/strict";
import { test } from "node:test";
import { isInside } from "./cidr.ts";

const cases: readonly (readonly [address: string, range: string, inside: boolean])[] = [
  ["10.1.2.3", "10.1.2.3", true],
  ["10.1.2.3", "10.1.2.0/31", false],
  ["10.1.2.3", "10.1.2.2/31", true],
  ["10.1.2.3", "0.0.0.0/0", true],
  ["10.1.2.3", "10.1.2.0/33", false],
  ["10.1.2.256", "0.0.0.0/0", false],
  ["", "0.0.0.0/0", false],
  ["fd00::1", "fd00::/8", true],
  ["fd00::1", "fd00:0:0:0:0:0:0:1", true],
  ["fd00::1", "fe00::/8", false],
  ["fd00::1::2", "::/0", false],
  ["10.1.2.3", "::/0", false],
];
for (const [address, range, inside] of cases) {
  test(`isInside("${address}", "${range}") is ${inside}`, () => {
    assert.equal(isInside(address, range), inside);
  });
}
