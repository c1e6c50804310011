/**
 * Unrouted pairs: finds addresses that the plans of all nodes do not connect, for tests and simulations.
 *
 * It takes the containers and bridges that each plan has as local. So it finds an entry that another node lacks,
 * sends to the wrong place, or would not accept. It does not find a container that no plan has.
 */
import type { NetworkPlane, NodePlan } from "./node-plan.ts";

/** One line for each address that a node in its network does not reach. Empty: all are connected. */
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
