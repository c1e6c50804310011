/**
 * Mutate: inputs for decoders, made from valid ones by a few changes, or at random.
 *
 * Each input has its own random source, so its seed and number identify it.
 */
import { decode, encode, GamError, type Random } from "@gam/core";
import { FrameReader, writeFrames } from "../../packages/mesh/src/wire/frame.ts";
import type { Target } from "./target.ts";

const inputBytesMax = 64 * 1024;
const mebi = 1024 * 1024;
/** One in this many inputs is entirely random. */
const wildEvery = 16;

export function makeInput(target: Target, random: Random): Uint8Array {
  if (random.below(wildEvery) === 0) return randomBytes(random, random.below(300));
  const seed = pick(random, target.seeds);
  switch (target.form) {
    case "bytes":
      return mutateBytes(random, seed, target.seeds);
    case "text":
      return mutateText(random, seed, target);
    case "value":
      return mutateBody(random, seed, target.seeds);
    case "frames":
      return mutateFrames(random, seed, target.seeds);
    case "json":
      return mutateJson(random, seed, target.seeds);
  }
}

export function pick<T>(random: Random, list: readonly T[]): T {
  return list[random.below(list.length)] as T;
}

function randomBytes(random: Random, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => random.below(256));
}

const lengths = [0, 1, 2, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0xffff, 0x10000, 0x7fffffff, 0xffffffff];

function mutateBytes(random: Random, seed: Uint8Array, seeds: readonly Uint8Array[]): Uint8Array {
  let bytes = Buffer.from(seed);
  for (let left = 1 + random.below(4); left > 0; left -= 1) {
    bytes = changeBytes(random, bytes, seeds).subarray(0, inputBytesMax) as Buffer<ArrayBuffer>;
  }
  return Uint8Array.from(bytes);
}

function changeBytes(
  random: Random,
  bytes: Buffer,
  seeds: readonly Uint8Array[],
): Buffer<ArrayBuffer> {
  const at = random.below(bytes.length + 1);
  const end = Math.min(bytes.length, at + 1 + random.below(16));
  const [before, middle, after] = [
    bytes.subarray(0, at),
    bytes.subarray(at, end),
    bytes.subarray(end),
  ];
  switch (random.below(9)) {
    case 0: {
      const copy = Buffer.from(bytes);
      if (at < copy.length) copy[at] = (copy[at] ?? 0) ^ (1 << random.below(8));
      return copy;
    }
    case 1:
      return Buffer.concat([before, randomBytes(random, end - at), after]);
    case 2:
      return Buffer.concat([before, randomBytes(random, 1 + random.below(8)), middle, after]);
    case 3:
      return Buffer.concat([before, after]);
    case 4:
      return Buffer.concat([before, middle, middle, after]);
    case 5:
      return Buffer.concat([before]);
    case 6: {
      const other = pick(random, seeds);
      return Buffer.concat([before, other.subarray(random.below(other.length + 1))]);
    }
    case 7:
      return Buffer.concat([before, ...Array(random.below(200)).fill(middle), after]);
    default: {
      const copy = Buffer.from(bytes);
      const width = pick(random, [1, 2, 4]);
      if (at + width > copy.length) return copy;
      const length = pick(random, lengths) % 2 ** (8 * width);
      if (random.below(2) === 0) copy.writeUIntBE(length, at, width);
      else copy.writeUIntLE(length, at, width);
      return copy;
    }
  }
}

function mutateText(random: Random, seed: Uint8Array, { seeds, words = [] }: Target): Uint8Array {
  if (random.below(4) === 0) return mutateBytes(random, seed, seeds);
  let text = Buffer.from(seed).toString("utf8");
  for (let left = 1 + random.below(4); left > 0; left -= 1) {
    const at = random.below(text.length + 1);
    const end = Math.min(text.length, at + random.below(12));
    const lines = text.split("\n");
    const line = random.below(lines.length);
    const change = random.below(7);
    if (change < 3 && words.length > 0) {
      text = text.slice(0, at) + pick(random, words) + text.slice(change === 0 ? at : end);
    } else if (change === 3) {
      text = lines.toSpliced(line, 1).join("\n");
    } else if (change === 4) {
      text = lines.toSpliced(line, 0, lines[random.below(lines.length)] ?? "").join("\n");
    } else if (change === 5) {
      text = lines.with(line, " ".repeat(random.below(9)) + (lines[line] ?? "").trim()).join("\n");
    } else {
      text = text.slice(0, at) + String(pick(random, strings)) + text.slice(end);
    }
    text = text.slice(0, inputBytesMax);
  }
  return Buffer.from(text, "utf8");
}

