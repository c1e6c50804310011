/**
 * Printf: Go's fmt, for the values of templates.
 *
 * Source: the documentation of Go's fmt.
 */
import { type FloatVerb, floatText } from "./float.ts";
import { ofRune, runeAt, runeCount, runePrefix, runesOf } from "./go-text.ts";
import { Byte, type GoValue, type Struct, TextMap, typeOf } from "./go-value.ts";
import { widthMax } from "./limits.ts";
import { canBackquote, quote, quoteRune } from "./quote.ts";
import { TemplateError } from "./template-error.ts";
import { unicodeOf } from "./tokens.ts";

/** The flags of one verb. */
interface Format {
  readonly plus: boolean;
  readonly minus: boolean;
  readonly sharp: boolean;
  readonly space: boolean;
  readonly zero: boolean;
  readonly width: number | undefined;
  readonly precision: number | undefined;
  /** Within %+v and %#v. */
  readonly plusV?: boolean;
  readonly sharpV?: boolean;
}

const bare: Format = {
  plus: false,
  minus: false,
  sharp: false,
  space: false,
  zero: false,
  width: undefined,
  precision: undefined,
};

function padded(text: string, { width = 0, minus, zero }: Format, zeros = zero): string {
  const missing = width - runeCount(text);
  if (missing <= 0) return text;
  if (minus) return text + " ".repeat(missing);
  return (zeros ? "0" : " ").repeat(missing) + text;
}

/** As `print value` prints it, without spaces around. */
export function shown(value: GoValue): string {
  return one(value, "v", bare);
}

/** A value that a verb is not for. Go prints it with the flags of the verb. */
function bad(value: GoValue, verb: string, format: Format): string {
  if (value === undefined) return `%!${verb}(<nil>)`;
  return `%!${verb}(${typeOf(value)}=${one(value, "v", format)})`;
}

function one(value: GoValue, verb: string, format: Format): string {
  if (verb === "T") return ofText(typeOf(value), "s", format);
  if (value === undefined) return verb === "v" ? padded("<nil>", format) : bad(value, verb, format);
  if (verb === "p") return bad(value, verb, format);
  if (typeof value === "string") return ofText(value, verb, format);
  if (typeof value === "bigint") return ofInt(value, verb, format);
  if (value instanceof Byte) return ofByte(value, verb, format);
  if (typeof value === "number") return ofFloat(value, verb, format);
  if (typeof value === "boolean") {
    return verb === "t" || verb === "v" ? padded(String(value), format) : bad(value, verb, format);
  }
  return value instanceof TextMap ? ofMap(value, verb, format) : ofStruct(value, verb, format);
}

function ofText(value: string, verb: string, format: Format): string {
  const { precision } = format;
  const cut = precision === undefined ? value : runePrefix(value, precision);
  switch (verb) {
    case "v":
      return format.sharpV ? padded(quote(cut), format) : padded(cut, format);
    case "s":
      return padded(cut, format);
    case "q": {
      if (format.sharp && canBackquote(cut)) return padded(`\`${cut}\``, format);
      return padded(quote(cut, format.plus), format);
    }
    case "x":
    case "X": {
      const bytes = precision === undefined ? value : value.slice(0, precision);
      const prefix = format.sharp && bytes !== "" ? `0${verb}` : "";
      const pairs = Array.from(bytes, (byte) => {
        const pair = byte.charCodeAt(0).toString(16).padStart(2, "0");
        return verb === "x" ? pair : pair.toUpperCase();
      });
      if (!format.space) return padded(prefix + pairs.join(""), format);
      return padded(pairs.map((pair) => prefix + pair).join(" "), format);
    }
    default:
      return bad(value, verb, format);
  }
}

const bases: Readonly<Record<string, number>> = { b: 2, d: 10, o: 8, O: 8, v: 10, x: 16, X: 16 };
const prefixes: Readonly<Record<string, string>> = { b: "0b", o: "0", x: "0x", X: "0X" };

function ofInt(value: bigint, verb: string, format: Format): string {
  const base = bases[verb];
  if (base !== undefined) return inBase(value, verb, base, format);
  const code = value >= 0n && value <= 0x10ffffn ? Number(value) : 0xfffd;
  switch (verb) {
    case "c":
      return padded(ofRune(code), format);
    case "q":
      return padded(quoteRune(code, format.plus), format);
    case "U": {
      const size = Math.max(format.precision ?? 4, 4);
      const digits = BigInt.asUintN(64, value).toString(16).toUpperCase().padStart(size, "0");
      const sign = format.sharp && value === BigInt(code) && unicodeOf(code).includes("'");
      return padded(`U+${digits}${sign ? ` '${ofRune(code)}'` : ""}`, format, false);
    }
    default:
      return bad(value, verb, format);
  }
}

