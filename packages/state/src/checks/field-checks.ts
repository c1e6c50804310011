/**
 * Field checks: what single fields of the objects may hold. One place for the bounds of ids, keys, addresses,
 * ports, names, sizes, counts and times.
 *
 * A bound is as wide as real values need, and no wider than what apply, the plans and the kernel can take.
 * Texts that only people read are bounded in length alone.
 */
import { base64, type Check, check, fromBase64 } from "@gam/core";
import { isPredefined } from "../derived/network-need.ts";
import { isAddress, isInside, isRange } from "../objects/addresses/cidr.ts";
import { nameProblem } from "../specs/swarm-name.ts";

export const aText = check.string(256);
/** Text from a program to people: an engine's error, a reason. Writers cut theirs to `messageLengthMax`. */
export const messageLengthMax = 8192;
export const aMessage = check.string(messageLengthMax);
/** Registry credentials, before they are sealed. */
export const registryAuthBytesMax = 65_536;

export const anId = check.id();
/** Name of a service or a network. */
export const aName = check.where(
  check.string(63),
  (text) => nameProblem(text) === undefined,
  "a name",
);
export const aHostname = check.matching(/^[^\p{Cc}]*$/u, "a host name", 255);
/** Name or alias of a plain container. */
export const aContainerName = check.matching(/^[^\p{Cc}\s]+$/u, "a name of a container", 255);
/** Only the size of an entry bounds labels: a task must be able to hold all labels of its service. */
export const labels = check.map(check.string(2 ** 21), 2 ** 20, check.string(2 ** 21));

/** Version of the content of a secret or config. */
export const aContentVersion = check.integer(1, 2 ** 31);
/** Maximum of secrets, and of configs, of one service. */
const referencesMax = 4096;
export const contentVersions = check.map(aContentVersion, 2 * referencesMax, anId);

/** An index of the log, or a count that an index bounds. */
export const anIndex = check.integer(0, 2 ** 52);
/** A dialect of the log: dialect.ts. */
export const aDialect = check.integer(1, 2 ** 31);
/** Of a gam, with its build: `0.1.0+3f9a2c04b1d7`. */
export const aVersion = check.matching(/^[\w.+~-]{1,64}$/, "a version", 64);
export const aCount = check.integer(0, 2 ** 31);
export const aPort = check.integer(0, 65_535);
/** Bytes, or billionths of a CPU. */
export const aSize = check.number(0, Number.MAX_SAFE_INTEGER);

/** The last millisecond of the year 9999: later times have another text form. */
const lastMoment = 253_402_300_799_999;
/** Milliseconds since 1970. */
export const aMoment = check.number(0, lastMoment);
const timeForm = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;
/** RFC 3339. */
export const aTime = check.where(
  check.matching(timeForm, "a time", 40),
  (text) => {
    // The text must also be a real moment, because moments are computed from times.
    const atMs = Date.parse(text);
    return atMs >= 0 && atMs <= lastMoment;
  },
  "a time",
);

/** Canonical base64 of so many bytes. */
function keyOf(bytes: number, wanted: string): Check<string> {
  const length = 4 * Math.ceil(bytes / 3);
  const isOne = (text: string): boolean => {
    const read = fromBase64(text);
    return read.length === bytes && base64(read) === text;
  };
  return check.where(check.string(length), isOne, wanted);
}
/** Public key of Ed25519 or WireGuard. */
export const aKey = keyOf(32, "a key of 32 bytes in base64");
export const aSignature = keyOf(64, "a signature of 64 bytes in base64");

export function orEmpty(one: Check<string>): Check<string> {
  return (value, path) => (value === "" ? "" : one(value, path));
}

/** IPv4 without prefix. */
export const anAddress = check.where(
  check.string(15),
  (text) => !text.includes(":") && isAddress(text),
  "an IPv4 address",
);
export const aTunnelAddress = (range: string): Check<string> =>
  check.where(anAddress, (text) => isInside(text, range), `an address in ${range}`);
/** IPv4 with a prefix length. */
export const aRange = check.where(
  check.string(18),
  (text) => !text.includes(":") && isRange(text),
  "an IPv4 range",
);
/** A route of a host: IPv4 or IPv6, a range or a single address. */
export const aRoute = check.where(
  check.string(64),
  (text) => isRange(text) || isAddress(text),
  "a range of addresses",
);

const hostForm = /^(?:[0-9A-Za-z][0-9A-Za-z._-]*|[0-9A-Fa-f:.]+(?:%[0-9A-Za-z._-]+)?)$/;
/** An address or a DNS name, without port. */
export const aHost = check.matching(hostForm, "a host", 253);
const hostPortForm = /^(?:\[(?<ip6>[^[\]]+)\]|(?<host>[^[\]]+)):(?<port>[1-9]\d{0,4})$/;
/** `host:port`; an IPv6 address with or without brackets, as the mesh writes it. */
export const aHostPort = check.where(
  check.string(262),
  (text) => {
    const { ip6, host, port } = hostPortForm.exec(text)?.groups ?? {};
    return Number(port) <= 65_535 && hostForm.test(ip6 ?? host ?? "");
  },
  "a host and a port",
);

/** How a spec refers to a network: by its id, or by the name of one of the engine's own. */
export const aNetworkTarget: Check<string> = (value, path) =>
  typeof value === "string" && isPredefined(value) ? value : anId(value, path);
