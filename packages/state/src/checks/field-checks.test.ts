import assert from "node:assert/strict";
import { test } from "node:test";
import type { Check } from "@gam/core";
import { testKey } from "@gam/core/testing";
import {
  aHost,
  aHostPort,
  aKey,
  aMoment,
  aName,
  aNetworkTarget,
  anAddress,
  aPort,
  aRange,
  aRoute,
  aTime,
} from "./field-checks.ts";

const fields: readonly {
  name: string;
  check: Check<unknown>;
  taken: readonly unknown[];
  refused: readonly unknown[];
}[] = [
  {
    name: "a host and a port",
    check: aHostPort,
    taken: [
      "10.0.0.1:7946",
      "gam-1.example.org:1",
      "fe80::1:7946",
      "[fe80::1]:7946",
      "[::1%eth0]:65535",
    ],
    refused: [
      "10.0.0.1",
      "10.0.0.1:0",
      "10.0.0.1:65536",
      ":7946",
      "a b:1",
      '"a":1',
      "a;b:1",
      "-a:1",
      7,
    ],
  },
  {
    name: "a host",
    check: aHost,
    taken: ["10.0.0.1", "gam-1.example.org", "fe80::1", "fe80::1%eth0"],
    refused: ["", "a b", "$(x)", "{", "a".repeat(254)],
  },
  {
    name: "an IPv4 address",
    check: anAddress,
    taken: ["0.0.0.0", "10.0.0.1", "255.255.255.255"],
    refused: [
      "10.0.0",
      "10.0.0.256",
      "010.0.0.1",
      "10.0.0.1/24",
      "::1",
      "",
      "10.0.0.1\n",
      167772161,
    ],
  },
  {
    name: "an IPv4 range",
    check: aRange,
    taken: ["10.0.0.0/8", "0.0.0.0/0", "10.0.0.1/32"],
    refused: ["10.0.0.0", "10.0.0.0/33", "10.0.0.0/08", "10.0.0.0/-1", "fe80::/64", "10.0.0.0/8/8"],
  },
  {
    name: "a route",
    check: aRoute,
    taken: ["10.0.0.0/8", "10.0.0.1", "fe80::/64"],
    refused: ["default", "unreachable 10.0.0.0/8", ""],
  },
  {
    name: "a key",
    check: aKey,
    taken: [testKey("a")],
    refused: [
      "",
      testKey("a").slice(0, 43),
      `${testKey("a")} `,
      testKey("a").replace("=", "a"),
      "=".repeat(44),
    ],
  },
  {
    name: "a time",
    check: aTime,
    taken: ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.123456789Z", "2026-01-01T00:00:00+02:00"],
    refused: [
      "0001-01-01T00:00:00Z",
      "9999-12-31T23:59:59-12:00",
      "",
      "now",
      "2026-01-01",
      "2026-01-01T25:00:00Z",
      "+275760-09-13T00:00:00.000Z",
      0,
    ],
  },
  {
    name: "a moment",
    check: aMoment,
    taken: [0, 1.5, Date.UTC(9999, 11, 31)],
    refused: [-1, Number.NaN, Number.POSITIVE_INFINITY, 8.64e15, "0", null],
  },
  { name: "a port", check: aPort, taken: [0, 65_535], refused: [-1, 65_536, 1.5, "80"] },
  {
    name: "a name",
    check: aName,
    taken: ["web", "a-b_c", "A1"],
    refused: ["", "-a", "a.b", "a b", "{a}", "a".repeat(64)],
  },
  {
    name: "a network of a spec",
    check: aNetworkTarget,
    taken: ["host", "bridge", "none", "a".repeat(25)],
    refused: ["", "web", undefined, "constructor", "ingress"],
  },
];

for (const { name, check, taken, refused } of fields) {
  for (const value of taken) {
    test(`${JSON.stringify(value)} is ${name}`, () => assert.equal(check(value, "it"), value));
  }
  for (const value of refused) {
    const shown = typeof value === "number" ? String(value) : JSON.stringify(value)?.slice(0, 60);
    test(`${shown} is not ${name}`, () => {
      assert.throws(() => check(value, "it"), { code: "BAD_FRAME" });
    });
  }
}
