import assert from "node:assert/strict";
import { test } from "node:test";
import { aNetwork } from "@gam/state/testing";
import fc from "fast-check";
import {
  addressOf,
  countSubnets,
  freeAddress,
  freeSubnet,
  merged,
  numberOf,
  poolOf,
  type Span,
  sizeOf,
  spanOf,
} from "./subnet.ts";

const spans: readonly (readonly [range: string, want: readonly [string, string] | undefined])[] = [
  ["10.1.2.3", ["10.1.2.3", "10.1.2.3"]],
  ["10.1.2.3/24", ["10.1.2.0", "10.1.2.255"]],
  ["0.0.0.0/0", ["0.0.0.0", "255.255.255.255"]],
  ["192.168.255.255/32", ["192.168.255.255", "192.168.255.255"]],
  ["fd00::/64", undefined],
  ["10.1.2.3/33", undefined],
  ["10.1.2.3/", undefined],
  ["10.1.2/24", undefined],
  ["10.1.2.256", undefined],
  ["host1", undefined],
  ["", undefined],
];
for (const [range, want] of spans) {
  test(`spanOf("${range}")`, () => {
    const span = spanOf(range);
    assert.deepEqual(span && [addressOf(span.first), addressOf(span.last)], want);
  });
}

const cluster = { DefaultAddrPool: ["10.0.0.0/8"], SubnetSize: 24 };
const subnets: readonly {
  readonly name: string;
  readonly pools?: Partial<typeof cluster>;
  readonly ingress?: boolean;
  readonly taken?: readonly string[];
  readonly want: string | undefined;
}[] = [
  { name: "the first of the pool", want: "10.0.0.0/24" },
  { name: "a larger one for ingress", ingress: true, want: "10.0.0.0/20" },
  { name: "what lies behind a larger one", taken: ["10.0.0.0/20"], want: "10.0.16.0/24" },
  { name: "what lies behind a single address", taken: ["10.0.0.77"], want: "10.0.1.0/24" },
  { name: "a gap", taken: ["10.0.0.0/24", "10.0.2.0/24"], want: "10.0.1.0/24" },
  {
    name: "no gap that is too small",
    ingress: true,
    taken: ["10.0.0.0/24", "10.0.15.0/24"],
    want: "10.0.16.0/20",
  },
  {
    name: "the second pool when the first is used up",
    pools: { DefaultAddrPool: ["10.1.0.0/24", "10.2.0.0/16"] },
    taken: ["10.1.0.0/25"],
    want: "10.2.0.0/24",
  },
  {
    name: "a pool that is smaller than a subnet as a whole",
    pools: { DefaultAddrPool: ["10.1.0.0/26"] },
    want: "10.1.0.0/26",
  },
  { name: "nothing beside a default route to all", taken: ["0.0.0.0/0"], want: undefined },
  { name: "nothing of IPv6", pools: { DefaultAddrPool: ["fd00::/8"] }, want: undefined },
];
for (const { name, pools, ingress = false, taken = [], want } of subnets) {
  test(`freeSubnet() finds ${name}`, () => {
    const spans = merged(taken.map((one) => spanOf(one) as Span));
    assert.equal(freeSubnet({ ...cluster, ...pools }, { ingress, taken: spans }), want);
  });
}

test("a small pool has as many free subnets as counted, and none overlaps a taken range", () => {
  const ranges = fc.record({ base: fc.nat(1023), bits: fc.integer({ min: 22, max: 32 }) });
  fc.assert(
    fc.property(fc.array(ranges, { maxLength: 6 }), (made) => {
      const pools = { DefaultAddrPool: ["10.9.0.0/22"], SubnetSize: 27 };
      const first = numberOf("10.9.0.0") as number;
      let taken = merged(
        made.map(({ base, bits }) => spanOf(`${addressOf(first + base)}/${bits}`) as Span),
      );
      const { subnets, free } = countSubnets(pools, taken);
      assert.equal(subnets, 32);
      for (let left = free; left > 0; left -= 1) {
        const subnet = freeSubnet(pools, { ingress: false, taken });
        assert.ok(subnet);
        const span = spanOf(subnet) as Span;
        assert.ok(
          taken.every((one) => one.last < span.first || span.last < one.first),
          subnet,
        );
        taken = merged([...taken, span]);
      }
      assert.equal(freeSubnet(pools, { ingress: false, taken }), undefined);
    }),
    { numRuns: 200 },
  );
});

test("freeAddress() finds every address, and each once", () => {
  const span = spanOf("10.1.0.0/27") as Span;
  const held = new Set<number>();
  for (let n = 0; n < 32; n += 1) {
    const number = freeAddress(span, `holder ${n}`, (one) => held.has(one));
    assert.ok(number !== undefined && !held.has(number));
    held.add(number);
  }
  assert.equal(
    freeAddress(span, "another", (one) => held.has(one)),
    undefined,
  );
});

test("poolOf() keeps the ends and the gateway of a subnet, and honours its range", () => {
  const pool = (config: object) => {
    const found = poolOf(
      aNetwork("n", { IPAM: { Driver: "default", Options: null, Config: [config] } }),
    );
    if (found === undefined) return undefined;
    const { span, gateways, reserved } = found;
    const ends = [span, gateways].flatMap(({ first, last }) => [addressOf(first), addressOf(last)]);
    return [...ends, addressOf(reserved), sizeOf(found)].join(" ");
  };
  const all = "10.1.0.1 10.1.0.6 10.1.0.1 10.1.0.6";
  assert.equal(pool({ Subnet: "10.1.0.0/29" }), `${all} 10.1.0.1 5`);
  assert.equal(pool({ Subnet: "10.1.0.0/29", Gateway: "10.1.0.4" }), `${all} 10.1.0.4 5`);
  assert.equal(
    pool({ Subnet: "10.1.0.0/24", IPRange: "10.1.0.128/25" }),
    "10.1.0.128 10.1.0.254 10.1.0.1 10.1.0.254 10.1.0.1 127",
  );
  assert.equal(pool({}), undefined);
  assert.equal(pool({ Subnet: "fd00::/64" }), undefined);
  assert.equal(pool({ Subnet: "10.1.0.0/32" }), undefined);
});
