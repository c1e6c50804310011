/**
 * Mutant: a good value with random changes.
 *
 * Decides how values go wrong: fields that are missing, of another type, too large, negative, not a number, empty,
 * very long, full of syntax, deep, doubled or swapped, and names that every object inherits.
 */
import type { Random } from "@gam/core";

const texts: readonly string[] = [
  "",
  " ",
  "-",
  "x".repeat(5000),
  "\u0000",
  "\u202eüß🜁",
  "\ud800",
  '"; drop table',
  "{ accept }",
  "}}{{",
  "{{ .Node.ID | nope }}",
  "$(reboot)",
  "a\nb",
  "__proto__",
  "constructor",
  "toString",
  "0.0.0.0",
  "255.255.255.255",
  "010.0.0.1",
  "10.0.0.0/0",
  "0.0.0.0/32",
  "::1",
  "[::]:0",
  "10.0.0.1:70000",
  "2026-02-30T25:61:00Z",
  "9999-12-31T23:59:59Z",
  "0001-01-01T00:00:00Z",
  "9999-12-31T23:59:59-12:00",
  "10.0.0.5/24",
  "1e9",
  "NaN",
  "null",
  "remove",
  "ready",
  "host",
  "ingress",
];
const numbers: readonly number[] = [
  0,
  -0,
  1,
  -1,
  0.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  65_535,
  65_536,
  2 ** 24,
  2 ** 31,
  2 ** 32,
  2 ** 48,
  2 ** 52,
  2 ** 53,
  -(2 ** 53),
  8.64e15,
  1e300,
];

function nested(levels: number): unknown {
  let value: unknown = {};
  for (let level = 0; level < levels; level += 1) value = level % 2 === 0 ? [value] : { in: value };
  return value;
}

const others: readonly (() => unknown)[] = [
  () => null,
  () => undefined,
  () => true,
  () => false,
  () => [],
  () => ({}),
  () => [[]],
  () => [null],
  () => ({ a: {} }),
  () => new Uint8Array(3),
  () => new Date(0),
  () => JSON.parse('{"__proto__":{"polluted":true},"constructor":1}'),
  () => nested(20),
  () => nested(400),
  () => Array.from({ length: 300 }, (_, at) => at),
];

type Box = Record<string | number, unknown>;

/** A copy with one to three changes. `known`: ids of real objects, to swap in. */
export function mutant(random: Random, value: unknown, known: readonly string[]): unknown {
  const root: Box = { value: structuredClone(value) };
  // Half of the mutants differ so little that they may be accepted.
  const alter = random.below(2) === 0 ? change : nudge;
  for (let left = 1 + random.below(3); left > 0; left -= 1) alter(random, root, known);
  return root.value;
}

function nudge(random: Random, root: Box, known: readonly string[]): void {
  const [box, key] = spot(random, root);
  const found = box[key];
  if (typeof found === "number") box[key] = Math.max(0, found + pick(random, [1, -1, 2, -2, 1000]));
  else if (typeof found === "string" && /^[0-9a-z]{25}$/.test(found))
    box[key] = pick(random, known);
  else if (typeof found === "boolean") box[key] = !found;
  else if (Array.isArray(found) && found.length > 0) found.splice(random.below(found.length), 1);
  else if (found instanceof Uint8Array) box[key] = bytes(random, found);
  else if (typeof found === "string") box[key] = nudged(random, found);
  else if (box !== root && random.below(2) === 0) delete box[key];
}

/** The text with another digit, or another word of the same list. */
function nudged(random: Random, found: string): string {
  const words = [
    ["running", "ready", "pending", "assigned", "failed", "complete", "shutdown", "remove", "new"],
    ["kernel", "userspace", "none"],
    ["manager", "worker"],
    ["active", "pause", "drain"],
    ["vip", "dnsrr"],
    ["ingress", "host"],
    ["down", "unknown", "ready", "disconnected"],
  ].filter((list) => list.includes(found));
  if (words.length > 0) return pick(random, words.flat());
  const digits = [...found.matchAll(/\d+/g)];
  if (digits.length === 0) return found.slice(0, -1);
  const { index, 0: number } = pick(random, digits);
  const other = String(pick(random, [random.below(10), random.below(300), 0]));
  return (
    found.slice(0, index) + other.padStart(number.length, "0") + found.slice(index + number.length)
  );
}

