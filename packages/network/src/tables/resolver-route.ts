/**
 * Resolver route: brings the queries of a container's resolver to this node's agent.
 *
 * The engine's resolver in a container (127.0.0.11) knows the containers of its own host and asks the name servers
 * that the container had at its start. A container that joins one of gam's networks later would find none of the
 * network's names. So a rule inside of the container sends queries to those servers to the agent at a gateway
 * instead, and the agent asks them for all other names.
 *
 * If those servers are on the host's loopback, the engine asks them from the host, where no rule can tell containers
 * apart. Then the rule sends the container's own queries to the agent, and the agent asks the engine's resolver in
 * the container for all other names. The agent's packets to the resolver's port become packets to its loopback
 * address; nothing else from outside may reach a loopback address there.
 *
 * Decides which containers need that, and which gateway answers. A container that still has the gateway of an open
 * network as its server needs nothing. A container in internal networks and in others that are not gam's has no
 * route: at an internal network's gateway it would lose the names of the outside world.
 */
import type { NetworkId } from "@gam/core";
import type { NodePlan } from "../plan/node-plan.ts";
import { type Ip4, ip4, type Port } from "../plan/safe-values.ts";

const engineResolver = "127.0.0.11";

/** What a container's resolver does by itself. */
export interface EngineResolver {
  /** Addresses of the servers that it asks from inside of the container. */
  readonly servers: readonly string[];
  /** Where the resolver itself listens, if it asks servers of the host's loopback. */
  readonly inner?: InnerPorts;
  /** The container is in networks that are not gam's, too. */
  readonly isMixed: boolean;
}

/** Ports of the engine's resolver at 127.0.0.11. */
export interface InnerPorts {
  readonly udp: Port;
  readonly tcp: Port;
}

/** A container's place in one of gam's networks. */
export interface JoinedPlace {
  readonly network: NetworkId;
  readonly address: string;
}

export interface ResolverRoute {
  /** Where the agent answers. */
  readonly gateway: Ip4;
  /** The container's address in the same network. */
  readonly own: Ip4;
  readonly servers: readonly Ip4[];
  /** Without servers: the agent reaches the resolver at `own` and its port for UDP. */
  readonly inner?: InnerPorts;
}

/** `undefined`: the resolver reaches the agent by itself, or cannot be brought to it. */
export function resolverRoute(
  { networks }: NodePlan,
  joined: readonly JoinedPlace[],
  { servers: found, inner, isMixed }: EngineResolver,
): ResolverRoute | undefined {
  const servers = found.flatMap((server) => ip4(server) ?? []);
  const places = joined.flatMap(({ network: id, address }) => {
    const network = networks.find((one) => one.id === id && !one.ingress);
    const own = ip4(address);
    return network === undefined || own === undefined ? [] : [{ network, own }];
  });
  const isOpen = places.some(({ network }) => !network.internal);
  if (!isOpen && isMixed) return undefined;
  const usable = places.filter(({ network }) => !isOpen || !network.internal);
  const [first] = usable;
  const isAsked = usable.some(({ network }) => servers.includes(network.gateway));
  if (first === undefined || isAsked) return undefined;
  const ends = { gateway: first.network.gateway, own: first.own };
  if (servers.length > 0) return { ...ends, servers: [...new Set(servers)].sort() };
  return inner && { ...ends, servers, inner };
}

/**
 * The name of a network whose names the container cannot resolve, because its resolver asks no server from inside of
 * the container, and its own port is not known.
 */
export function deafTo(
  { networks }: NodePlan,
  joined: readonly JoinedPlace[],
  { servers, inner }: EngineResolver,
): string | undefined {
  if (inner !== undefined || servers.some((server) => ip4(server) !== undefined)) return undefined;
  const ids = new Set(joined.map(({ network }) => network));
  return networks.find(({ id, ingress }) => ids.has(id) && !ingress)?.name;
}

/** Chains of the container's table. */
export function resolverChains(route: ResolverRoute | undefined): [string, string[]][] {
  if (route === undefined) return [];
  const { gateway, own, servers, inner } = route;
  const asked = inner === undefined ? `{ ${servers.join(", ")} }` : engineResolver;
  const names = "meta l4proto { tcp, udp } th dport 53";
  return [
    [
      "resolver",
      [
        "type nat hook output priority -120; policy accept;",
        `ip daddr ${asked} ${names} dnat to ${gateway}`,
      ],
    ],
    // The packet has the source of another network, which the agent would refuse.
    [
      "resolver_source",
      [
        "type nat hook postrouting priority 90; policy accept;",
        `ip daddr ${gateway} ${names} ct status dnat snat to ${own}`,
      ],
    ],
    ...(inner === undefined ? [] : innerChains(route, inner)),
  ];
}

function innerChains(
  { gateway, own }: ResolverRoute,
  { udp, tcp }: InnerPorts,
): [string, string[]][] {
  const fromAgent = `ip saddr ${gateway} ip daddr ${own}`;
  return [
    // Before the translation below.
    [
      "resolver_guard",
      [
        "type filter hook prerouting priority -300; policy accept;",
        'iifname != "lo" ip daddr 127.0.0.0/8 drop',
      ],
    ],
    [
      "resolver_inner",
      [
        "type nat hook prerouting priority -120; policy accept;",
        `${fromAgent} udp dport ${udp} dnat to ${engineResolver}:${udp}`,
        `${fromAgent} tcp dport ${udp} dnat to ${engineResolver}:${tcp}`,
      ],
    ],
  ];
}
