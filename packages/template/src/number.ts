/**
 * Number: the values of Go's number and character constants.
 *
 * Source: Go's strconv.ParseInt and ParseFloat with base 0, and what text/template makes of them.
 */
import { quote, unquoteChar } from "./quote.ts";
import { TemplateError } from "./template-error.ts";
import type { NumberValue } from "./tree.ts";

const intMin = -(2n ** 63n);
const intEnd = 2n ** 63n;
const uintEnd = 2n ** 64n;

/** Underscores may stand between digits, and after the prefix of a base. */
const underscores = /^[+-]?(?:0[xXoObB]_?)?[0-9a-fA-F]+(?:_[0-9a-fA-F]+)*$/;

function wholeOf(text: string): bigint | undefined {
  if (text.includes("_") && !underscores.test(text)) return undefined;
  const [, sign = "", digits = ""] = /^([+-]?)(.*)$/.exec(text.replaceAll("_", "")) ?? [];
  const octal = /^0([0-7]+)$/.exec(digits)?.[1];
  const isWhole = /^(?:0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+|0|[1-9][0-9]*)$/.test(digits);
  if (octal === undefined && !isWhole) return undefined;
  const value = BigInt(octal === undefined ? digits : `0o${octal}`);
  return sign === "-" ? -value : value;
}

function floatOf(text: string): number | undefined {
  if (text.includes("_")) return undefined;
  const hex = /^([+-]?)0[xX]([0-9a-fA-F]*)\.?([0-9a-fA-F]*)[pP]([+-]?[0-9]+)$/.exec(text);
  if (hex !== null) {
    const [, sign, whole = "", part = "", exponent] = hex;
    if (whole + part === "") return undefined;
    const value = Number(BigInt(`0x${whole}${part}`)) * 2 ** (Number(exponent) - 4 * part.length);
    return sign === "-" ? -value : value;
  }
  if (!/^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}

/** Errors: TemplateError, if the text is no number, or none that Go's int or float64 could hold. */
export function numberOf(text: string): NumberValue {
  if (text.startsWith("'")) {
    const code = unquoteChar(text);
    if (code === undefined) throw new TemplateError("invalid syntax");
    if (code === "more") throw new TemplateError(`malformed character constant: ${text}`);
    return { int: BigInt(code), float: code, isFloat: false };
  }
  if (text.endsWith("i") && !/^[+-]?0[xX]/.test(text)) {
    throw new TemplateError(`complex numbers are not supported: ${quote(text)}`);
  }
  const whole = wholeOf(text);
  const looksFloat = /[.eEpP]/.test(text);
  if (whole !== undefined && whole >= intMin && whole < intEnd) {
    return { int: whole, float: Number(whole), isFloat: false };
  }
  if (whole !== undefined && whole > 0n && whole < uintEnd) {
    return { int: undefined, float: undefined, isFloat: false };
  }
  const float = floatOf(text);
  if (float === undefined) {
    if (whole !== undefined) throw new TemplateError(`integer overflow: ${quote(text)}`);
    throw new TemplateError(`illegal number syntax: ${quote(text)}`);
  }
  if (!looksFloat) throw new TemplateError(`integer overflow: ${quote(text)}`);
  const fits = Number.isInteger(float) && Math.abs(float) < 2 ** 63;
  return { int: fits ? BigInt(float) : undefined, float, isFloat: true };
}
