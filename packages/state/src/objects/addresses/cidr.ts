/**
 * Whether an address is in a range, both as text: `10.1.2.3` in `10.1.0.0/16`. The range may be a single
 * address.
 *
 * Shape: IPv4 and IPv6. A text that is not an address, or is of the other family, is in no range.
 */
export function isInside(address: string, range: string): boolean {
  const [base = "", prefix] = range.split("/");
  const a = bitsOf(address);
  const b = bitsOf(base);
  if (a === undefined || b === undefined || a.length !== b.length) return false;
  const length = prefix === undefined ? a.length : Number(prefix);
  if (!Number.isInteger(length) || length < 0 || length > a.length) return false;
  return a.slice(0, length) === b.slice(0, length);
}

/** Whether a text is an address with a prefix length: `10.1.0.0/16`. */
export function isRange(text: string): boolean {
  const [base = "", prefix = "", ...more] = text.split("/");
  return more.length === 0 && /^(0|[1-9]\d{0,2})$/.test(prefix) && isInside(base, text);
}

/** Returns: the first and the last address of an IPv4 range. */
export function endsOf(range: string): readonly [first: string, last: string] {
  const [base = "", prefix = "32"] = range.split("/");
  const head = (bitsOfIp4(base) ?? "").slice(0, Number(prefix));
  return [addressOf(head.padEnd(32, "0")), addressOf(head.padEnd(32, "1"))];
}

/** Whether two ranges have an address in common. */
export function overlaps(a: string, b: string): boolean {
  const [baseOfA = ""] = a.split("/");
  const [baseOfB = ""] = b.split("/");
  return isInside(baseOfA, b) || isInside(baseOfB, a);
}

export function isAddress(text: string): boolean {
  return bitsOf(text) !== undefined;
}

function bitsOf(address: string): string | undefined {
  return address.includes(":") ? bitsOfIp6(address) : bitsOfIp4(address);
}

function bitsOfIp4(address: string): string | undefined {
  const parts = address.split(".");
  // Refuse leading zeros: some readers take such a number for octal, others for decimal.
  const isPart = (part: string): boolean => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256;
  if (parts.length !== 4 || !parts.every(isPart)) return undefined;
  return parts.map((part) => Number(part).toString(2).padStart(8, "0")).join("");
}

function bitsOfIp6(address: string): string | undefined {
  const halves = address.split("::");
  if (halves.length > 2) return undefined;
  const [head = [], tail = []] = halves.map((half) => half.split(":").filter((one) => one !== ""));
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const words = [...head, ...Array<string>(halves.length === 1 ? 0 : missing).fill("0"), ...tail];
  if (!words.every((word) => /^[0-9a-f]{1,4}$/i.test(word))) return undefined;
  return words.map((word) => Number.parseInt(word, 16).toString(2).padStart(16, "0")).join("");
}

function addressOf(bits: string): string {
  return [0, 8, 16, 24].map((at) => Number.parseInt(bits.slice(at, at + 8), 2)).join(".");
}
