/**
 * Name answer: answers a container's query for a name.
 *
 * Decides who may know which name, and which query gam does not answer itself ("forward"). Does not decide how
 * long an answer may be (write-answer.ts) nor which other server to ask (forwarder.ts).
 *
 * - A container's networks are searched in their order, and the first one that knows the name answers alone.
 *   Addresses of two networks together would send half of the connections into the wrong network.
 * - A name may have the name of one of these networks behind it: `web.front` is `web` in `front` alone. As in
 *   Docker, the whole name is looked up first, then with the shortest network name.
 * - If such a name does not exist, it is forwarded, as Docker does, because a network may be called `dev` or
 *   `example.org`. It is not forwarded if no domain can end like the network's name (`shop_front`).
 * - Any other sender is served from the network whose gateway it asked, if its address is in that network's
 *   subnet: a container that no plan has yet, or another node's gateway. All others are refused. Otherwise
 *   every bridge and every host with a route would see a network's names and have an open forwarder.
 * - For a name that exists, an AAAA query gets an empty answer, not NXDOMAIN: after NXDOMAIN some resolvers would
 *   drop the A record as well. The same holds for every other type.
 * - Unknown names of one label are forwarded, as in Swarm, because hosts have names of their own. So is
 *   NAME.SEARCHDOMAIN: a container asks for NAME first (the engine writes `ndots:0`), and the longer name
 *   belongs to the host's servers.
 * - Nothing is forwarded for a container with only internal networks, nor for a query at an internal network's
 *   gateway, because a container there can fake its source address.
 * - Addresses in gam's own subnets belong to nobody else: their reverse names are never forwarded.
 */
import type { NetworkId, Random } from "@gam/core";
import { type DnsPlan, type DnsZone, isIn, numberOf, type Span, spanOf } from "@gam/network";
import { type DnsQuery, internetClass, rcode, type } from "./dns-message.ts";

export interface NameAnswer {
  readonly rcode: number;
  /** The answer to A. */
  readonly addresses: readonly string[];
  /** The answer to PTR: a name without a final dot. */
  readonly pointer?: string;
}

export interface DnsClient {
  /** Source address of the query. */
  readonly from: string;
  /** The gateway that was asked. */
  readonly at: string;
}

const nothing: NameAnswer = { rcode: rcode.noError, addresses: [] };
const noSuchName: NameAnswer = { rcode: rcode.noSuchName, addresses: [] };
const refused: NameAnswer = { rcode: rcode.refused, addresses: [] };
const reverseSuffix = ".in-addr.arpa";
const transfers: readonly number[] = [type.ixfr, type.axfr];

/** Answers queries from one plan. Make a new one when the plan changes. */
export class NameBook {
  readonly #clients: ReadonlyMap<string, readonly NetworkId[]>;
  readonly #confined: ReadonlySet<string>;
  readonly #zoneOf = new Map<NetworkId, DnsZone>();
  readonly #zoneAt = new Map<string, DnsZone>();
  readonly #ranges: readonly Span[];
  readonly #random: Random;

  constructor({ zones, clients, confined }: DnsPlan, random: Random) {
    this.#clients = clients;
    this.#confined = confined;
    this.#random = random;
    for (const zone of zones) {
      this.#zoneOf.set(zone.network, zone);
      this.#zoneAt.set(zone.gateway, zone);
    }
    this.#ranges = zones.flatMap(({ subnet }) => spanOf(subnet) ?? []);
  }

  answer(query: DnsQuery, asker: DnsClient): NameAnswer | "forward" {
    if (query.edns !== undefined && query.edns.version !== 0) {
      return { rcode: rcode.badVersion, addresses: [] };
    }
    if (query.class !== internetClass || transfers.includes(query.type)) return refused;
    const zones = this.#zonesOf(asker);
    if (zones === undefined) return refused;
    const addresses = addressesOf(query.name, zones);
    if (addresses !== undefined) {
      return query.type === type.a ? this.#turned(addresses) : nothing;
    }
    const isOurs = this.#isConfined(asker) || isOnlyOurs(query.name, zones);
    const unknown = isOurs ? noSuchName : "forward";
    return query.name.endsWith(reverseSuffix) ? (this.#reverse(query, zones) ?? unknown) : unknown;
  }

  #isConfined({ from, at }: DnsClient): boolean {
    return this.#confined.has(from) || this.#zoneAt.get(at)?.internal !== false;
  }

  #zonesOf({ from, at }: DnsClient): readonly DnsZone[] | undefined {
    const networks = this.#clients.get(from);
    if (networks !== undefined) return networks.flatMap((id) => this.#zoneOf.get(id) ?? []);
    const zone = this.#zoneAt.get(at);
    return zone !== undefined && isInside(from, [spanOf(zone.subnet)]) ? [zone] : undefined;
  }

  /** `undefined`: the address is not in gam's subnets. */
  #reverse(query: DnsQuery, zones: readonly DnsZone[]): NameAnswer | undefined {
    const address = query.name.slice(0, -reverseSuffix.length).split(".").reverse().join(".");
    for (const { reverse } of zones) {
      const pointer = reverse.get(address);
      if (pointer === undefined) continue;
      return query.type === type.ptr ? { rcode: rcode.noError, addresses: [], pointer } : nothing;
    }
    return isInside(address, this.#ranges) ? noSuchName : undefined;
  }

  /** Rotates the list at random, so that clients that take the first address spread over all of them. */
  #turned(addresses: readonly string[]): NameAnswer {
    if (addresses.length < 2) return { rcode: rcode.noError, addresses };
    const first = this.#random.below(addresses.length);
    const turned = [...addresses.slice(first), ...addresses.slice(0, first)];
    return { rcode: rcode.noError, addresses: turned };
  }
}

/** `undefined`: there is no such name. */
function addressesOf(name: string, zones: readonly DnsZone[]): readonly string[] | undefined {
  for (const { names } of zones) {
    const addresses = names.get(name);
    if (addresses !== undefined) return addresses;
  }
  for (let dot = name.lastIndexOf("."); dot > 0; dot = name.lastIndexOf(".", dot - 1)) {
    const zone = zones.find((one) => one.name === name.slice(dot + 1));
    const addresses = zone?.names.get(name.slice(0, dot));
    if (addresses !== undefined) return addresses;
  }
  return undefined;
}

/** Whether the name ends like a network's name, and like no domain: those end in letters alone. */
function isOnlyOurs(name: string, zones: readonly DnsZone[]): boolean {
  if (/(^|\.)([a-z]+|xn--[a-z0-9-]+)$/.test(name)) return false;
  return zones.some((zone) => name.endsWith(`.${zone.name}`));
}

function isInside(address: string, spans: readonly (Span | undefined)[]): boolean {
  const number = numberOf(address);
  return number !== undefined && spans.some((span) => span !== undefined && isIn(number, span));
}