function inBase(value: bigint, verb: string, base: number, format: Format): string {
  const { precision, width = 0, minus, zero, plus, space, sharp } = format;
  if (precision === 0 && value === 0n) return padded("", format, false);
  const isNegative = value < 0n;
  let digits = (isNegative ? -value : value).toString(base);
  if (verb === "X") digits = digits.toUpperCase();
  const sign = isNegative ? "-" : plus ? "+" : space ? " " : "";
  if (precision !== undefined) digits = digits.padStart(precision, "0");
  else if (zero && !minus) digits = digits.padStart(width - sign.length, "0");
  let prefix = sharp ? (prefixes[verb] ?? "") : "";
  if (prefix === "0" && digits.startsWith("0")) prefix = "";
  if (verb === "O") prefix = "0o";
  return padded(sign + prefix + digits, format, false);
}

function ofByte(value: Byte, verb: string, format: Format): string {
  if (verb === "v" && format.sharpV) {
    return padded(`0x${value.code.toString(16)}`, format);
  }
  const text = ofInt(BigInt(value.code), verb, format);
  return text.startsWith("%!") ? bad(value, verb, format) : text;
}

const floatVerbs: Readonly<Record<string, FloatVerb>> = {
  e: "e",
  E: "e",
  f: "f",
  F: "f",
  g: "g",
  G: "g",
  v: "g",
  b: "b",
  x: "x",
  X: "x",
};

function ofFloat(value: number, verb: string, format: Format): string {
  const kind = floatVerbs[verb];
  if (kind === undefined) return bad(value, verb, format);
  const { plus, minus, space, sharp, zero, width = 0 } = format;
  const precision = format.precision ?? ("ef".includes(kind) ? 6 : undefined);
  const finite = Number.isFinite(value);
  let text = floatText(value, kind, precision);
  if (sharp && finite && kind !== "b") text = withZeros(text, kind, format.precision);
  if (verb === verb.toUpperCase() && finite) text = text.toUpperCase();
  const isNegative = value < 0 || Object.is(value, -0);
  const positive = plus ? "+" : space ? " " : "";
  const sign = isNegative ? "-" : positive;
  if (zero && !minus && finite) return sign + text.padStart(width - sign.length, "0");
  return padded(sign + text, format, false);
}

/** The flag "#": always a point, and in %g and %x as many digits as the precision says. */
function withZeros(text: string, kind: FloatVerb, precision: number | undefined): string {
  const [, number = "", tail = ""] =
    (kind === "x" ? /^(.*)(p.*)$/ : /^([^e]*)(e.*)?$/).exec(text) ?? [];
  const significant = number.replace(".", "").replace(/^0+/, "").length;
  let missing = kind === "g" || kind === "x" ? (precision ?? 6) - significant : 0;
  if (number === "0") missing -= 1;
  const point = number.includes(".") ? "" : ".";
  return number + point + "0".repeat(Math.max(missing, 0)) + tail;
}

function ofMap(value: TextMap, verb: string, format: Format): string {
  const pairs = value
    .sorted()
    .map(([key, text]) => `${one(key, verb, format)}:${one(text, verb, format)}`);
  if (format.sharpV) return `map[string]string{${pairs.join(", ")}}`;
  return `map[${pairs.join(" ")}]`;
}

function ofStruct(value: Struct, verb: string, format: Format): string {
  const names = format.plusV || format.sharpV;
  const fields = [...value.fields].map(([name, field]) => {
    const text = one(field, verb, format);
    return names ? `${name}:${text}` : text;
  });
  const pointer = value.isPointer ? "&" : "";
  if (format.sharpV) return `${pointer}${value.type}{${fields.join(", ")}}`;
  return `${pointer}{${fields.join(" ")}}`;
}

function checkLength(text: string, room: number): void {
  if (text.length > room) throw new TemplateError("the result is too long");
}

/** Go's Sprint: a space between two values of which none is a text. */
export function print(values: readonly GoValue[], room: number): string {
  let text = "";
  for (const [index, value] of values.entries()) {
    const before = values[index - 1];
    const isText = typeof value === "string" || typeof before === "string";
    if (index > 0 && !isText) text += " ";
    text += shown(value);
    checkLength(text, room);
  }
  return text;
}

export function println(values: readonly GoValue[], room: number): string {
  let text = "";
  for (const [index, value] of values.entries()) {
    text += (index > 0 ? " " : "") + shown(value);
    checkLength(text, room);
  }
  return `${text}\n`;
}

/** Reads one format. A new one for each call of printf. */
class Printer {
  readonly #format: string;
  readonly #args: readonly GoValue[];
  #at = 0;
  #arg = 0;
  #reordered = false;
  #good = true;
  #afterIndex = false;

  constructor(format: string, args: readonly GoValue[]) {
    this.#format = format;
    this.#args = args;
  }

