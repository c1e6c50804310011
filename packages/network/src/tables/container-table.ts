/**
 * Container table: the rules inside of one container's own network namespace.
 *
 * A TCP connection that begins there to a service address of one of its networks goes to a task of the
 * service at once, and from then on like any other: the host has nothing to translate and nothing to remember.
 * All connections of the container are forgotten soon after their end, or there would be too many to
 * remember, and a client that spoke with a task by its own address would have to look long for a port that
 * is free for the service's.
 *
 * A container without these rules is none the worse: the host's table does it for it, as it does for all other
 * protocols. UDP has no end that is told: when a task leaves, its flows must be forgotten, which costs too
 * much in each container.
 */
import type { NetworkId } from "@gam/core";
import type { NodePlan } from "../plan/node-plan.ts";
import { mapOf, type NftTable } from "./nft-table.ts";
import { briefly, briefPolicy, chainOfService, serviceChain } from "./service-rules.ts";

/** By networks, as text: most containers are in the same few. */
const tables = new WeakMap<NodePlan, Map<string, NftTable>>();

/** `networks`: those that the container has a place in. */
export function containerTable(plan: NodePlan, networks: readonly NetworkId[]): NftTable {
  const known = tables.get(plan) ?? new Map<string, NftTable>();
  tables.set(plan, known);
  const key = [...networks].sort().join(" ");
  const table = known.get(key) ?? makeTable(plan, new Set(networks));
  known.set(key, table);
  return table;
}

function makeTable({ services }: NodePlan, networks: ReadonlySet<NetworkId>): NftTable {
  const served = services.filter(
    ({ network, backends }) => networks.has(network) && backends.length > 0,
  );
  return {
    family: "ip",
    lasting: briefPolicy,
    sets: new Map([
      [
        "services",
        mapOf(
          "type ipv4_addr : verdict",
          served.map((service) => [service.vip, `goto ${serviceChain(service)}`]),
        ),
      ],
    ]),
    chains: new Map([
      ...served.flatMap((service) => chainOfService(service)),
      [
        "output",
        [
          "type nat hook output priority -110; policy accept;",
          `meta l4proto tcp ${briefly} ip daddr vmap @services`,
        ],
      ],
      // Sees the first packet of a connection that comes in.
      [
        "arrivals",
        ["type nat hook prerouting priority -110; policy accept;", `meta l4proto tcp ${briefly}`],
      ],
    ]),
  };
}
