import assert from "node:assert/strict";
import { test } from "node:test";
import type { NetworkId } from "@gam/core";
import { isClusterNetwork, readNetworkSpec } from "./network-spec.ts";

const id = "n1" as NetworkId;

test("a network of the cluster is an overlay, or says that its scope is swarm", () => {
  assert.equal(isClusterNetwork({ Driver: "overlay", Name: "a" }), true);
  assert.equal(isClusterNetwork({ Driver: "macvlan", Scope: "swarm" }), true);
  assert.equal(isClusterNetwork({ Driver: "bridge", Scope: "" }), false);
});

const fd00 = { Subnet: "fd00:99::/64", Gateway: "fd00:99::1" };
const ov5 = { Subnet: "10.99.0.0/24", IPRange: "10.99.0.128/25", Gateway: "10.99.0.1" };

test("readNetworkSpec() stores what the client asked for", () => {
  const body = {
    Name: "ov5",
    Driver: "overlay",
    Scope: "",
    IPAM: { Driver: "default", Options: {}, Config: [fd00, ov5] },
    Attachable: true,
    ConfigFrom: null,
    Options: { encrypted: "" },
    Labels: { a: "b" },
    CheckDuplicate: true,
  };
  assert.deepEqual(readNetworkSpec(body, id), {
    Id: id,
    Name: "ov5",
    Scope: "swarm",
    Driver: "overlay",
    EnableIPv6: false,
    IPAM: { Driver: "default", Options: null, Config: [fd00, ov5] },
    Internal: false,
    Attachable: true,
    Ingress: false,
    ConfigFrom: { Network: "" },
    ConfigOnly: false,
    Options: { encrypted: "" },
    Labels: { a: "b" },
    Gam: { vni: 0, gateways: {}, attachments: {} },
  });
});

const refused = [
  {
    name: "a name that is no DNS label",
    body: { Name: "bad/name", Driver: "overlay" },
    code: "BAD_REQUEST",
    want: "rpc error: code = InvalidArgument desc = name must be valid as a DNS name component",
  },
  {
    name: "a driver that nobody has",
    body: { Name: "x", Driver: "nosuchdriver", Scope: "swarm" },
    code: "NOT_FOUND",
    want: 'plugin "nosuchdriver" not found',
  },
  {
    name: "a second network called host",
    body: { Name: "host", Driver: "overlay" },
    code: "REFUSED",
    want: "operation is not permitted on predefined host network",
  },
  {
    name: "the name of the network that published ports will use",
    body: { Name: "ingress", Driver: "overlay" },
    code: "REFUSED",
    want: "operation is not permitted on predefined ingress network",
  },
  ...[
    { name: "a subnet that is none", config: { Subnet: "bogus" }, want: "invalid subnet bogus" },
    {
      name: "a subnet without a prefix",
      config: { Subnet: "10.1.2.3" },
      want: "invalid subnet 10.1.2.3",
    },
    {
      name: "a gateway without a subnet",
      config: { Gateway: "10.1.0.1" },
      want: "invalid subnet ",
    },
    {
      name: "a gateway outside of its subnet",
      config: { Subnet: "10.1.0.0/24", Gateway: "10.2.0.1" },
      want: "subnet 10.1.0.0/24 does not contain gateway 10.2.0.1",
    },
    {
      name: "a gateway that is no address",
      config: { Subnet: "10.1.0.0/24", Gateway: "10.1.0.0/24" },
      want: "invalid gateway 10.1.0.0/24",
    },
    {
      name: "a range outside of its subnet",
      config: { Subnet: "10.1.0.0/24", IPRange: "10.2.0.0/25" },
      want: "subnet 10.1.0.0/24 does not contain range 10.2.0.0/25",
    },
  ].map(({ name, config, want }) => ({
    name,
    body: { Name: "x", Driver: "overlay", IPAM: { Config: [config] } },
    code: "BAD_REQUEST",
    want: `rpc error: code = InvalidArgument desc = ipam configuration: ${want}`,
  })),
  {
    name: "an ingress network",
    body: { Name: "x", Driver: "overlay", Ingress: true },
    code: "NOT_SUPPORTED",
    want: 'Cannot create network "x": there is no ingress network yet',
  },
];

for (const { name, body, code, want } of refused) {
  test(`readNetworkSpec() refuses ${name}`, () => {
    assert.throws(() => readNetworkSpec(body, id), { code, message: want });
  });
}
