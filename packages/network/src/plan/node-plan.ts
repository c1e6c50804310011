/**
 * Node plan: describes the whole data plane of one node, as one value.
 *
 * It is computed from the state alone, so that every peer computes the same plan for a node. The runtime makes
 * the kernel and the engine match it, and repairs them when they differ. A value that becomes text for nft, ip,
 * bridge, wg or conntrack has a type of safe-values.ts. A value in the state that is not safe is left out and
 * named in `problems`. Lists without a meaningful order are sorted, so that equal plans are equal values.
 */

import type { NetworkId, NodeId } from "@gam/core";
import type { NetworkPlan } from "@gam/state";
import type {
  ChainKey,
  DeviceName,
  Ip4,
  Ip6,
  Mtu,
  Port,
  Range4,
  Vni,
  WireguardKey,
} from "./safe-values.ts";

export interface NodePlan {
  readonly self: NodeId;
  /** This node's address in the underlay, to which the others send. */
  readonly underlay: Ip4;
  /** UDP port of VXLAN. */
  readonly vxlanPort: Port;
  /** Underlay addresses from which VXLAN without encryption is accepted. */
  readonly neighbours: readonly Ip4[];
  /** What containers must not reach, on this node and on others. */
  readonly walls: Walls;
  /** Absent where this node does not encrypt. */
  readonly tunnels?: TunnelPlan;
  readonly networks: readonly NetworkPlane[];
  readonly services: readonly ServicePlane[];
  readonly ports: readonly PortPlane[];
  readonly dns: DnsPlan;
  /** Objects of the state that could not be planned, in sentences for people. Sorted. */
  readonly problems: readonly string[];
}

/** The addresses and ports that only peers may reach. */
export interface Walls {
  /** UDP port of WireGuard, also when this node does not encrypt. */
  readonly tunnelPort: Port;
  /** IPv4 addresses of all nodes, this one's too. */
  readonly members: readonly Ip4[];
  /** Underlay addresses of other nodes: one of them may be a virtual machine behind a bridge of this node. */
  readonly guests: readonly Ip4[];
  /** Where the peers of all nodes listen. */
  readonly doors: readonly Door<Ip4>[];
  readonly doors6: readonly Door<Ip6>[];
  /** The ports on which this node itself listens, at any of its addresses. */
  readonly ownDoors: readonly Port[];
  /** The host's device towards other hosts, if known. It may be a bridge, which then is not one for containers. */
  readonly line?: DeviceName;
}

/** Where a peer listens for others. */
export interface Door<Address> {
  readonly address: Address;
  readonly port: Port;
}

/** WireGuard between nodes. VXLAN to a tunnel address is encrypted, VXLAN to an underlay address is not. */
export interface TunnelPlan {
  readonly address: Ip4;
  /** This node's own key in the state. The node switches to a new key once this field has it. */
  readonly publicKey: WireguardKey;
  /** UDP. */
  readonly port: Port;
  readonly mtu: Mtu;
  /** Sorted by key. */
  readonly peers: readonly {
    readonly node: NodeId;
    readonly publicKey: WireguardKey;
    readonly underlay: Ip4;
    readonly tunnel: Ip4;
  }[];
}

/** One network on this node: a bridge of the engine, and the VXLAN device that connects it to other nodes. */
export interface NetworkPlane {
  readonly id: NetworkId;
  readonly name: string;
  readonly vni: Vni;
  /** Device names that no other network has. */
  readonly bridge: DeviceName;
  readonly vxlan: DeviceName;
  readonly subnet: Range4;
  /** Address of this node's bridge. */
  readonly gateway: Ip4;
  readonly internal: boolean;
  /** The network through which published ports reach tasks. */
  readonly ingress: boolean;
  /** Frames of this network are accepted from tunnels only. */
  readonly encrypted: boolean;
  /** MTU of the bridge, its containers and the VXLAN device. */
  readonly mtu: Mtu;
  /** Service addresses that the bridge answers for, on this node. */
  readonly vips: readonly Ip4[];
  /** Addresses of tasks, plain containers and bridges on other nodes, and where to send their frames. */
  readonly remotes: readonly { readonly address: Ip4; readonly via: Ip4 }[];
  /** Addresses of the bridges among them. */
  readonly bridges: readonly Ip4[];
  /** Addresses of tasks and plain containers on this node. */
  readonly locals: readonly Ip4[];
  /** The engine's network for it. */
  readonly engine: NetworkPlan;
}

/** Addresses of tasks and plain containers on any node, and of other nodes' bridges. */
export function addressesIn({ locals, remotes }: NetworkPlane): readonly Ip4[] {
  return [...locals, ...remotes.map(({ address }) => address)];
}

/** Addresses of the tasks that get new connections to services and ports, here or on other nodes. */
export function backendsIn({ services, ports }: NodePlan): readonly Ip4[] {
  return [
    ...services.flatMap(({ backends }) => backends),
    ...ports.flatMap(({ backends, others }) => [...backends, ...others]),
  ];
}

/** A service address in one network. */
export interface ServicePlane {
  /** Unique in the plan. It never changes for one service in one network. */
  readonly key: ChainKey;
  readonly network: NetworkId;
  readonly vip: Ip4;
  /** Addresses of the tasks that get new connections, on this node and on others. Empty: connections are refused. */
  readonly backends: readonly Ip4[];
  /** How many of every so many new connections each backend gets, on average; absent: all the same, or `affinity`. */
  readonly parts?: readonly number[];
  /** The backend of each of 256 hash values of the client's address; absent: any backend. */
  readonly affinity?: readonly Ip4[];
}

/** A port published on this node. */
export interface PortPlane {
  /** Unique in the plan. */
  readonly key: ChainKey;
  readonly protocol: "tcp" | "udp" | "sctp";
  readonly published: Port;
  readonly target: Port;
  /** Ingress addresses of the healthy tasks that get this node's new connections. */
  readonly backends: readonly Ip4[];
  /** Those of tasks that get connections at other nodes. Only a service that prefers tasks on the asked node has any. */
  readonly others: readonly Ip4[];
  /** As in ServicePlane. */
  readonly parts?: readonly number[];
  /** As in ServicePlane. */
  readonly affinity?: readonly Ip4[];
}

export interface DnsPlan {
  /** Where to answer: the gateways of this node. */
  readonly zones: readonly DnsZone[];
  /** Container address on this node to the networks whose names it may query, in the container's own order. */
  readonly clients: ReadonlyMap<string, readonly NetworkId[]>;
  /** Addresses of containers on this node that are in internal networks only. */
  readonly confined: ReadonlySet<string>;
  /** Container address on this node to the name servers in its spec, for all other names. */
  readonly upstreams?: ReadonlyMap<string, readonly string[]>;
}

/** The names of one network. */
export interface DnsZone {
  readonly network: NetworkId;
  /** The network's name in lower case: `web.NAME` means `web` in this network alone. */
  readonly name: string;
  /** Queries at this gateway get only the cluster's names. */
  readonly internal: boolean;
  readonly gateway: string;
  /** CIDR */
  readonly subnet: string;
  /** Lower-case name without a final dot to its addresses. Empty: the name exists and has no address now. */
  readonly names: ReadonlyMap<string, readonly string[]>;
  /** Address to name, for PTR. */
  readonly reverse: ReadonlyMap<string, string>;
}
