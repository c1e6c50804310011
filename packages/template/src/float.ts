/**
 * Float: Go's texts of floating-point numbers, with exact digits.
 *
 * Source: Go's strconv.FormatFloat. Halves are rounded to even digits of the exact value.
 */

export type FloatVerb = "b" | "e" | "f" | "g" | "x";

/** A float64 has at most 1074 digits behind its point. */
const digitsMax = 1100;

/** Returns: whole numbers of which |value| is the first times 2 to the power of the second. */
function partsOf(value: number): [bigint, number] {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, Math.abs(value));
  const bits = view.getBigUint64(0);
  const raw = Number(bits >> 52n);
  const mantissa = (bits & (2n ** 52n - 1n)) + (raw === 0 ? 0n : 2n ** 52n);
  return [mantissa, Math.max(raw, 1) - 1075];
}

const signed = (exponent: number, digits: number): string =>
  (exponent < 0 ? "-" : "+") + String(Math.abs(exponent)).padStart(digits, "0");

/** One hexadecimal digit, a point and up to 13 more. */
function hexText(value: number, precision: number | undefined): string {
  let [mantissa, exponent] = partsOf(value);
  if (mantissa === 0n) return `0x0${precision ? `.${"0".repeat(precision)}` : ""}p+00`;
  while (mantissa < 2n ** 52n) {
    mantissa <<= 1n;
    exponent -= 1;
  }
  const digits = Math.min(precision ?? 13, 13);
  const unit = 16n ** BigInt(13 - digits);
  let whole = mantissa / unit;
  const twice = (mantissa - whole * unit) * 2n;
  if (twice > unit || (twice === unit && whole % 2n === 1n)) whole += 1n;
  exponent += 52;
  if (whole >= 2n * 16n ** BigInt(digits)) {
    whole >>= 1n;
    exponent += 1;
  }
  const text = whole.toString(16);
  const part =
    precision === undefined
      ? text.slice(1).replace(/0+$/, "")
      : text.slice(1).padEnd(precision, "0");
  return `0x${text[0]}${part === "" ? "" : `.${part}`}p${signed(exponent, 2)}`;
}

/** Returns: |value| times 10 to the power, rounded to a whole number. */
function scaled(value: number, power: number): bigint {
  const [mantissa, exponent] = partsOf(value);
  let top = mantissa;
  let bottom = 1n;
  if (exponent >= 0) top <<= BigInt(exponent);
  else bottom <<= BigInt(-exponent);
  if (power >= 0) top *= 10n ** BigInt(power);
  else bottom *= 10n ** BigInt(-power);
  const whole = top / bottom;
  const twice = (top - whole * bottom) * 2n;
  return twice > bottom || (twice === bottom && whole % 2n === 1n) ? whole + 1n : whole;
}

function withExponent(digits: string, exponent: number): string {
  const rest = digits.length > 1 ? `.${digits.slice(1)}` : "";
  return `${digits[0]}${rest}e${signed(exponent, 2)}`;
}

function withoutExponent(digits: string, exponent: number): string {
  if (exponent < 0) return `0.${"0".repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, "0");
  const part = digits.slice(exponent + 1);
  return part === "" ? whole : `${whole}.${part}`;
}

/** Digits without a point, and the exponent of the first one. `count` undefined: as many as are needed. */
function digitsOf(value: number, count: number | undefined): [string, number] {
  if (value === 0) return ["0".repeat(count ?? 1), 0];
  const [mantissa = "", power] = value.toExponential().split("e");
  let exponent = Number(power);
  if (count === undefined) return [mantissa.replace(".", ""), exponent];
  let digits = String(scaled(value, count - 1 - exponent));
  if (digits.length > count) {
    exponent += 1;
    digits = digits.slice(0, count);
  }
  return [digits, exponent];
}

/** Returns: the text of |value|, without a sign. `precision` undefined: the shortest that reads back the same. */
export function floatText(value: number, verb: FloatVerb, precision: number | undefined): string {
  const of = Math.abs(value);
  if (Number.isNaN(of)) return "NaN";
  if (of === Infinity) return "Inf";
  if (verb === "x") return hexText(of, precision);
  if (verb === "b") {
    const [mantissa, exponent] = partsOf(of);
    return `${mantissa}p${signed(exponent, 1)}`;
  }
  const exact = precision === undefined ? undefined : Math.min(precision, digitsMax);
  const zeros = "0".repeat((precision ?? 0) - (exact ?? 0));
  if (verb === "f") {
    if (exact === undefined) return withoutExponent(...digitsOf(of, undefined));
    const digits = String(scaled(of, exact)).padStart(exact + 1, "0");
    const whole = digits.slice(0, digits.length - exact);
    return exact === 0 ? whole : `${whole}.${digits.slice(-exact)}${zeros}`;
  }
  if (verb === "e") {
    const [digits, exponent] = digitsOf(of, exact === undefined ? undefined : exact + 1);
    return withExponent(digits + zeros, exponent);
  }
  const [all, exponent] = digitsOf(of, exact === undefined ? undefined : Math.max(exact, 1));
  const digits = all.replace(/(?<=.)0+$/, "");
  let limit = exact === undefined ? 6 : Math.max(exact, 1);
  if (exact !== undefined && limit > digits.length && digits.length >= exponent + 1) {
    limit = digits.length;
  }
  return exponent < -4 || exponent >= limit
    ? withExponent(digits, exponent)
    : withoutExponent(digits, exponent);
}
