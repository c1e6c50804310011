/**
 * Quote: Go's string literals, read and written.
 *
 * Source: Go's strconv.Quote, QuoteToASCII, Unquote and UnquoteChar.
 */
import { fromGoText, isPrintable, ofRune, runeAt } from "./go-text.ts";

const letters: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
};
const letterOf = new Map(Object.entries(letters).map(([letter, code]) => [code, letter]));

interface Char {
  /** The bytes of the character. */
  readonly text: string;
  /** Its code point, or the byte of \x and octal escapes. */
  readonly code: number;
  /** Position of the next character. */
  readonly next: number;
}

/** Returns: the character at `at` of a literal within `quote`; undefined if it is none. */
function charAt(literal: string, at: number, quote: string): Char | undefined {
  const first = literal[at];
  if (first === undefined || first === quote) return undefined;
  if (first !== "\\") {
    const { code, size } = runeAt(literal, at);
    return { text: literal.slice(at, at + size), code, next: at + size };
  }
  const sign = literal[at + 1] ?? "";
  const letter = letters[sign];
  if (letter !== undefined) {
    return { text: String.fromCharCode(letter), code: letter, next: at + 2 };
  }
  if (sign === "\\" || sign === quote) {
    return { text: sign, code: sign.charCodeAt(0), next: at + 2 };
  }
  const hex = { x: 2, u: 4, U: 8 }[sign];
  if (hex !== undefined) {
    const digits = literal.slice(at + 2, at + 2 + hex);
    if (digits.length !== hex || !/^[0-9a-fA-F]+$/.test(digits)) return undefined;
    const code = Number.parseInt(digits, 16);
    const isSurrogate = code >= 0xd800 && code <= 0xdfff;
    if (sign !== "x" && (code > 0x10ffff || isSurrogate)) return undefined;
    const text = sign === "x" ? String.fromCharCode(code) : ofRune(code);
    return { text, code, next: at + 2 + hex };
  }
  const octal = /^[0-7]{3}/.exec(literal.slice(at + 1, at + 4))?.[0];
  const code = Number.parseInt(octal ?? "400", 8);
  return code > 255 ? undefined : { text: String.fromCharCode(code), code, next: at + 4 };
}

/** Returns: the text of a literal in double quotes or backquotes; undefined if it is not well formed. */
export function unquote(literal: string): string | undefined {
  const inner = literal.slice(1, -1);
  if (literal.startsWith("`")) return inner.replaceAll("\r", "");
  let text = "";
  for (let at = 0; at < inner.length; ) {
    const char = charAt(inner, at, '"');
    if (char === undefined) return undefined;
    text += char.text;
    at = char.next;
  }
  return text;
}

/** Returns: the code point of a character constant; undefined if it is none; "more" if it has several. */
export function unquoteChar(literal: string): number | "more" | undefined {
  const char = charAt(literal, 1, "'");
  if (char === undefined) return undefined;
  return literal.slice(char.next) === "'" ? char.code : "more";
}

function hexDigits(code: number, length: number): string {
  return code.toString(16).padStart(length, "0");
}

function escaped(code: number, quote: string, ascii: boolean): string {
  if (code === quote.charCodeAt(0) || code === 0x5c) return `\\${String.fromCharCode(code)}`;
  if (code < 0x80 ? isPrintable(code) : !ascii && isPrintable(code)) return ofRune(code);
  const letter = letterOf.get(code);
  if (letter !== undefined) return `\\${letter}`;
  if (code < 0x20 || code === 0x7f) return `\\x${hexDigits(code, 2)}`;
  return code < 0x10000 ? `\\u${hexDigits(code, 4)}` : `\\U${hexDigits(code, 8)}`;
}

export function quote(text: string, ascii = false): string {
  let quoted = '"';
  for (let at = 0; at < text.length; ) {
    const { code, size } = runeAt(text, at);
    const isBroken = code === 0xfffd && size === 1;
    quoted += isBroken ? `\\x${hexDigits(text.charCodeAt(at), 2)}` : escaped(code, '"', ascii);
    at += size;
  }
  return `${quoted}"`;
}

export function quoteRune(code: number, ascii = false): string {
  const isValid = code >= 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
  return `'${escaped(isValid ? code : 0xfffd, "'", ascii)}'`;
}

/** Whether a text can stand in backquotes unchanged. */
export function canBackquote(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for.
  return !/[\x00-\x08\x0a-\x1f`\x7f]/.test(text) && !fromGoText(text).includes("\ufffd");
}
