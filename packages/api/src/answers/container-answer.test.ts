import assert from "node:assert/strict";
import { test } from "node:test";
import type { NetworkId, NodeId } from "@gam/core";
import type { Network } from "@gam/state";
import { aNetwork } from "@gam/state/testing";
import { containerAnswer } from "./container-answer.ts";

const node = "a" as NodeId;

function network(name: string, subnet: number, more: Partial<Network> = {}): Network {
  const IPAM = { Driver: "default", Options: null, Config: [{ Subnet: `10.0.${subnet}.0/24` }] };
  const gateways = { [node]: `10.0.${subnet}.1`, b: `10.0.${subnet}.2` };
  const Gam = { vni: 4096 + subnet, gateways, attachments: {} };
  const made = aNetwork(name, { Id: `id-${name}` as NetworkId, IPAM, Gam, ...more });
  return { ...made, Version: { Index: 1 }, Created: "" };
}

const networks = [network("ingress", 0, { Ingress: true }), network("front", 1)];
const around = { networks, node };

interface Case {
  readonly name: string;
  readonly networks: Record<string, object>;
  readonly mode?: string;
  readonly want: Record<string, string>;
  readonly wantMode?: string;
}

const cases: readonly Case[] = [
  {
    name: "bridges of the cluster become its networks",
    networks: {
      "0.ingress": { NetworkID: "e0", IPAddress: "10.0.0.7", Gateway: "10.0.0.1" },
      front: { NetworkID: "e1", IPAddress: "10.0.1.7", Gateway: "10.0.1.1" },
    },
    mode: "front",
    want: { ingress: "id-ingress", front: "id-front" },
    wantMode: "front",
  },
  {
    name: "the network mode may be the engine's id",
    networks: { "0.ingress": { NetworkID: "e0", IPAddress: "10.0.0.7", Gateway: "10.0.0.1" } },
    mode: "e0",
    want: { ingress: "id-ingress" },
    wantMode: "ingress",
  },
  {
    name: "a stopped container is known by its configured address and the bridge's name",
    networks: {
      front: { NetworkID: "", IPAMConfig: { IPv4Address: "10.0.1.7" }, IPAddress: "", Gateway: "" },
    },
    want: { front: "id-front" },
  },
  {
    name: "a bridge may have another name, when an older network of the engine had it",
    networks: { "front-1": { NetworkID: "e1", IPAddress: "10.0.1.7", Gateway: "10.0.1.1" } },
    want: { front: "id-front" },
  },
  {
    name: "a network of the engine with the same name stays",
    networks: { front: { NetworkID: "e9", IPAddress: "172.18.0.2", Gateway: "172.18.0.1" } },
    mode: "front",
    want: { front: "e9" },
    wantMode: "front",
  },
  {
    name: "the gateway of another node proves nothing",
    networks: { front: { NetworkID: "e9", IPAddress: "10.0.1.7", Gateway: "10.0.1.2" } },
    want: { front: "e9" },
  },
  {
    name: "the engine's own networks stay",
    networks: { bridge: { NetworkID: "e2", IPAddress: "172.17.0.2", Gateway: "172.17.0.1" } },
    mode: "default",
    want: { bridge: "e2" },
    wantMode: "default",
  },
];
for (const { name, networks: Networks, mode, want, wantMode } of cases) {
  test(`a container's networks: ${name}`, () => {
    const container = {
      Id: "c",
      HostConfig: mode === undefined ? { Memory: 1 } : { Memory: 1, NetworkMode: mode },
      NetworkSettings: { Ports: {}, Networks },
    };
    const seen = JSON.parse(JSON.stringify(containerAnswer(container, around)));
    const found = Object.entries<{ NetworkID: string }>(seen.NetworkSettings.Networks);
    assert.deepEqual(Object.fromEntries(found.map(([key, one]) => [key, one.NetworkID])), want);
    assert.equal(seen.HostConfig.NetworkMode, wantMode);
    assert.equal(seen.HostConfig.Memory, 1);
    assert.deepEqual(seen.NetworkSettings.Ports, {});
  });
}

test("what is no container stays as it is", () => {
  for (const odd of [{}, { NetworkSettings: null }, { NetworkSettings: { Networks: [1] } }]) {
    assert.deepEqual(containerAnswer(odd, around), odd);
  }
});
