/**
 * Container table: makes the rules inside of one container's own network namespace.
 *
 * A TCP connection from the container to a service address is translated to one of the service's tasks there,
 * so the host neither translates nor tracks it. Conntrack drops all of the container's TCP connections soon
 * after their end. Otherwise there would be too many entries, and a client that has also used a task's own
 * address would search long for a free port.
 *
 * Without these rules the host translates instead, as it does for all other protocols. UDP is left to the host
 * because it has no close message: when a task leaves, its flows must be deleted, which costs too much in each
 * container.
 */
import type { NetworkId } from "@gam/core";
import type { NodePlan } from "../plan/node-plan.ts";
import { mapOf, type NftTable } from "./nft-table.ts";
import { type ResolverRoute, resolverChains } from "./resolver-route.ts";
import { briefly, briefPolicy, chainOfService, serviceChain } from "./service-rules.ts";

/** Tables by the container's networks, as text: many containers share the same networks. */
const tables = new WeakMap<NodePlan, Map<string, NftTable>>();

/** `networks`: the container's networks. `route`: where its resolver's queries go, if not where the engine sends them. */
export function containerTable(
  plan: NodePlan,
  networks: readonly NetworkId[],
  route?: ResolverRoute,
): NftTable {
  const known = tables.get(plan) ?? new Map<string, NftTable>();
  tables.set(plan, known);
  const key = [...[...networks].sort(), JSON.stringify(route)].join(" ");
  const table = known.get(key) ?? makeTable(plan, new Set(networks), route);
  known.set(key, table);
  return table;
}

function makeTable(
  { services }: NodePlan,
  networks: ReadonlySet<NetworkId>,
  route: ResolverRoute | undefined,
): NftTable {
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
      ...resolverChains(route),
      // Gets the first packet of an incoming connection.
      [
        "arrivals",
        ["type nat hook prerouting priority -110; policy accept;", `meta l4proto tcp ${briefly}`],
      ],
    ]),
  };
}
