/**
 * Go text: texts as Go has them, a sequence of bytes that is usually UTF-8.
 *
 * A Go text is a JavaScript string with one character (0 to 255) for each byte. So lengths, positions and slices
 * are Go's, and a file that is not UTF-8 keeps its bytes.
 */

/** A replacement character stands for a byte that is not UTF-8. */
const replacement = 0xfffd;

export interface Rune {
  readonly code: number;
  /** In bytes. 0 at the end of the text. */
  readonly size: number;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Returns: the text as bytes in UTF-8. */
export function goText(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant.
  return /^[\x00-\x7f]*$/.test(text) ? text : fromBytes(encoder.encode(text));
}

/** Returns: the text for JavaScript. Bytes that are not UTF-8 become replacement characters, as in Go's JSON. */
export function fromGoText(text: string): string {
  return decoder.decode(toBytes(text));
}

export function toBytes(text: string): Uint8Array {
  return Uint8Array.from(text, (one) => one.charCodeAt(0));
}

/** String.fromCharCode() takes its arguments on the stack. */
const chunkBytes = 8192;

export function fromBytes(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    text += String.fromCharCode(...bytes.subarray(at, at + chunkBytes));
  }
  return text;
}

/** Lowest code point for each number of continuation bytes: shorter ones are overlong. */
const lowest = [0, 0x80, 0x800, 0x10000] as const;

/** Returns: the rune at a byte. One byte that is not UTF-8 is one replacement character. */
export function runeAt(text: string, at: number): Rune {
  if (at >= text.length) return { code: replacement, size: 0 };
  const first = text.charCodeAt(at);
  if (first < 0x80) return { code: first, size: 1 };
  const more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
  const broken = { code: replacement, size: 1 };
  if (first < 0xc2 || first > 0xf4) return broken;
  let code = first & (0x3f >> more);
  for (let n = 1; n <= more; n += 1) {
    const next = text.charCodeAt(at + n);
    if (Number.isNaN(next) || next >> 6 !== 2) return broken;
    code = (code << 6) | (next & 0x3f);
  }
  const isSurrogate = code >= 0xd800 && code <= 0xdfff;
  if (code < (lowest[more] ?? 0) || code > 0x10ffff || isSurrogate) return broken;
  return { code, size: more + 1 };
}

export function runesOf(text: string): Rune[] {
  const runes: Rune[] = [];
  for (let at = 0; at < text.length; ) {
    const rune = runeAt(text, at);
    runes.push(rune);
    at += rune.size;
  }
  return runes;
}

export function runeCount(text: string): number {
  let count = 0;
  for (let at = 0; at < text.length; at += runeAt(text, at).size) count += 1;
  return count;
}

/** Returns: the first runes of a text. */
export function runePrefix(text: string, count: number): string {
  let at = 0;
  for (let n = 0; n < count && at < text.length; n += 1) at += runeAt(text, at).size;
  return text.slice(0, at);
}

/** Returns: the bytes of a rune. */
export function ofRune(code: number): string {
  const isValid = code >= 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
  return goText(String.fromCodePoint(isValid ? code : replacement));
}

/** As Go's unicode.IsPrint(). */
export function isPrintable(code: number): boolean {
  return code === 0x20 || /[\p{L}\p{M}\p{N}\p{P}\p{S}]/u.test(String.fromCodePoint(code));
}

/** Whether a rune can be a part of a name in a template. */
export function isNameRune(code: number): boolean {
  return /[\p{L}\p{Nd}_]/u.test(String.fromCodePoint(code));
}
