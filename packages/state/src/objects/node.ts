/** Node: the Engine API's node (one Docker host), and what gam adds to it. */
import type { NodeId } from "@gam/core";
import type { Labels, Meta } from "./meta.ts";

/** Range (CIDR) of the nodes' addresses inside encrypted tunnels; RFC 2544 reserves it for benchmarks. */
export const tunnelRange = "198.18.0.0/15";

export type NodeRole = "manager" | "worker";
export type Availability = "active" | "pause" | "drain";
export type NodeState = "unknown" | "down" | "ready" | "disconnected";

/** Written by clients. */
export interface NodeSpec {
  readonly Name?: string;
  readonly Labels: Labels;
  readonly Role: NodeRole;
  readonly Availability: Availability;
}

export interface Platform {
  readonly Architecture: string;
  readonly OS: string;
}

export interface GenericResource {
  readonly NamedResourceSpec?: { readonly Kind: string; readonly Value: string };
  readonly DiscreteResourceSpec?: { readonly Kind: string; readonly Value: number };
}

/** Written by the node's own peer. */
export interface NodeDescription {
  readonly Hostname: string;
  readonly Platform: Platform;
  readonly Resources: {
    /** Billionths of a CPU. */
    readonly NanoCPUs: number;
    readonly MemoryBytes: number;
    readonly GenericResources?: readonly GenericResource[];
  };
  readonly Engine: {
    readonly EngineVersion: string;
    readonly Labels: Labels;
    readonly Plugins: readonly { readonly Type: string; readonly Name: string }[];
  };
}

/** Written by the leader. */
export interface NodeStatus {
  readonly State: NodeState;
  readonly Message?: string;
  /** Address without port. */
  readonly Addr: string;
}

/** The node's own peer's report about its engine. */
export interface EngineHealth {
  readonly ready: boolean;
  /** Why it is not ready. Empty when it is. */
  readonly reason: string;
}

/** The node's own peer's report about its network and what its kernel can do. */
export interface NodeNetwork {
  /** Largest packet, in bytes, of the device with the node's address. */
  readonly mtu: number;
  /** Ranges (CIDR) that the host has routes to, except the default route and gam's own. Sorted. */
  readonly routes: readonly string[];
  /** What encrypts: WireGuard in the kernel, wireguard-go, or nothing. */
  readonly encryption: "kernel" | "userspace" | "none";
  /** WireGuard public key, base64; "" without encryption. */
  readonly publicKey: string;
  /** Why the node cannot take part in networks across hosts; "" when it can. */
  readonly problem: string;
}

/** What gam adds to the Engine API's node. Not shown to Docker clients. */
export interface NodeExtra {
  /** `host:port` addresses of the mesh, best first. */
  readonly addresses: readonly string[];
  readonly engine: EngineHealth;
  /** When the engine was first reported missing, by the leader's clock; 0 while it is there. */
  readonly engineLostAtMs: number;
  /** Absent until the node reports it. */
  readonly network?: NodeNetwork;
  /** IPv4 address inside the encrypted tunnels, assigned by the leader. Absent until then. */
  readonly tunnel?: string;
  /** The newest root key for which the node has a certificate, base64. Absent until the node reports it. */
  readonly root?: string;
  /** The newest dialect of the log that the node's gam reads. Absent: the first. It never falls. */
  readonly dialect?: number;
  /** The gam that the node runs, as `0.1.0+BUILD`. Absent until the node reports it. */
  readonly version?: string;
}

export interface Node extends Meta {
  readonly ID: NodeId;
  readonly Spec: NodeSpec;
  readonly Description: NodeDescription;
  readonly Status: NodeStatus;
  readonly Gam: NodeExtra;
}

/** Whether its own peer has described it. Every host has a CPU, so 0 means not described. */
export function isDescribed(node: Node): boolean {
  return node.Description.Resources.NanoCPUs > 0;
}
