/**
 * Safe values: checks the values that may stand in text for nft, ip, bridge, wg and conntrack.
 *
 * The state holds what peers and clients wrote. A brace, a blank or an invalid number would make a program
 * refuse the whole text, with every other line in it. So a node's plan holds only values of these types, and
 * only this file makes them. Each function returns `undefined` for a value that it does not know to be safe.
 * The caller then leaves the object out and reports it (oddities.ts).
 *
 * Source: nft(8) 1.0.6, ip(8), wg(8); limits of the kernel's include/uapi/linux/if.h and nf_tables.h.
 */
import { addressOf, numberOf } from "./subnet.ts";

declare const kind: unique symbol;
type Safe<Base, Kind extends string> = Base & { readonly [kind]: Kind };

/** One host's IPv4 address in its usual form: not in 0.0.0.0/8, not multicast, not reserved, not broadcast. */
export type Ip4 = Safe<string, "Ip4">;
/** One host's IPv6 address. */
export type Ip6 = Safe<string, "Ip6">;
/** IPv4 with a prefix length. */
export type Range4 = Safe<string, "Range4">;
export type DeviceName = Safe<string, "DeviceName">;
/** A part of a chain's name. */
export type ChainKey = Safe<string, "ChainKey">;
/** base64. A valid Curve25519 public key. */
export type WireguardKey = Safe<string, "WireguardKey">;
/** TCP, UDP or SCTP. */
export type Port = Safe<number, "Port">;
export type Vni = Safe<number, "Vni">;
/** Bytes. */
export type Mtu = Safe<number, "Mtu">;

/** The same type without the checks. For objects in tests that no plan has made. */
export type Unsafe<T> = T extends { readonly [kind]: string }
  ? T extends string
    ? string
    : number
  : T extends string | number | boolean | undefined
    ? T
    : T extends ReadonlyMap<infer Key, infer Value>
      ? ReadonlyMap<Unsafe<Key>, Unsafe<Value>>
      : { readonly [Field in keyof T]: Unsafe<T[Field]> };

const firstOfHosts = 1 << 24;
const firstOfGroups = 224 * 2 ** 24;
const vniMax = 2 ** 24 - 1;
/** The smallest MTU that IPv4 allows, and its longest packet. */
const mtuMin = 68;
const mtuMax = 65_535;

export function ip4(text: string): Ip4 | undefined {
  const number = numberOf(text);
  if (number === undefined || number < firstOfHosts || number >= firstOfGroups) return undefined;
  // Some programs read "010" as eight, others as ten.
  return addressOf(number) === text ? (text as Ip4) : undefined;
}

export function ip6(text: string): Ip6 | undefined {
  const [head = "", tail, ...more] = text.toLowerCase().split("::");
  const groups = [head, tail ?? ""].flatMap((part) => (part === "" ? [] : part.split(":")));
  const isWhole = tail === undefined ? groups.length === 8 : groups.length < 8;
  if (more.length > 0 || !isWhole) return undefined;
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/.test(group))) return undefined;
  return /^ff|^::1?$/i.test(text) ? undefined : (text as Ip6);
}

export function range4(text: string): Range4 | undefined {
  const [base = "", prefix = "", ...more] = text.split("/");
  const isPrefix = /^([1-9]|[12]\d|3[0-2])$/.test(prefix);
  return ip4(base) !== undefined && isPrefix && more.length === 0 ? (text as Range4) : undefined;
}

/** Stricter than the kernel: refuses names that it accepts and programs do not. */
export function deviceName(text: string): DeviceName | undefined {
  return /^[a-z][\w.-]{0,14}$/i.test(text) ? (text as DeviceName) : undefined;
}

export function chainKey(text: string): ChainKey | undefined {
  return /^[0-9a-z_]{1,64}$/i.test(text) ? (text as ChainKey) : undefined;
}

export function wireguardKey(text: string): WireguardKey | undefined {
  // 32 bytes: the last digit has four of their bits, and two zero bits.
  if (!/^[0-9A-Za-z+/]{42}[AEIMQUYcgkosw048]=$/.test(text)) return undefined;
  return weakKeys.has(text) ? undefined : (text as WireguardKey);
}

/** Points of low order: a program may refuse them. Source: "Curve25519", cr.yp.to/ecdh.html#validate. */
const weakKeys: ReadonlySet<string> = new Set([
  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
  "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
  "4Ot6fDtBuK4WVuP68Z/EatoJjeucMrH9hmIFFl9JuAA=",
  "X5yVvKNQjCSx0LFVnIPvWwREXMRYHI6G2CJO3dCfEVc=",
  "7P///////////////////////////////////////38=",
  "7f///////////////////////////////////////38=",
  "7v///////////////////////////////////////38=",
]);

export const port = (found: number): Port | undefined => whole<Port>(found, 1, 65_535);
export const vni = (found: number): Vni | undefined => whole<Vni>(found, 1, vniMax);
export const mtu = (found: number): Mtu | undefined => whole<Mtu>(found, mtuMin, mtuMax);

function whole<Kind extends number>(found: number, min: number, max: number): Kind | undefined {
  return Number.isInteger(found) && found >= min && found <= max ? (found as Kind) : undefined;
}
