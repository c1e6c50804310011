/**
 * Whereabouts: where others reach this peer.
 *
 * Decides that from what the operator set, or from the current interfaces: a host's address may change
 * at any time. Does not decide which peers hear of it (mesh.ts).
 */
import { isIP } from "node:net";
import { advertisedHosts, formatAddress, parseAddress, reachableHosts } from "../trust/address.ts";
import type { Token } from "../trust/token.ts";

export class Whereabouts {
  readonly #host: string;
  readonly #advertise: string | undefined;
  #port = 0;
  #addresses: readonly string[] = [];

  /** Shape: `host` is where this peer listens; `advertise` is `host:port`, `host` or an interface. */
  constructor(host: string, advertise: string | undefined) {
    this.#host = host;
    this.#advertise = advertise;
  }

  /** `host:port`, best first. Empty before the first look(). */
  get addresses(): readonly string[] {
    return this.#addresses;
  }

  /** Tells it the port on which this peer listens. */
  listens(port: number): void {
    this.#port = port;
    this.look();
  }

  /** Reads the addresses again. Returns whether they have changed. */
  look(): boolean {
    const found = this.#find();
    const known = new Set(this.#addresses);
    if (known.size === found.length && found.every((one) => known.has(one))) return false;
    this.#addresses = found;
    return true;
  }

  #find(): readonly string[] {
    const told =
      this.#advertise === undefined ? undefined : parseAddress(this.#advertise, this.#port);
    const hosts = told ? advertisedHosts(told.host) : reachableHosts(this.#host);
    // No interface has an address: perhaps a cable is out. Keep the old one, since it will be back.
    const lost = hosts[0] === "127.0.0.1" || hosts[0] === told?.host;
    if (lost && this.#addresses.length > 0) return this.#addresses;
    const port = told ? told.port : this.#port;
    return hosts.map((host) => formatAddress({ host, port }));
  }
}

/** Addresses of members, from a token and from the caller, each once. */
export function placesOf(token: Token, addresses: readonly string[]): string[] {
  return [...new Set([...addresses.map(normal), ...token.addresses])];
}

function normal(address: string): string {
  return formatAddress(parseAddress(isIP(address) === 6 ? `[${address}]` : address));
}
