import assert from "node:assert/strict";
import { test } from "node:test";
import type { NetworkId } from "@gam/core";
import {
  demandsEncryption,
  newIngressNetwork,
  readNetworkKind,
  readNetworkSpec,
} from "./network-spec.ts";

const id = "n1" as NetworkId;

test("a network of the cluster is an overlay, or has scope swarm", () => {
  assert.deepEqual(readNetworkKind({ Driver: "overlay", name: "a" }), {
    name: "a",
    ofCluster: true,
  });
  assert.equal(readNetworkKind({ Driver: "macvlan", scope: "swarm" }).ofCluster, true);
  assert.equal(readNetworkKind({ Driver: "bridge", Scope: "" }).ofCluster, false);
});

const ov5 = { Subnet: "10.99.0.0/24", IPRange: "10.99.0.128/25", Gateway: "10.99.0.1" };

test("readNetworkSpec() stores what the client asked for", () => {
  const body = {
    Name: "ov5",
    Driver: "overlay",
    Scope: "",
    IPAM: { Driver: "default", Options: {}, Config: [ov5] },
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
    IPAM: { Driver: "default", Options: null, Config: [ov5] },
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

test("only an ingress network may be called ingress", () => {
  const { Name, Ingress, Driver, IPAM } = newIngressNetwork(id);
  assert.deepEqual([Name, Ingress, Driver, IPAM.Config], ["ingress", true, "overlay", []]);
  assert.equal(readNetworkSpec({ Name: "in", Driver: "overlay", Ingress: true }, id).Name, "in");
});

const optionCases = [
  { options: { encrypted: "" }, want: { encrypted: "" }, demands: true },
  { options: { encrypted: "true" }, want: { encrypted: "" }, demands: true },
  { options: { encrypted: "false" }, want: null, demands: false },
  { options: {}, want: null, demands: false },
  {
    options: { "com.docker.network.driver.mtu": "1400", other: "x" },
    want: { "com.docker.network.driver.mtu": "1400", other: "x" },
    demands: false,
  },
];

for (const { options, want, demands } of optionCases) {
  test(`options ${JSON.stringify(options)} are kept as ${JSON.stringify(want)}`, () => {
    const network = readNetworkSpec({ Name: "x", Driver: "overlay", Options: options }, id);
    assert.deepEqual(network.Options, want);
    assert.equal(demandsEncryption(network), demands);
  });
}

const refused = [
  {
    name: "a name that is not a DNS label",
    body: { Name: "bad/name", Driver: "overlay" },
    code: "BAD_REQUEST",
    want: "rpc error: code = InvalidArgument desc = name must be valid as a DNS name component",
  },
  {
    name: "an unknown driver",
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
    {
      name: "a text that is not a subnet",
      config: { Subnet: "bogus" },
      want: "invalid subnet bogus",
    },
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
      name: "a gateway that is not an address",
      config: { Subnet: "10.1.0.0/24", Gateway: "10.1.0.0/24" },
      want: "invalid gateway 10.1.0.0/24",
    },
    {
      name: "a subnet whose address is not its first one",
      config: { Subnet: "10.1.0.5/24" },
      want: "invalid subnet 10.1.0.5/24: it should be 10.1.0.0/24",
    },
    {
      name: "a subnet that is too small",
      config: { Subnet: "10.1.0.0/30" },
      want: "invalid subnet 10.1.0.0/30: a prefix is from /8 to /29",
    },
    {
      name: "a subnet that is too large",
      config: { Subnet: "0.0.0.0/0" },
      want: "invalid subnet 0.0.0.0/0: a prefix is from /8 to /29",
    },
    {
      name: "the last address of a subnet as a gateway",
      config: { Subnet: "10.1.0.0/24", Gateway: "10.1.0.255" },
      want: "invalid gateway 10.1.0.255",
    },
    {
      name: "a range that is larger than its subnet",
      config: { Subnet: "10.1.0.0/24", IPRange: "10.1.0.0/16" },
      want: "subnet 10.1.0.0/24 does not contain range 10.1.0.0/16",
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
  ...[
    {
      name: "IPv6",
      body: { EnableIPv6: true },
      want: "networks across hosts have IPv4 addresses only; leave out --ipv6 and IPv6 subnets",
    },
    {
      name: "an IPv6 subnet",
      body: { IPAM: { Config: [{ Subnet: "fd00:99::/64" }] } },
      want: "networks across hosts have IPv4 addresses only; leave out --ipv6 and IPv6 subnets",
    },
    {
      name: "two subnets",
      body: { IPAM: { Config: [{ Subnet: "10.1.0.0/24" }, { Subnet: "10.2.0.0/24" }] } },
      want: "a network across hosts has one subnet; ask for one larger subnet instead",
    },
    {
      name: "addresses from another IPAM driver",
      body: { IPAM: { Driver: "dhcp" } },
      want: 'addresses are given out by the cluster, not by IPAM driver "dhcp"',
    },
    {
      name: "an ingress network for plain containers",
      body: { Ingress: true, Attachable: true },
      want: "an ingress network takes no plain containers",
    },
    {
      name: "a VXLAN identifier",
      body: { Options: { "com.docker.network.driver.overlay.vxlanid_list": "7" } },
      want: "VXLAN identifiers are given out by the cluster",
    },
  ].map(({ name, body, want }) => ({
    name,
    body: { Name: "x", Driver: "overlay", ...body },
    code: "NOT_SUPPORTED",
    want: `Cannot create network "x": ${want}`,
  })),
  ...[
    {
      options: { "com.docker.network.driver.mtu": "9k" },
      want: 'invalid value for option com.docker.network.driver.mtu: "9k" is not in 576-65535',
    },
    {
      options: { encrypted: "yes" },
      want: 'invalid value for option encrypted: "yes" is neither true nor false',
    },
  ].map(({ options, want }) => ({
    name: `option ${JSON.stringify(options)}`,
    body: { Name: "x", Driver: "overlay", Options: options },
    code: "BAD_REQUEST",
    want: `rpc error: code = InvalidArgument desc = ${want}`,
  })),
];

for (const { name, body, code, want } of refused) {
  test(`readNetworkSpec() refuses ${name}`, () => {
    assert.throws(() => readNetworkSpec(body, id), { code, message: want });
  });
}
