/**
 * Functions: what every template can call.
 *
 * `and` and `or` are in expander.ts: they leave out arguments that do not matter.
 *
 * Errors: TemplateError with Go's reason.
 * Source: the documentation of Go's text/template, as of Go 1.24.
 */
import { isPrintable } from "./go-text.ts";
import { Byte, type GoValue, Struct, TextMap, truth, typeOf } from "./go-value.ts";
import { eachRune, print, printf, println, shown } from "./printf.ts";
import { TemplateError } from "./template-error.ts";

export type Parameter = "any" | "string";

export interface GoFunction {
  readonly fixed: readonly Parameter[];
  /** Type of the arguments behind the fixed ones, if there may be more. */
  readonly rest?: Parameter;
  /** `room` is the longest text that it may return. */
  readonly call: (args: readonly GoValue[], room: number) => GoValue;
}

function refuse(message: string): never {
  throw new TemplateError(message);
}

type Order = "int" | "float" | "string" | "bool" | "none";

function orderOf(value: GoValue): Order {
  if (typeof value === "bigint" || value instanceof Byte) return "int";
  if (typeof value === "number") return "float";
  if (typeof value === "string") return "string";
  return typeof value === "boolean" ? "bool" : "none";
}

const intOf = (value: GoValue): bigint =>
  value instanceof Byte ? BigInt(value.code) : typeof value === "bigint" ? value : 0n;

function same(one: GoValue, other: GoValue): boolean {
  const [first, second] = [orderOf(one), orderOf(other)];
  if (first !== second) {
    if (one === undefined || other === undefined) return false;
    return refuse("incompatible types for comparison");
  }
  if (first === "int") return intOf(one) === intOf(other);
  if (first !== "none") return one === other;
  if (one === undefined || other === undefined) return one === other;
  if (one instanceof Struct !== other instanceof Struct) {
    return refuse(
      `non-comparable types ${shown(one)}: ${typeOf(one)}, ${typeOf(other)}: ${shown(other)}`,
    );
  }
  if (!isComparable(other)) refuse(`non-comparable type ${shown(other)}: ${typeOf(other)}`);
  if (!(one instanceof Struct && other instanceof Struct) || one.type !== other.type) return false;
  if (one.isPointer || other.isPointer) return one === other;
  return [...one.fields].every(([name, field]) => field === other.fields.get(name));
}

function isComparable(value: GoValue): boolean {
  if (value instanceof TextMap) return false;
  return (
    !(value instanceof Struct) || value.isPointer || [...value.fields.values()].every(isComparable)
  );
}

function less(one: GoValue, other: GoValue): boolean {
  const [first, second] = [orderOf(one), orderOf(other)];
  if (first === "none" || second === "none") return refuse("invalid type for comparison");
  if (first !== second) return refuse("incompatible types for comparison");
  if (first === "int") return intOf(one) < intOf(other);
  if (typeof one === "number" && typeof other === "number") return one < other;
  if (typeof one === "string" && typeof other === "string") return one < other;
  return refuse("invalid type for comparison");
}

function equal([one, ...others]: readonly GoValue[]): boolean {
  if (others.length === 0) return refuse("missing argument for comparison");
  return others.some((other) => same(one, other));
}

/** A position in something of this length. */
function positionOf(index: GoValue, length: number): number {
  if (index === undefined) return refuse("cannot index slice/array with nil");
  if (orderOf(index) !== "int") {
    return refuse(`cannot index slice/array with type ${typeOf(index)}`);
  }
  const at = intOf(index);
  if (at < 0n || at > BigInt(length)) return refuse(`index out of range: ${at}`);
  return Number(at);
}

function indexed([of, ...indexes]: readonly GoValue[]): GoValue {
  if (of === undefined) return refuse("index of untyped nil");
  let value: GoValue = of;
  for (const index of indexes) {
    if (typeof value === "string") {
      const at: number = positionOf(index, value.length);
      if (at === value.length) return refuse("reflect: string index out of range");
      value = new Byte(value.charCodeAt(at));
    } else if (value instanceof TextMap) {
      if (index === undefined) return refuse("value is nil; should be of type string");
      if (typeof index !== "string") {
        return refuse(`value has type ${typeOf(index)}; should be string`);
      }
      value = value.entries.get(index) ?? "";
    } else {
      const type: string = value instanceof Struct && value.isPointer ? value.type : typeOf(value);
      return refuse(`can't index item of type ${type}`);
    }
  }
  return value;
}