function mutateBody(random: Random, seed: Uint8Array, seeds: readonly Uint8Array[]): Uint8Array {
  if (random.below(3) === 0) return mutateBytes(random, seed, seeds);
  let value = decode(seed);
  for (let left = 1 + random.below(3); left > 0; left -= 1) value = mutateValue(random, value);
  return encode(value);
}

function mutateJson(random: Random, seed: Uint8Array, seeds: readonly Uint8Array[]): Uint8Array {
  if (random.below(4) === 0) return mutateBytes(random, seed, seeds);
  let value: unknown = JSON.parse(Buffer.from(seed).toString("utf8"));
  for (let left = 1 + random.below(3); left > 0; left -= 1) value = mutateValue(random, value);
  return Buffer.from(JSON.stringify(value) ?? "", "utf8");
}

function mutateFrames(random: Random, seed: Uint8Array, seeds: readonly Uint8Array[]): Uint8Array {
  if (random.below(5) === 0) return mutateBytes(random, seed, seeds);
  let bodies = bodiesIn(seed);
  const at = random.below(bodies.length);
  const change = random.below(8);
  if (change === 0) bodies = bodies.toSpliced(at, 1);
  else if (change === 1)
    bodies = bodies.toSpliced(at, 0, pick(random, bodiesIn(pick(random, seeds))));
  else bodies = bodies.with(at, mutateBody(random, bodies[at] ?? new Uint8Array(), bodies));
  return writeFrames(bodies);
}

function bodiesIn(stream: Uint8Array): Uint8Array[] {
  try {
    return new FrameReader(16 * mebi).push(stream);
  } catch (thrown) {
    if (thrown instanceof GamError)
      throw new Error("a seed is not a stream of frames", { cause: thrown });
    throw thrown;
  }
}

const strings = [
  "",
  " ",
  "0",
  "-1",
  "1e9",
  "a",
  "\0",
  "\n",
  "'\"`$(){}[]\\;|&",
  "{{.Task.Slot}}",
  "../../etc",
  "__proto__",
  "constructor",
  "toString",
  "é\ud800",
  "10.0.0.1:7946",
  "[::1]:1",
  "a".repeat(300),
  "b".repeat(5_000),
];
const numbers = [
  0,
  -0,
  -1,
  1,
  2,
  127,
  128,
  255,
  256,
  65_535,
  65_536,
  2 ** 31,
  2 ** 32,
  2 ** 52,
  2 ** 53,
  -(2 ** 53),
  1e308,
  0.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
];

function odd(random: Random): unknown {
  switch (random.below(9)) {
    case 0:
      return pick(random, [undefined, null, true, false]);
    case 1:
    case 2:
      return pick(random, strings);
    case 3:
    case 4:
      return pick(random, numbers);
    case 5:
      return pick(random, [[], {}, [null], [[]], [{}], { kind: "x" }]);
    case 6:
      return randomBytes(random, pick(random, [0, 1, 31, 32, 33, 64, 5_000]));
    case 7:
      return nested(random.below(2) === 0 ? 20 : 500);
    default:
      return Array.from({ length: random.below(300) }, () => pick(random, numbers));
  }
}

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let left = depth; left > 0; left -= 1) value = left % 2 === 0 ? [value] : { a: value };
  return value;
}

/** A copy with one place changed. */
function mutateValue(random: Random, value: unknown): unknown {
  const inner = typeof value === "object" && value !== null && !(value instanceof Uint8Array);
  if (!inner || random.below(5) === 0) return mutateHere(random, value);
  if (Array.isArray(value)) {
    if (value.length === 0) return [odd(random)];
    const at = random.below(value.length);
    switch (random.below(8)) {
      case 0:
        return value.toSpliced(at, 1);
      case 1:
        return value.toSpliced(at, 0, value[random.below(value.length)]);
      default:
        return value.with(at, mutateValue(random, value[at]));
    }
  }
  const fields = Object.entries(value as object);
  const at = random.below(fields.length + 1);
  const [key, one] = fields[at] ?? [pick(random, strings), odd(random)];
  const rest = fields.filter(([other]) => other !== key);
  if (random.below(8) === 0) return Object.fromEntries(rest);
  return Object.fromEntries([...rest, [key, mutateValue(random, one)]]);
}

function mutateHere(random: Random, value: unknown): unknown {
  if (random.below(3) === 0) return odd(random);
  if (typeof value === "number")
    return pick(random, [value + 1, value - 1, -value, value * 2 ** random.below(60)]);
  if (typeof value === "string") {
    const at = random.below(value.length + 1);
    return value.slice(0, at) + pick(random, strings) + value.slice(at + random.below(3));
  }
  if (value instanceof Uint8Array) return mutateBytes(random, value, [value]);
  return odd(random);
}
