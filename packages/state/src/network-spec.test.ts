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

test("readNetworkSpec() stores what the client asked for", () => {
  const body = {
    Name: "ov5",
    Driver: "overlay",
    Scope: "",
    IPAM: { Driver: "default", Options: {}, Config: [{ Subnet: "10.99.0.0/24" }] },
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
    IPAM: { Driver: "default", Options: null, Config: [{ Subnet: "10.99.0.0/24" }] },
    Internal: false,
    Attachable: true,
    Ingress: false,
    ConfigFrom: { Network: "" },
    ConfigOnly: false,
    Options: { encrypted: "" },
    Labels: { a: "b" },
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