function sliced([of, ...indexes]: readonly GoValue[]): string {
  if (of === undefined) return refuse("slice of untyped nil");
  if (indexes.length > 3) return refuse(`too many slice indexes: ${indexes.length}`);
  if (typeof of !== "string") {
    return refuse(`can't slice item of type ${typeOf(of)}`);
  }
  if (indexes.length === 3) return refuse("cannot 3-index slice a string");
  const [from = 0, to = of.length] = indexes.map((index) => positionOf(index, of.length));
  if (from > to) return refuse(`invalid slice index: ${from} > ${to}`);
  return of.slice(from, to);
}

function lengthOf(value: GoValue): bigint {
  if (typeof value === "string") return BigInt(value.length);
  if (value instanceof TextMap) return BigInt(value.entries.size);
  if (value === undefined) return refuse("reflect: call of reflect.Value.Type on zero Value");
  const type = value instanceof Struct && value.isPointer ? value.type : typeOf(value);
  return refuse(`len of type ${type}`);
}

/** A pointer is printed as what it points to, and no value as such. */
function plain(values: readonly GoValue[], room: number): string {
  const pointed = values.map((value) => {
    if (value === undefined) return "<no value>";
    return value instanceof Struct ? new Struct(value.type, value.fields) : value;
  });
  return print(pointed, room);
}

const htmlSigns: Readonly<Record<string, string>> = {
  "\0": "\xef\xbf\xbd",
  '"': "&#34;",
  "'": "&#39;",
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
};

const scriptSigns: Readonly<Record<string, string>> = {
  "\\": "\\\\",
  "'": "\\'",
  '"': '\\"',
  "<": "\\u003C",
  ">": "\\u003E",
  "&": "\\u0026",
  "=": "\\u003D",
};

function script(text: string): string {
  return eachRune(text, (code, bytes) => {
    const sign = scriptSigns[bytes];
    if (sign !== undefined) return sign;
    if (code >= 0x20 && (code < 0x80 || isPrintable(code))) return bytes;
    return `\\u${code.toString(16).toUpperCase().padStart(4, "0")}`;
  });
}

function query(text: string): string {
  return text.replace(/[^A-Za-z0-9_.~-]/gs, (byte) => {
    if (byte === " ") return "+";
    return `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`;
  });
}

const any: readonly Parameter[] = ["any"];
const two: readonly Parameter[] = ["any", "any"];

export const functions: ReadonlyMap<string, GoFunction> = new Map<string, GoFunction>([
  ["eq", { fixed: any, rest: "any", call: equal }],
  ["ne", { fixed: two, call: (args) => !equal(args) }],
  ["lt", { fixed: two, call: ([one, other]) => less(one, other) }],
  ["le", { fixed: two, call: ([one, other]) => less(one, other) || same(one, other) }],
  ["gt", { fixed: two, call: ([one, other]) => !(less(one, other) || same(one, other)) }],
  ["ge", { fixed: two, call: ([one, other]) => !less(one, other) }],
  ["not", { fixed: any, call: ([value]) => !truth(value) }],
  ["len", { fixed: any, call: ([value]) => lengthOf(value) }],
  ["index", { fixed: any, rest: "any", call: indexed }],
  ["slice", { fixed: any, rest: "any", call: sliced }],
  ["print", { fixed: [], rest: "any", call: print }],
  ["println", { fixed: [], rest: "any", call: println }],
  [
    "printf",
    {
      fixed: ["string"],
      rest: "any",
      call: ([format, ...args], room) => printf(shown(format), args, room),
    },
  ],
  [
    "html",
    {
      fixed: [],
      rest: "any",
      call: (args, room) =>
        plain(args, room).replace(/[\0"'&<>]/g, (sign) => htmlSigns[sign] ?? sign),
    },
  ],
  ["js", { fixed: [], rest: "any", call: (args, room) => script(plain(args, room)) }],
  ["urlquery", { fixed: [], rest: "any", call: (args, room) => query(plain(args, room)) }],
]);
