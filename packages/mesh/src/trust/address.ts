/**
 * Address: `host:port`, as people, tokens and the state write it, and libp2p's spelling of it.
 *
 * A host is a name, an IPv4 address, or an IPv6 address with or without brackets. Only brackets are
 * dropped, so that an address may stand in a token.
 */
import { lookup } from "node:dns/promises";
import { isIP, isIPv4, isIPv6 } from "node:net";
import { networkInterfaces } from "node:os";
import { GamError, rethrowInvariant } from "@gam/core";
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";

export interface Address {
  readonly host: string;
  readonly port: number;
}

const defaultPort = 7946;
const namePattern = /^[a-z0-9](?:[a-z0-9._-]{0,252})$/;

/** Errors: BAD_REQUEST, with the text and what is wrong with it. */
export function parseAddress(text: string, portIfAbsent = defaultPort): Address {
  const wrong = (why: string): GamError =>
    new GamError("BAD_REQUEST", `Cannot read address "${text.slice(0, 80)}": ${why}`);
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(text);
  const cut = text.lastIndexOf(":");
  let host = text.toLowerCase();
  let portText: string | undefined;
  if (bracketed !== null) {
    host = (bracketed[1] ?? "").toLowerCase();
    portText = bracketed[2];
  } else if (cut !== -1) {
    host = text.slice(0, cut).toLowerCase();
    portText = text.slice(cut + 1);
  }
  if (!isIPv4(host) && !isIPv6(host) && !namePattern.test(host)) throw wrong("no host in it");
  if (portText === undefined) return { host, port: portIfAbsent };
  const port = Number(portText);
  if (!/^\d{1,5}$/.test(portText) || port < 1 || port > 65535) {
    throw wrong(`"${portText.slice(0, 20)}" is no port`);
  }
  return { host, port };
}

/** The host of `host:port`. */
export function hostPart(address: string): string {
  return address.slice(0, address.lastIndexOf(":"));
}

/** The form in tokens and in the state; parseAddress() reads it. */
export function formatAddress({ host, port }: Address): string {
  return `${host}:${port}`;
}

/** In libp2p's spelling. */
export function dialAddress({ host, port }: Address): Multiaddr {
  const family = isIPv4(host) ? "ip4" : isIPv6(host) ? "ip6" : "dns";
  return multiaddr(`/${family}/${host}/tcp/${port}`);
}

/** `host:port` of the other end of a connection. */
export function addressOf(remote: Multiaddr): string {
  const parts = remote.getComponents();
  const host = parts.find(({ name }) => ["ip4", "ip6", "dns", "dns4", "dns6"].includes(name));
  const port = parts.find(({ name }) => name === "tcp");
  return `${host?.value ?? "unknown"}:${port?.value ?? 0}`;
}

/** Bridges that Docker, hypervisors and gam make. Other hosts cannot reach this one at their addresses. */
const inside =
  /^(?:docker|gam(?:x?-|wg)|br-|veth|virbr|vnet|vxlan|cni|cali|flannel|podman|lxcbr|lxdbr)/;

/**
 * Where others may reach a peer that listens on `host`.
 *
 * Shape: best first; never empty, so a lone host without a network still has its loopback.
 */
export function reachableHosts(host: string): string[] {
  if (host !== "0.0.0.0" && host !== "::") return [host];
  const found: string[] = [];
  for (const [name, addresses] of Object.entries(networkInterfaces())) {
    if (inside.test(name)) continue;
    for (const { address, family, internal } of addresses ?? []) {
      if (internal || address.startsWith("fe80:")) continue;
      if (family === "IPv4" || host === "::") found.push(address);
    }
  }
  found.sort((a, b) => Number(isIPv6(a)) - Number(isIPv6(b)));
  return found.length === 0 ? ["127.0.0.1"] : found;
}

/**
 * The addresses of the network interface named `advertised`; without such an interface, `advertised` itself.
 *
 * Shape: best first, never empty.
 */
export function advertisedHosts(advertised: string): string[] {
  const held = Object.entries(networkInterfaces()).flatMap(([name, addresses]) =>
    name.toLowerCase() === advertised ? (addresses ?? []) : [],
  );
  const found = held.map(({ address }) => address).filter((one) => !one.startsWith("fe80:"));
  found.sort((a, b) => Number(isIPv6(a)) - Number(isIPv6(b)));
  return found.length === 0 ? [advertised] : found;
}

/**
 * Checks an address before it is advertised: a bad one would be noticed only when the second host joins.
 * Not for restarts, when name servers may be down.
 *
 * Errors: BAD_REQUEST for a `host:port` or `host` that others cannot reach.
 */
export async function insistOnAdvertised(text: string): Promise<void> {
  const refuse = (why: string, cause?: unknown): never => {
    throw new GamError("BAD_REQUEST", `Cannot advertise "${text}": ${why}`, { cause });
  };
  const { host } = parseAddress(text);
  if (host === "0.0.0.0" || host === "::") refuse("other hosts cannot reach this address");
  if (isIP(host) !== 0 || advertisedHosts(host)[0] !== host) return;
  await lookup(host).catch((thrown: unknown) => {
    rethrowInvariant(thrown);
    refuse("it is not an address, an interface of this host, or a name that resolves", thrown);
  });
}
