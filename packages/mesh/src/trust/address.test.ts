import assert from "node:assert/strict";
import { test } from "node:test";
import {
  addressOf,
  advertisedHosts,
  dialAddress,
  insistOnAdvertised,
  parseAddress,
  reachableHosts,
} from "./address.ts";

const good = [
  { text: "10.0.0.1:7000", want: { host: "10.0.0.1", port: 7000 } },
  { text: "10.0.0.1", want: { host: "10.0.0.1", port: 7946 } },
  { text: "[fe80::1]:7000", want: { host: "fe80::1", port: 7000 } },
  { text: "[::1]", want: { host: "::1", port: 7946 } },
  { text: "fe80::1:7000", want: { host: "fe80::1", port: 7000 } },
  { text: "Node-1.LAN:7000", want: { host: "node-1.lan", port: 7000 } },
];
for (const { text, want } of good) {
  test(`parseAddress() reads ${text}`, () => {
    assert.deepEqual(parseAddress(text), want);
    assert.equal(addressOf(dialAddress(want)), `${want.host}:${want.port}`);
  });
}

for (const text of [
  "",
  ":7946",
  "host:",
  "host:0",
  "host:65536",
  "a b:1",
  "[::1",
  "/ip4/1.2.3.4",
]) {
  test(`parseAddress() refuses "${text}"`, () => {
    assert.throws(() => parseAddress(text), { code: "BAD_REQUEST" });
  });
}

test("a peer that listens on all addresses is reached at those of its interfaces, at least one", () => {
  assert.deepEqual(reachableHosts("10.1.2.3"), ["10.1.2.3"]);
  const found = reachableHosts("0.0.0.0");
  assert(found.length > 0);
  assert(!found.includes("0.0.0.0"));
});

test("an interface stands for its addresses, anything else for itself", () => {
  assert(advertisedHosts("lo").includes("127.0.0.1"));
  assert.deepEqual(advertisedHosts("10.1.2.3"), ["10.1.2.3"]);
});

test("an address that cannot be reached is not advertised", async () => {
  for (const text of ["10.1.2.3", "[fd00::1]:7000", "lo", "lo:7000", "localhost"]) {
    await insistOnAdvertised(text);
  }
  for (const text of ["0.0.0.0", "[::]:7946", "nosuch.invalid", "nosuch.invalid:7000", "a b"]) {
    await assert.rejects(insistOnAdvertised(text), { code: "BAD_REQUEST" });
  }
});