  all(room: number): string {
    let text = "";
    while (this.#at < this.#format.length) {
      const found = this.#format.indexOf("%", this.#at);
      text += this.#format.slice(this.#at, found < 0 ? undefined : found);
      if (found < 0) break;
      this.#at = found + 1;
      text += this.#verb();
      checkLength(text, room);
    }
    if (this.#reordered || this.#arg >= this.#args.length) return text;
    const extra = this.#args
      .slice(this.#arg)
      .map((value) =>
        value === undefined ? "<nil>" : `${typeOf(value)}=${one(value, "v", bare)}`,
      );
    return `${text}%!(EXTRA ${extra.join(", ")})`;
  }

  #verb(): string {
    this.#good = true;
    this.#afterIndex = false;
    let format = this.#flags();
    let problem = "";
    this.#index();
    if (this.#format[this.#at] === "*") {
      this.#at += 1;
      const width = this.#star();
      if (width === undefined) problem += "%!(BADWIDTH)";
      else if (width < 0) format = { ...format, width: -width, minus: true, zero: false };
      else format = { ...format, width };
      this.#afterIndex = false;
    } else {
      const width = this.#whole();
      if (this.#afterIndex && width !== undefined) this.#good = false; // "%[3]2d"
      format = { ...format, width };
    }
    if (this.#format[this.#at] === ".") {
      this.#at += 1;
      if (this.#afterIndex) this.#good = false; // "%[3].2d"
      this.#index();
      if (this.#format[this.#at] === "*") {
        this.#at += 1;
        const precision = this.#star();
        if (precision === undefined) problem += "%!(BADPREC)";
        format = {
          ...format,
          precision: precision !== undefined && precision >= 0 ? precision : undefined,
        };
        this.#afterIndex = false;
      } else {
        const precision = this.#whole();
        format = { ...format, precision: precision ?? 0 };
      }
    }
    if (!this.#afterIndex) this.#index();
    const { size } = runeAt(this.#format, this.#at);
    if (size === 0) return `${problem}%!(NOVERB)`;
    const verb = this.#format.slice(this.#at, this.#at + size);
    this.#at += size;
    return problem + this.#show(verb, format);
  }

  #show(verb: string, format: Format): string {
    if (verb === "%") return "%";
    if (!this.#good) return `%!${verb}(BADINDEX)`;
    if (this.#arg >= this.#args.length) return `%!${verb}(MISSING)`;
    const value = this.#args[this.#arg];
    this.#arg += 1;
    const isV = verb === "v";
    const own = isV
      ? {
          ...format,
          sharpV: format.sharp,
          plusV: format.plus,
          sharp: false,
          plus: false,
        }
      : format;
    return one(value, verb, own);
  }

  #flags(): Format {
    let format = bare;
    for (; ; this.#at += 1) {
      switch (this.#format[this.#at]) {
        case "#":
          format = { ...format, sharp: true };
          break;
        case "0":
          format = { ...format, zero: true };
          break;
        case "+":
          format = { ...format, plus: true };
          break;
        case "-":
          format = { ...format, minus: true };
          break;
        case " ":
          format = { ...format, space: true };
          break;
        default:
          return format;
      }
    }
  }

  /** Digits. Of a number that is much too large, Go does not find the end. */
  #whole(): number | undefined {
    let whole: number | undefined;
    for (;;) {
      const digit = /^\d/.exec(this.#format.slice(this.#at, this.#at + 1))?.[0];
      if (digit === undefined) return whole;
      if (whole !== undefined && whole > widthMax) {
        this.#at = this.#format.length;
        return undefined;
      }
      whole = (whole ?? 0) * 10 + Number(digit);
      this.#at += 1;
    }
  }

  /** An explicit index, like [2]. */
  #index(): void {
    if (this.#format[this.#at] !== "[") return;
    this.#reordered = true;
    const end = this.#format.indexOf("]", this.#at);
    const digits = end < 0 ? "" : this.#format.slice(this.#at + 1, end);
    this.#at = end < 0 ? this.#at + 1 : end + 1;
    const index = /^\d{1,9}$/.test(digits) ? Number(digits) : 0;
    if (index >= 1 && index <= this.#args.length) {
      this.#arg = index - 1;
      this.#afterIndex = true;
    } else {
      this.#good = false;
    }
  }

  /** The value that stands for a `*`. */
  #star(): number | undefined {
    const value = this.#args[this.#arg];
    if (this.#arg >= this.#args.length) return undefined;
    this.#arg += 1;
    const number = value instanceof Byte ? value.code : Number(value);
    const isInt = typeof value === "bigint" || value instanceof Byte;
    return isInt && Math.abs(number) <= widthMax ? number : undefined;
  }
}

/** Errors: TemplateError if the result is longer than `room` bytes. */
export function printf(format: string, args: readonly GoValue[], room: number): string {
  return new Printer(format, args).all(room);
}

/** For other escapes: the runes of a text, with the bytes of each. */
export function eachRune(text: string, show: (code: number, bytes: string) => string): string {
  let at = 0;
  let result = "";
  for (const { code, size } of runesOf(text)) {
    result += show(code, text.slice(at, at + size));
    at += size;
  }
  return result;
}
