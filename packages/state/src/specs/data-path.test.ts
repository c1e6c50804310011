import assert from "node:assert/strict";
import { test } from "node:test";
import { dataPathDefault } from "../objects/cluster.ts";
import { readDataPath } from "./data-path.ts";

test("readDataPath() has Swarm's defaults", () => {
  const said = { DefaultAddrPool: [], SubnetSize: 24, DataPathPort: 0 };
  for (const body of [said, {}]) assert.deepEqual(readDataPath(body), dataPathDefault);
});

test("readDataPath() accepts pools, a size and a port", () => {
  const DefaultAddrPool = ["10.20.0.0/16", " 10.31.7.9/16 "];
  assert.deepEqual(readDataPath({ DefaultAddrPool, SubnetSize: 26, DataPathPort: 7777 }), {
    DefaultAddrPool: ["10.20.0.0/16", "10.31.0.0/16"],
    SubnetSize: 26,
    DataPathPort: 7777,
  });
});

const refused = [
  { body: { SubnetSize: 30 }, want: "subnet size is out of range: 30" },
  {
    body: { DefaultAddrPool: ["10.1.0.0"] },
    want: 'invalid base pool "10.1.0.0": invalid CIDR address: 10.1.0.0',
  },
  {
    body: { DefaultAddrPool: ["10.1.2.0/26"], SubnetSize: 24 },
    want: 'invalid CIDR: "10.1.2.0/26". Subnet size is too small for pool: 24',
  },
  {
    body: { DataPathPort: 80 },
    want: "Datapath port number is not in valid range (1024-49151) : 80",
  },
  {
    body: { DataPathPort: 50_000 },
    want: "Datapath port number is not in valid range (1024-49151) : 50000",
  },
  {
    body: { DefaultAddrPool: ["fd00::/48"] },
    want: "Cannot take subnets from fd00::/48: networks across hosts have IPv4 addresses only",
  },
];

for (const { body, want } of refused) {
  test(`readDataPath() refuses ${JSON.stringify(body)}`, () => {
    assert.throws(() => readDataPath(body), { message: want });
  });
}
