/**
 * Unrouted pairs: what the plans of all nodes together fail to connect, for tests and simulations.
 *
 * Knows of containers and bridges what the plans say is local, so it sees an entry that another node
 * lacks, sends the wrong way, or would not take; it does not see a container that no plan mentions.
 */
import type { NetworkPlane, NodePlan } from "./node-plan.ts";

/** One line for each address that a node with its network does not reach. Empty: all is well. */
export function unroutedPairs(plans: readonly NodePlan[]): string[] {
  const problems: string[] = [];
  for (const from of plans) {
    for (const to of plans) {
      if (from.self === to.self) continue;
      for (const network of from.networks) {
        const there = to.networks.find(({ id }) => id === network.id);
        if (there === undefined) continue;
        problems.push(...unreached({ plan: from, network }, { plan: to, network: there }));
      }
    }
  }
  return problems;
}

interface End {
  readonly plan: NodePlan;
  readonly network: NetworkPlane;
}

function unreached(from: End, to: End): string[] {
  const ways = new Map(from.network.remotes.map(({ address, via }) => [address, via]));
  const nodes = `network ${from.network.id}: node ${from.plan.self} to ${to.plan.self}`;
  return [...to.network.locals, to.network.gateway].flatMap((address) => {
    const via = ways.get(address);
    const fault = via === undefined ? "is unknown" : faultOf(via, from.plan, to);
    return fault === undefined ? [] : [`${nodes}: ${address} ${fault}`];
  });
}

function faultOf(via: string, from: NodePlan, to: End): string | undefined {
  const { underlay, neighbours, tunnels } = to.plan;
  if (via === underlay) {
    if (to.network.encrypted) return "is sent in the clear";
    return neighbours.includes(from.underlay) ? undefined : "is not taken in the clear";
  }
  if (via !== tunnels?.address) return `is sent to ${via}`;
  const meets = (plan: NodePlan, other: NodePlan): boolean =>
    plan.tunnels?.peers.some(({ node }) => node === other.self) ?? false;
  return meets(from, to.plan) && meets(to.plan, from) ? undefined : "has no tunnel";
}
