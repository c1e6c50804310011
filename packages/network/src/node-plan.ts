/**
 * Node plan: all that one node's data plane must be, as one value.
 *
 * Computed from the state alone, so that every peer would compute the same for a node. The runtime
 * makes the kernel and the engine be like it, and makes them so again when they are not any more.
 * Addresses are IPv4 without prefix unless said otherwise. Lists are sorted where order means nothing,
 * so that equal plans are equal values.
 */
import type { NetworkId, NodeId } from "@gam/core";
import type { NetworkPlan } from "@gam/worker";

export interface NodePlan {
  readonly self: NodeId;
  /** This node's address in the underlay, which the others send to. */
  readonly underlay: string;
  /** UDP port of VXLAN. */
  readonly vxlanPort: number;
  /** Underlay addresses that VXLAN may come from without encryption. */
  readonly neighbours: readonly string[];
  /** Absent where this node does not encrypt. */
  readonly tunnels?: TunnelPlan;
  readonly networks: readonly NetworkPlane[];
  readonly services: readonly ServicePlane[];
  readonly ports: readonly PortPlane[];
  readonly dns: DnsPlan;
}

/** WireGuard between nodes. VXLAN that goes to a tunnel address is encrypted, what goes to an underlay address is not. */
export interface TunnelPlan {
  readonly address: string;
  /** This node's own key as the state has it, base64. A new one is used once it is here. */
  readonly publicKey: string;
  /** UDP. */
  readonly port: number;
  readonly mtu: number;
  /** Sorted by key. */
  readonly peers: readonly {
    readonly node: NodeId;
    /** base64 */
    readonly publicKey: string;
    readonly underlay: string;
    readonly tunnel: string;
  }[];
}

/** One network on this node: a bridge of the engine's, and the VXLAN device that joins it to the others. */
export interface NetworkPlane {
  readonly id: NetworkId;
  readonly name: string;
  /** 1 to 2^24 - 1. */
  readonly vni: number;
  /** Device names, at most 15 characters, that no other network has. */
  readonly bridge: string;
  readonly vxlan: string;
  /** CIDR. */
  readonly subnet: string;
  /** Address of this node's bridge. */
  readonly gateway: string;
  readonly internal: boolean;
  /** The network that published ports come in by. */
  readonly ingress: boolean;
  /** Frames of this network are taken from tunnels only. */
  readonly encrypted: boolean;
  /** Of the bridge, its containers and the VXLAN device. */
  readonly mtu: number;
  /** Service addresses that the bridge answers for, on this node. */
  readonly vips: readonly string[];
  /** Addresses of tasks, plain containers and bridges on other nodes, and where to send their frames. */
  readonly remotes: readonly { readonly address: string; readonly via: string }[];
  /** Addresses of tasks and plain containers on this node. */
  readonly locals: readonly string[];
  /** What the engine has to have for it. */
  readonly engine: NetworkPlan;
}

/** Of tasks and plain containers on any node, and of other nodes' bridges. */
export function addressesIn({ locals, remotes }: NetworkPlane): readonly string[] {
  return [...locals, ...remotes.map(({ address }) => address)];
}

/** Addresses of the tasks that new connections to services and ports go to. */
export function backendsIn({ services, ports }: NodePlan): readonly string[] {
  return [
    ...services.flatMap(({ backends }) => backends),
    ...ports.flatMap(({ local, remote }) => [...local, ...remote]),
  ];
}

/** A service address in one network. */
export interface ServicePlane {
  /** Letters and digits, unique in the plan, the same for ever for one service in one network. */
  readonly key: string;
  readonly network: NetworkId;
  readonly vip: string;
  /** Addresses of healthy tasks, on this node and on others. Empty: connections are refused. */
  readonly backends: readonly string[];
  /** The backend of each of 256 hash values of the client's address; absent: any backend, evenly. */
  readonly affinity?: readonly string[];
}

/** A port published on this node. */
export interface PortPlane {
  /** Letters and digits, unique in the plan. */
  readonly key: string;
  readonly protocol: "tcp" | "udp" | "sctp";
  readonly published: number;
  readonly target: number;
  /** Ingress addresses of healthy tasks. Those on this node are used as long as there is one. */
  readonly local: readonly string[];
  readonly remote: readonly string[];
  /** Of `local` if there is one, else of `remote`: the backend of each of 256 hash values. */
  readonly affinity?: readonly string[];
}

export interface DnsPlan {
  /** Where to answer: the gateways of this node. */
  readonly zones: readonly DnsZone[];
  /** Container address on this node to the networks whose names it may ask for, its own order first to last. */
  readonly clients: ReadonlyMap<string, readonly NetworkId[]>;
  /** Container address on this node to the name servers that its spec wants for all other names. */
  readonly upstreams?: ReadonlyMap<string, readonly string[]>;
}

/** The names of one network. */
export interface DnsZone {
  readonly network: NetworkId;
  /** Of the network: `web.NAME` is `web` in it. */
  readonly name?: string;
  readonly gateway: string;
  /** CIDR */
  readonly subnet: string;
  /** Lower-case name without a final dot, to its addresses. Empty: the name is there and has none now. */
  readonly names: ReadonlyMap<string, readonly string[]>;
  /** Address to name, for PTR. */
  readonly reverse: ReadonlyMap<string, string>;
}
