/**
 * Subnet: computes with IPv4 ranges as numbers, and finds free addresses and subnets in them.
 *
 * Does not decide who gets one (allocator.ts).
 */
import { assert, type NetworkId, type NodeId } from "@gam/core";
import { type Cluster, isTerminal, type Network, tunnelRange, type View } from "@gam/state";

/** A range of addresses as whole numbers, both ends included. */
export interface Span {
  readonly first: number;
  readonly last: number;
}

/** `undefined` for a text that is not an IPv4 address. */
export function numberOf(address: string): number | undefined {
  const parts = address.split(".");
  if (parts.length !== 4) return undefined;
  let number = 0;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    number = number * 256 + Number(part);
  }
  return number;
}

export function addressOf(number: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join(".");
}

/** The span of a range or, without a prefix, of one address. `undefined` for any other text, also for IPv6. */
export function spanOf(range: string): Span | undefined {
  const [base = "", prefix = "32", ...more] = range.split("/");
  const number = numberOf(base);
  if (number === undefined || more.length > 0) return undefined;
  if (!/^(0|[1-9]\d?)$/.test(prefix) || Number(prefix) > 32) return undefined;
  const size = 2 ** (32 - Number(prefix));
  const first = number - (number % size);
  return { first, last: first + size - 1 };
}

/** The addresses that a network may give. */
export interface Pool {
  /** CIDR. */
  readonly subnet: string;
  /** Prefix length of the subnet. */
  readonly prefix: number;
  /** For tasks, services and plain containers: the network's IP range, or the whole subnet. */
  readonly span: Span;
  /** For the nodes' bridges: the whole subnet. */
  readonly gateways: Span;
  /** Never given: the network's creator and its readers take it for the gateway. */
  readonly reserved: number;
}

/** `undefined` while the network has no subnet, and for a subnet without usable addresses. */
export function poolOf({ IPAM }: Pick<Network, "IPAM">): Pool | undefined {
  const config = IPAM.Config[0];
  const subnet = config?.Subnet;
  const whole = subnet === undefined ? undefined : spanOf(subnet);
  if (config === undefined || subnet === undefined || whole === undefined) return undefined;
  // Without the network's own address and the broadcast address.
  const inner = { first: whole.first + 1, last: whole.last - 1 };
  const range = config.IPRange === undefined ? inner : spanOf(config.IPRange);
  if (range === undefined || inner.first > inner.last) return undefined;
  const span = {
    first: Math.max(range.first, inner.first),
    last: Math.min(range.last, inner.last),
  };
  const reserved = (config.Gateway && numberOf(config.Gateway)) || inner.first;
  const prefix = Number(subnet.split("/")[1] ?? 32);
  return { subnet, prefix, span, gateways: inner, reserved };
}

/** The number of addresses that may be given. */
export function sizeOf({ span, reserved }: Pool): number {
  return Math.max(0, span.last - span.first + 1 - (isIn(reserved, span) ? 1 : 0));
}

export function isIn(number: number, { first, last }: Span): boolean {
  return first <= number && number <= last;
}

/** FNV-1a, so that searches begin at different places and a freed address is not reused soon. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  return hash >>> 0;
}

/** The first free address, searched once around from the hash of `key`. */
export function freeAddress(
  span: Span,
  key: string,
  isHeld: (number: number) => boolean,
): number | undefined {
  const size = span.last - span.first + 1;
  if (size <= 0) return undefined;
  const start = hashOf(key) % size;
  for (let step = 0; step < size; step += 1) {
    const number = span.first + ((start + step) % size);
    if (!isHeld(number)) return number;
  }
  return undefined;
}

/** Ranges that no new subnet may overlap, sorted and merged. */
export function takenSpans(view: View): Span[] {
  const spans = [tunnelRange, ...view.networks().flatMap(subnetsOf)].map(spanOf);
  for (const { Status, Gam } of view.nodes()) {
    // A node's own address is added because the node may have no route to the range around it.
    spans.push(spanOf(Status.Addr), ...(Gam.network?.routes ?? []).map(spanOf));
  }
  // When a network was removed before all of its tasks had ended, its bridges still exist.
  for (const { Status, Gam } of view.tasks()) {
    if (isTerminal(Status.State)) continue;
    for (const { network, address } of Gam.attachments) {
      if (view.network(network) === undefined) spans.push(spanOf(address));
    }
  }
  return merged(spans.filter((span) => span !== undefined));
}

