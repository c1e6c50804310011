import type { NetworkId, NodeId } from "@gam/core";
import type { Labels, Version } from "./meta.ts";

/** A container on an attachable network that is not a task: from `docker run --network`. */
export interface Attachment {
  readonly node: NodeId;
  /** Name of the container. */
  readonly name: string;
  /** IPv4 without prefix; "" until the leader assigns one. */
  readonly address: string;
  /** The requested address, if any: IPv4 without prefix. */
  readonly wish?: string;
  /** Other names of the container in this network. */
  readonly aliases?: readonly string[];
}

/** What gam adds to the Engine API's network, assigned by the leader. Not shown to Docker clients. */
export interface NetworkExtra {
  /** VXLAN network identifier; 0 until the network has one, and a subnet in `IPAM.Config`. */
  readonly vni: number;
  /** Node id to the IPv4 address (without prefix) of that node's own bridge. */
  readonly gateways: Readonly<Record<string, string>>;
  /** By key; the asking peer chose the key. */
  readonly attachments: Readonly<Record<string, Attachment>>;
}

/** The Engine API's network, scope swarm. `Id` and `Created` are named differently in other objects. */
export interface Network {
  readonly Id: NetworkId;
  readonly Version: Version;
  readonly Name: string;
  /** RFC 3339. */
  readonly Created: string;
  readonly Scope: "swarm";
  readonly Driver: string;
  readonly EnableIPv6: boolean;
  readonly IPAM: {
    readonly Driver: string;
    readonly Options: Labels | null;
    readonly Config: readonly {
      readonly Subnet?: string;
      readonly IPRange?: string;
      readonly Gateway?: string;
    }[];
  };
  readonly Internal: boolean;
  readonly Attachable: boolean;
  readonly Ingress: boolean;
  readonly ConfigFrom: { readonly Network: string };
  readonly ConfigOnly: boolean;
  readonly Options: Labels | null;
  readonly Labels: Labels;
  readonly Gam: NetworkExtra;
}
