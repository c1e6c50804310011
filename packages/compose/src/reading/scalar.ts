/**
 * Scalar: what a plain YAML scalar is, and the text that the docker client makes of it.
 *
 * The docker client reads files with yaml.v3 and prints values with Go's `%v`. So `0755` is the
 * number 493, `1_000` is 1000, `1e3` is 1000, `2024-01-31` is a point in time, and `yes` is a text. Numbers are
 * never rounded here unless the client rounds them as well.
 * Source: resolve() of yaml.v3, and Go's strconv and time packages.
 */

export type ScalarKind = "text" | "integer" | "float" | "boolean" | "time" | "nothing";

export interface Resolved {
  readonly kind: ScalarKind;
  /** As the docker client passes it on; "" for nothing. */
  readonly text: string;
}

const words: Readonly<Record<string, Resolved>> = Object.fromEntries([
  ...["", "~", "null", "Null", "NULL"].map((word) => [word, { kind: "nothing", text: "" }]),
  ...["true", "True", "TRUE"].map((word) => [word, { kind: "boolean", text: "true" }]),
  ...["false", "False", "FALSE"].map((word) => [word, { kind: "boolean", text: "false" }]),
  ...[".nan", ".NaN", ".NAN"].map((word) => [word, { kind: "float", text: "NaN" }]),
  ...[".inf", ".Inf", ".INF"].flatMap((word) => [
    [word, { kind: "float", text: "+Inf" }],
    [`+${word}`, { kind: "float", text: "+Inf" }],
    [`-${word}`, { kind: "float", text: "-Inf" }],
  ]),
]);

const int64 = { min: -(2n ** 63n), max: 2n ** 63n - 1n };
const uint64Max = 2n ** 64n - 1n;
/** Longer digits are no integer of 64 bits, and only cost time. */
const digitsMax = 80;

/** Returns: the kind and the text of a scalar without quotes. */
export function resolveScalar(source: string): Resolved {
  if (Object.hasOwn(words, source)) return words[source] ?? { kind: "text", text: source };
  const first = source.charAt(0);
  if (first === "." && /^\.\d+(?:e[-+]?\d+)?$/i.test(source)) return float(source);
  if (!/[-+0-9]/.test(first)) return { kind: "text", text: source };
  const time = parseTime(source);
  if (time !== undefined) return { kind: "time", text: time };
  const plain = source.replaceAll("_", "");
  const integer = parseInteger(plain);
  if (integer !== undefined) return { kind: "integer", text: String(integer) };
  if (/^[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?$/.test(plain)) return float(plain);
  return { kind: "text", text: source };
}

/** Decimal, `0x`, `0o`, `0b`, and octal with a leading zero. Returns: `undefined` outside of 64 bits. */
function parseInteger(text: string): bigint | undefined {
  const match = /^([-+]?)(?:0x([0-9a-f]+)|0b([01]+)|0o?([0-7]+)|(0|[1-9]\d*))$/i.exec(text);
  if (match === null || text.length > digitsMax) return undefined;
  const [, sign, hex, binary, octal, decimal] = match;
  const size = BigInt(
    hex !== undefined
      ? `0x${hex}`
      : binary !== undefined
        ? `0b${binary}`
        : octal !== undefined
          ? `0o${octal}`
          : (decimal ?? "0"),
  );
  if (sign === "-") return -size >= int64.min ? -size : undefined;
  // A sign is only allowed for numbers of 63 bits, as in Go.
  return size <= (sign === "+" ? int64.max : uint64Max) ? size : undefined;
}

/** Go has no number for a float that is too large: it stays a text. */
function float(text: string): Resolved {
  const value = Number(text.replace(/\.$/, ""));
  if (!Number.isFinite(value)) return { kind: "text", text };
  return { kind: "float", text: showFloat(value) };
}

/** Go's `%v`: the shortest digits, with an exponent below 1e-4 and from 1e6. */
function showFloat(value: number): string {
  if (value === 0) return Object.is(value, -0) ? "-0" : "0";
  const [digits = "", exponent = "0"] = value.toExponential().split("e");
  const power = Number(exponent);
  // JavaScript writes numbers of these sizes without an exponent, too.
  if (power >= -4 && power < exponentMin) return String(value);
  const shown = String(Math.abs(power)).padStart(2, "0");
  return `${digits}e${power < 0 ? "-" : "+"}${shown}`;
}

const exponentMin = 6;

const timeForm =
  /^(\d{4})-(\d\d?)-(\d\d?)(?:(?:[Tt](?<clock>[\d:]+)(?<part>\.\d+)?(?<zone>Z|[-+]\d\d:\d\d))| (?<local>[\d:]+)(?<rest>\.\d+)?)?$/;

/** Returns: `2024-01-31 00:00:00 +0000 UTC`, as Go prints it; `undefined` for a text that is no point in time. */
function parseTime(source: string): string | undefined {
  const match = timeForm.exec(source);
  if (match === null) return undefined;
  const [year = 0, month = 0, day = 0] = [match[1], match[2], match[3]].map(Number);
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const days = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1];
  if (days === undefined || day < 1 || day > days) return undefined;
  const { clock, part, zone = "Z", local, rest } = match.groups ?? {};
  const time = clock ?? local ?? "0:0:0";
  const parts = /^(\d\d?):(\d\d?):(\d\d?)$/.exec(time)?.slice(1).map(Number);
  const [hour = 24, minute = 60, second = 60] = parts ?? [];
  if (hour > 23 || minute > 59 || second > 59) return undefined;
  const two = (number: number): string => String(number).padStart(2, "0");
  const fraction = (part ?? rest ?? "").slice(0, nanosecondDigits + 1).replace(/\.?0+$/, "");
  const offset = zone === "Z" ? "+0000" : zone.replace(":", "");
  const name = offset === "+0000" ? "UTC" : offset;
  const date = `${match[1]}-${two(month)}-${two(day)}`;
  return `${date} ${two(hour)}:${two(minute)}:${two(second)}${fraction} ${offset} ${name}`;
}

const nanosecondDigits = 9;
