/**
 * Whereabouts: where others reach this peer.
 *
 * Decides that from what the operator said, or from the interfaces as they are now: a host may get
 * another address at any time. Does not decide who is told (mesh.ts).
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

  /** `host:port`, best first. Empty before the first look. */
  get addresses(): readonly string[] {
    return this.#addresses;
  }

  /** It listens on that port. */
  listens(port: number): void {
    this.#port = port;
    this.look();
  }

  /** Looks again. Returns whether the addresses are others now. */
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
    // An interface without an address, or none at all: a cable is out, and the address will be back.
    const lost = hosts[0] === "127.0.0.1" || hosts[0] === told?.host;
    if (lost && this.#addresses.length > 0) return this.#addresses;
    const port = told ? told.port : this.#port;
    return hosts.map((host) => formatAddress({ host, port }));
  }
}

/** Where a token and whoever has it say that members are, each once. */
export function placesOf(token: Token, addresses: readonly string[]): string[] {
  return [...new Set([...addresses.map(normal), ...token.addresses])];
}

function normal(address: string): string {
  return formatAddress(parseAddress(isIP(address) === 6 ? `[${address}]` : address));
}
