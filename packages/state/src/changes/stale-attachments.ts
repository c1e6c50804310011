import type { NodeId } from "@gam/core";
import type { AskedChange } from "../log/change.ts";
import type { Network } from "../objects/network.ts";

type Detach = Extract<AskedChange, { kind: "detachContainer" }>;

/** An address that a container of an engine holds, or will hold once it is started. */
export interface HeldEndpoint {
  readonly network: Network["Id"];
  /** IPv4 without prefix. */
  readonly address: string;
}

/**
 * The attachments of one node whose containers are gone from its engine.
 *
 * `endpoints` are all those of the node's engine; `held` are keys of attachments that are being made, whose
 * containers are still to come.
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
