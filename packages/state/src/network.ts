import type { NetworkId } from "@gam/core";
import type { Labels, Version } from "./meta.ts";

/** The Engine API's network, scope swarm. Its `Id` and `Created` differ from the other objects' names. */
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
}