function change(random: Random, root: Box, known: readonly string[]): void {
  const [box, key] = spot(random, root);
  const found = box[key];
  switch (random.below(14)) {
    case 0:
    case 12:
      if (box === root) box[key] = odd(random);
      else if (Array.isArray(box)) box.splice(Number(key), 1);
      else delete box[key];
      return;
    case 1:
      if (isBox(found)) Object.defineProperty(found, pick(random, texts), field(odd(random)));
      else box[key] = pick(random, known);
      return;
    case 2:
      if (Array.isArray(found)) found.push(...found.slice(0, 3), odd(random));
      else box[key] = pick(random, known);
      return;
    case 3:
      // The whole value inside itself.
      box[key] = structuredClone(root.value);
      return;
    case 4:
      box[key] = similar(random, found);
      return;
    case 5: {
      const [otherBox, otherKey] = spot(random, root);
      if (isBox(found) || isBox(otherBox[otherKey])) box[key] = odd(random);
      else [box[key], otherBox[otherKey]] = [otherBox[otherKey], found];
      return;
    }
    case 6:
      box[key] = pick(random, numbers);
      return;
    case 7:
      box[key] = pick(random, texts);
      return;
    case 8:
    case 9:
    case 10:
    case 11:
      box[key] = similar(random, found);
      return;
    default:
      box[key] = odd(random);
  }
}

/** A random field: from all, or by a walk that prefers the upper levels. */
function spot(random: Random, root: Box): [Box, string] {
  if (random.below(2) === 0) {
    const all: [Box, string][] = [];
    gather(root, all);
    return pick(random, all);
  }
  let box: Box = root;
  let key = "value";
  for (;;) {
    const inner = box[key];
    if (!isBox(inner) || (box !== root && random.below(4) === 0)) return [box, key];
    const keys = Object.keys(inner);
    if (keys.length === 0) return [box, key];
    box = inner;
    key = pick(random, keys);
  }
}

function gather(box: Box, all: [Box, string][]): void {
  for (const key of Object.keys(box)) {
    all.push([box, key]);
    const inner = box[key];
    if (isBox(inner)) gather(inner, all);
  }
}

function isBox(value: unknown): value is Box {
  return typeof value === "object" && value !== null && !(value instanceof Uint8Array);
}

function similar(random: Random, found: unknown): unknown {
  if (typeof found === "number") {
    if (random.below(2) === 0) return pick(random, numbers);
    return found + pick(random, [1, -1, 0.5, -found * 2, 2 ** 20]);
  }
  if (typeof found === "string") {
    return pick(random, [
      found.slice(1),
      found.toUpperCase(),
      `${found}"`,
      found + found,
      `${found}\n`,
      ` ${found}`,
      [...found].reverse().join(""),
    ]);
  }
  if (typeof found === "boolean") return !found;
  if (found instanceof Uint8Array) return bytes(random, found);
  return odd(random);
}

function bytes(random: Random, found: Uint8Array): Uint8Array {
  if (found.length === 0) return Uint8Array.of(random.below(256));
  const copy = Uint8Array.from(found);
  copy[random.below(copy.length)] = random.below(256);
  return random.below(3) === 0 ? copy.subarray(0, random.below(copy.length)) : copy;
}

function odd(random: Random): unknown {
  switch (random.below(3)) {
    case 0:
      return pick(random, texts);
    case 1:
      return pick(random, numbers);
    default:
      return pick(random, others)();
  }
}

function field(value: unknown): PropertyDescriptor {
  return { value, enumerable: true, configurable: true, writable: true };
}

export function pick<T>(random: Random, from: readonly T[]): T {
  return from[random.below(from.length)] as T;
}
