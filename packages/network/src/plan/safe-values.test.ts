import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { isIPv4, isIPv6 } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import {
  chainKey,
  deviceName,
  ip4,
  ip6,
  mtu,
  port,
  range4,
  vni,
  wireguardKey,
} from "./safe-values.ts";

const key = "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=";
const cases: readonly {
  readonly maker: (found: never) => unknown;
  readonly takes: readonly (string | number)[];
  readonly refuses: readonly (string | number)[];
}[] = [
  {
    maker: ip4,
    takes: ["10.0.0.1", "192.0.2.255", "198.18.0.1", "127.0.0.1", "223.255.255.255"],
    refuses: [
      "",
      "10.0.0",
      "10.0.0.256",
      "010.0.0.1",
      "10.0.0.1 ",
      "10.0.0.1\n",
      "10.0.0.1/8",
      "0.0.0.0",
      "0.1.2.3",
      "224.0.0.1",
      "255.255.255.255",
      "::1",
      "1.1.1.1.1",
    ],
  },
  {
    maker: ip6,
    takes: ["2001:db8::1", "2001:DB8::", "1:2:3:4:5:6:7:8", "fe80::1"],
    refuses: [
      "",
      "::",
      "::1",
      "ff02::1",
      "1:2",
      "1::2::3",
      "1:::2",
      "1:2:3:4:5:6:7:8:9",
      "1:2:3:4:5:6:7::8",
      "fe80::1%eth0",
      "2001:db8::g",
      "::ffff:10.0.0.1",
      "2001:db8::1 }",
    ],
  },
  {
    maker: range4,
    takes: ["10.0.0.0/8", "10.1.2.0/24", "10.1.2.3/32"],
    refuses: [
      "10.0.0.0",
      "10.0.0.0/0",
      "10.0.0.0/33",
      "10.0.0.0/08",
      "10.0.0.0/8/8",
      "0.0.0.0/8",
      "10.0.0.0/8 }",
    ],
  },
  {
    maker: deviceName,
    takes: ["gam-4098", "eth0", "veth1a2b", "br0.5"],
    refuses: ["", "gam-4098 ", "a".repeat(16), '"', "a;b", "0a", "-a", "a/b", "a\nb"],
  },
  {
    maker: chainKey,
    takes: ["4098xweb", "tcp80", "A_b"],
    refuses: ["", "a b", "a-b", "a{", "a".repeat(65), "a\n"],
  },
  {
    maker: wireguardKey,
    takes: [key],
    refuses: [
      "",
      key.slice(1),
      `${key}=`,
      key.replace("o=", "p="),
      `${"A".repeat(43)}=`,
      key.replace("h", "\n"),
      ` ${key}`,
    ],
  },
  { maker: port, takes: [1, 4789, 65_535], refuses: [0, -1, 65_536, 0.5, Number.NaN, 1e21] },
  { maker: vni, takes: [1, 4097, 2 ** 24 - 1], refuses: [0, 2 ** 24, 1.5, Number.NaN] },
  { maker: mtu, takes: [68, 1450, 65_535], refuses: [0, 67, 65_536, Number.NaN, 1450.5] },
];
for (const { maker, takes, refuses } of cases) {
  test(`${maker.name}() accepts only values that all programs read alike`, () => {
    for (const found of takes) assert.equal(maker(found as never), found, `refused ${found}`);
    for (const found of refuses) {
      assert.equal(maker(found as never), undefined, `took ${JSON.stringify(found)}`);
    }
  });
}

test("every accepted address is a valid address", () => {
  const parts = fc.oneof(
    fc.constantFrom(":", "::", ".", "0", "ff", "1", "g", "%", " "),
    fc.string({ maxLength: 3 }),
  );
  const likely = fc.array(parts, { maxLength: 12 }).map((some) => some.join(""));
  fc.assert(
    fc.property(fc.oneof(likely, fc.ipV4(), fc.ipV6()), (text) => {
      if (ip4(text) !== undefined) assert.ok(isIPv4(text), text);
      if (ip6(text) !== undefined) assert.ok(isIPv6(text), text);
    }),
    { numRuns: 2000 },
  );
});

const hasWg = spawnSync("wg", ["--version"]).status === 0;

test("wg accepts every accepted WireGuard key", {
  skip: hasWg ? false : "needs wg(8)",
}, () => {
  const digits = fc.constantFrom(..."ABCDwxyz0189+/=");
  const likely = fc
    .tuple(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.integer({ min: 0, max: 43 }), digits)
    .map(([bytes, at, digit]) => {
      const whole = Buffer.from(bytes).toString("base64");
      return whole.slice(0, at) + digit + whole.slice(at + 1);
    });
  fc.assert(
    fc.property(likely, (text) => {
      const takes = spawnSync("wg", ["pubkey"], { input: `${text}\n` }).status === 0;
      assert.equal(wireguardKey(text) !== undefined, takes, text);
    }),
    { numRuns: 60 },
  );
});
