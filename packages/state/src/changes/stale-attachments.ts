import type { NodeId } from "@gam/core";
import type { AskedChange } from "../log/change.ts";
import type { Network } from "../objects/network.ts";

type Detach = Extract<AskedChange, { kind: "detachContainer" }>;

/** An address that a container of an engine has, or gets when it starts. */
export interface HeldEndpoint {
  readonly network: Network["Id"];
  /** IPv4 without prefix. */
  readonly address: string;
}

/**
 * Returns: changes that detach the attachments of one node whose containers are gone from its engine.
 *
 * Shape: `endpoints` are all endpoints of the node's engine. `held` are keys of attachments in creation, whose
 *         containers do not exist yet.
 */
export function staleAttachments(
  networks: readonly Network[],
  node: NodeId,
  {
    endpoints,
    held,
  }: { readonly endpoints: readonly HeldEndpoint[]; readonly held: ReadonlySet<string> },
): readonly Detach[] {
  const used = new Set(endpoints.map(({ network, address }) => `${network} ${address}`));
  return networks.flatMap(({ Id, Gam }) =>
    Object.entries(Gam.attachments)
      .filter(
        ([key, one]) => one.node === node && !held.has(key) && !used.has(`${Id} ${one.address}`),
      )
      .map(([key]): Detach => ({ kind: "detachContainer", network: Id, key })),
  );
}
