/** Node: the Engine API's node, one Docker host, and what gam keeps beside it. */
import type { NodeId } from "@gam/core";
import type { Labels, Meta } from "./meta.ts";

/** Range (CIDR) of the nodes' addresses inside of encrypted tunnels; RFC 2544 keeps it for no public use. */
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

/** What the node's own peer says of its engine. */
export interface EngineHealth {
  readonly ready: boolean;
  /** Why it is not ready. Empty when it is. */
  readonly reason: string;
}

/** What the node's own peer says of its place in the network and of what its kernel can do. */
export interface NodeNetwork {
  /** Largest packet, in bytes, that the device with the node's address carries. */
  readonly mtu: number;
  /** Ranges (CIDR) that the host has routes to, without the default route and gam's own. Sorted. */
  readonly routes: readonly string[];
  /** Who encrypts: WireGuard in the kernel, wireguard-go, or nobody. */
  readonly encryption: "kernel" | "userspace" | "none";
  /** WireGuard public key, base64; "" where nobody encrypts. */
  readonly publicKey: string;
  /** Why the node cannot take part in networks across hosts; "" when it can. */
  readonly problem: string;
}

/** What gam adds to the Engine API's node. Not shown to Docker clients. */
export interface NodeExtra {
  /** `host:port` addresses of the mesh, best first. */
  readonly addresses: readonly string[];
  readonly engine: EngineHealth;
  /** When the engine was first said to be missing, by the leader's clock; 0 while it is there. */
  readonly engineLostAtMs: number;
  /** Absent until the node has said so. */
  readonly network?: NodeNetwork;
  /** IPv4 address inside of the encrypted tunnels, given by the leader. Absent until then. */
  readonly tunnel?: string;
  /** The newest root key that the node has a certificate of, base64. Absent until the node has said so. */
  readonly root?: string;
  /** The newest dialect of the log that the node's gam reads. Absent: the first. It never falls. */
  readonly dialect?: number;
}

export interface Node extends Meta {
  readonly ID: NodeId;
  readonly Spec: NodeSpec;
  readonly Description: NodeDescription;
  readonly Status: NodeStatus;
  readonly Gam: NodeExtra;
}

/** Its own peer has said what it is. No host has no CPU. */
export function isDescribed(node: Node): boolean {
  return node.Description.Resources.NanoCPUs > 0;
}
