/**
 * Name answer: what a container is told that asks for a name.
 *
 * Decides who may know which name, and what is not gam's to answer ("forward"). Does not decide how
 * long an answer may be (write-answer.ts) nor who else is asked (forwarder.ts).
 *
 * - A container asks in its networks, in their order: the first network that knows the name answers
 *   alone. Addresses of two networks together would send half of the connections into the wrong one.
 * - Somebody else asks in the network whose gateway was asked, if the address is one of it: a container
 *   that no plan has yet, a gateway of another node. Others are refused, or every bridge and every host
 *   with a route would see the names of a network, and have an open forwarder.
 * - A name that exists has no AAAA, and that is not the same as no such name: with NXDOMAIN some
 *   resolvers would give up the A as well. The same goes for every other type.
 * - Names of one label that are not known are handed on as Swarm does: hosts have names of their own.
 *   So is NAME.SEARCHDOMAIN: a container asks for NAME itself first (the engine writes `ndots:0`), and
 *   what the host's servers say to the longer name is theirs to say.
 * - Nobody is asked on for a container all of whose networks are internal, nor for whoever asks at the gateway of an
 *   internal network: a container there may say that it is another one.
 * - Addresses of gam's own subnets are nobody else's: their names are never asked for elsewhere.
 */
import type { NetworkId, Random } from "@gam/core";
import { type DnsPlan, type DnsZone, isIn, numberOf, type Span, spanOf } from "@gam/network";
import { type DnsQuery, internetClass, rcode, type } from "./dns-message.ts";

export interface NameAnswer {
  readonly rcode: number;
  /** For A. */
  readonly addresses: readonly string[];
  /** For PTR: a name without a final dot. */
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

/** A plan, ready to be asked. Make a new one when the plan changes. */
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
    for (const { names } of zones) {
      const addresses = names.get(query.name);
      if (addresses === undefined) continue;
      return query.type === type.a ? this.#turned(addresses) : nothing;
    }
    const unknown = this.#isConfined(asker) ? noSuchName : "forward";
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

  /** `undefined`: it is no address of gam's. */
  #reverse(query: DnsQuery, zones: readonly DnsZone[]): NameAnswer | undefined {
    const address = query.name.slice(0, -reverseSuffix.length).split(".").reverse().join(".");
    for (const { reverse } of zones) {
      const pointer = reverse.get(address);
      if (pointer === undefined) continue;
      return query.type === type.ptr ? { rcode: rcode.noError, addresses: [], pointer } : nothing;
    }
    return isInside(address, this.#ranges) ? noSuchName : undefined;
  }

  /** Begins anywhere, so that those who take the first address are spread over all of them. */
  #turned(addresses: readonly string[]): NameAnswer {
    if (addresses.length < 2) return { rcode: rcode.noError, addresses };
    const first = this.#random.below(addresses.length);
    const turned = [...addresses.slice(first), ...addresses.slice(0, first)];
    return { rcode: rcode.noError, addresses: turned };
  }
}

function isInside(address: string, spans: readonly (Span | undefined)[]): boolean {
  const number = numberOf(address);
  return number !== undefined && spans.some((span) => span !== undefined && isIn(number, span));
}