function subnetsOf({ IPAM }: Network): string[] {
  return IPAM.Config.flatMap(({ Subnet }) => (Subnet === undefined ? [] : [Subnet]));
}

export function merged(spans: readonly Span[]): Span[] {
  const result: Span[] = [];
  for (const span of [...spans].sort((a, b) => a.first - b.first)) {
    const before = result.at(-1);
    if (before === undefined || before.last < span.first - 1) result.push(span);
    else result[result.length - 1] = { ...before, last: Math.max(before.last, span.last) };
  }
  return result;
}

type AddressPools = Pick<Cluster, "DefaultAddrPool" | "SubnetSize">;

/** An ingress network is larger: every task of the cluster that publishes a port needs an address in it. */
const ingressLonger = 4;
const prefixMin = 8;

/** Prefix length of the subnets that are given. */
export function prefixFor({ SubnetSize }: AddressPools, ingress: boolean): number {
  return ingress ? Math.max(prefixMin, SubnetSize - ingressLonger) : SubnetSize;
}

/** The lowest free subnet of the cluster's pools, which are searched in their order. */
export function freeSubnet(
  pools: AddressPools,
  { ingress, taken }: { readonly ingress: boolean; readonly taken: readonly Span[] },
): string | undefined {
  for (const text of pools.DefaultAddrPool) {
    const pool = spanOf(text);
    if (pool === undefined) continue;
    // A pool that is smaller than a subnet is given as a whole.
    const prefix = Math.max(prefixFor(pools, ingress), prefixOf(pool));
    const size = 2 ** (32 - prefix);
    let first = pool.first;
    for (const span of taken) {
      if (span.last < first) continue;
      if (span.first > first + size - 1) break;
      first = (Math.floor(span.last / size) + 1) * size;
    }
    if (first + size - 1 <= pool.last) return `${addressOf(first)}/${prefix}`;
  }
  return undefined;
}

/** The number of subnets of the usual size in the pools, and how many of them are free. */
export function countSubnets(
  pools: AddressPools,
  taken: readonly Span[],
): { readonly subnets: number; readonly free: number } {
  let subnets = 0;
  let free = 0;
  for (const pool of merged(pools.DefaultAddrPool.map(spanOf).filter((one) => one !== undefined))) {
    const size = Math.min(2 ** (32 - pools.SubnetSize), pool.last - pool.first + 1);
    const blockOf = (number: number): number => Math.floor((number - pool.first) / size);
    const blocks = blockOf(pool.last) + 1;
    const within = taken
      .filter(({ first, last }) => last >= pool.first && first <= pool.last)
      .map(({ first, last }) => ({
        first: blockOf(Math.max(first, pool.first)),
        last: blockOf(Math.min(last, pool.last)),
      }));
    subnets += blocks;
    free += blocks;
    for (const { first, last } of merged(within)) free -= last - first + 1;
  }
  return { subnets, free };
}

function prefixOf({ first, last }: Span): number {
  const bits = Math.log2(last - first + 1);
  assert(Number.isInteger(bits), "a span must have a prefix length");
  return 32 - bits;
}

export interface SubnetClash {
  readonly network: NetworkId;
  readonly subnet: string;
  readonly node: NodeId;
  readonly route: string;
}

/** Networks whose subnet overlaps a route that a node got later. For `gam doctor`. */
export function subnetClashes(view: View): readonly SubnetClash[] {
  return view.networks().flatMap((network) =>
    subnetsOf(network).flatMap((subnet) => {
      const span = spanOf(subnet);
      return view
        .nodes()
        .flatMap(({ ID, Gam }) =>
          (Gam.network?.routes ?? [])
            .filter((route) => touches(span, spanOf(route)))
            .map((route) => ({ network: network.Id, subnet, node: ID, route })),
        );
    }),
  );
}

function touches(a: Span | undefined, b: Span | undefined): boolean {
  return a !== undefined && b !== undefined && a.first <= b.last && b.first <= a.last;
}
