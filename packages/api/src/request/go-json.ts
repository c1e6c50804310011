/**
 * Go JSON: reads JSON as Go's encoding/json does, with the same error messages, because clients show them.
 *
 * Differs from JSON.parse() in three things: keys stay in the order of their last occurrence, since Go assigns
 * fields in the order of the text; half of a surrogate pair becomes U+FFFD; and errors have Go's words.
 *
 * Source: Go's encoding/json, scanner.go and decode.go.
 */
import { GamError } from "@gam/core";

/** Go's words for two problems, which depend on the caller. */
export interface GoJsonWords {
  /** The text ends within a value. */
  readonly cutOff: string;
  /** Something follows the value. Absent: the message names the character. */
  readonly trailing?: string;
}

/** The words of json.Unmarshal(). */
const usualWords: GoJsonWords = { cutOff: "unexpected end of JSON input" };

/** Go allows 10,000 levels. No body of the API has more than twenty, and this reader uses the stack. */
const levelsMax = 1000;

/** Errors: GamError BAD_REQUEST. */
export function parseGoJson(text: string, words: GoJsonWords = usualWords): unknown {
  const reader = new Reader(text, words);
  return reader.whole();
}

const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
/** As far as a string has no escapes and no end. */
const plainText = /[ !#-[\]-\uffff]*/y;
const space = /[ \t\r\n]*/y;
const hex4 = /^[0-9a-fA-F]{4}$/;

const escapes: Readonly<Record<string, string>> = {
  '"': '"',
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};

const words: Readonly<Record<string, readonly [string, unknown]>> = {
  t: ["true", true],
  f: ["false", false],
  n: ["null", null],
};

class Reader {
  readonly #text: string;
  readonly #words: GoJsonWords;
  #at = 0;

  constructor(text: string, wording: GoJsonWords) {
    this.#text = text;
    this.#words = wording;
  }

  whole(): unknown {
    const value = this.#value(0);
    this.#skip(space);
    if (this.#at < this.#text.length) {
      if (this.#words.trailing !== undefined) refuse(this.#words.trailing);
      this.#odd("after top-level value");
    }
    return value;
  }

  #value(level: number): unknown {
    this.#skip(space);
    const first = this.#peek();
    if (first === "{") return this.#object(level + 1);
    if (first === "[") return this.#array(level + 1);
    if (first === '"') return this.#string();
    if (first === "-" || isDigit(first)) return this.#number();
    const word = words[first];
    if (word === undefined) return this.#odd("looking for beginning of value");
    const [spelled, value] = word;
    for (const letter of spelled) {
      if (this.#peek() !== letter) this.#odd(`in literal ${spelled} (expecting '${letter}')`);
      this.#at += 1;
    }
    return value;
  }

  #object(level: number): object {
    this.#deepen(level);
    const entries = new Map<string, unknown>();
    this.#skip(space);
    if (this.#peek() === "}") return this.#end({});
    for (;;) {
      this.#skip(space);
      if (this.#peek() !== '"') this.#odd("looking for beginning of object key string");
      const key = this.#string();
      this.#skip(space);
      if (this.#peek() !== ":") this.#odd("after object key");
      this.#at += 1;
      const value = this.#value(level);
      // The last one wins, in its own place.
      entries.delete(key);
      entries.set(key, value);
      this.#skip(space);
      if (this.#peek() === "}") return this.#end(Object.fromEntries(entries));
      if (this.#peek() !== ",") this.#odd("after object key:value pair");
      this.#at += 1;
    }
  }

  #array(level: number): unknown[] {
    this.#deepen(level);
    const list: unknown[] = [];
    this.#skip(space);
    if (this.#peek() === "]") return this.#end(list);
    for (;;) {
      list.push(this.#value(level));
      this.#skip(space);
      if (this.#peek() === "]") return this.#end(list);
      if (this.#peek() !== ",") this.#odd("after array element");
      this.#at += 1;
    }
  }

  #deepen(level: number): void {
    if (level > levelsMax) refuse("exceeded max depth");
    this.#at += 1;
  }

  #end<T>(value: T): T {
    this.#at += 1;
    return value;
  }

  #string(): string {
    this.#at += 1;
    let found = "";
    let escaped = false;
    for (;;) {
      found += this.#take(plainText);
      const next = this.#peek();
      if (next === '"') return this.#end(escaped ? found.toWellFormed() : found);
      if (next !== "\\") this.#odd("in string literal");
      escaped = true;
      this.#at += 1;
      found += this.#escape();
    }
  }

  #escape(): string {
    const letter = this.#peek();
    const short = escapes[letter];
    if (short !== undefined) return this.#end(short);
    if (letter !== "u") this.#odd("in string escape code");
    this.#at += 1;
    const code = this.#text.slice(this.#at, this.#at + 4);
    while (!hex4.test(code)) {
      if (!/[0-9a-fA-F]/.test(this.#peek())) this.#odd("in \\u hexadecimal character escape");
      this.#at += 1;
    }
    this.#at += 4;
    return String.fromCharCode(Number.parseInt(code, 16));
  }

  #number(): number {
    const found = this.#take(number);
    if (found === "") {
      this.#at += 1;
      this.#odd("in numeric literal");
    }
    const [next, after] = [this.#text[this.#at], this.#text[this.#at + 1] ?? ""];
    if (next === "." && !/[.eE]/.test(found)) {
      this.#at += 1;
      this.#odd("after decimal point in numeric literal");
    }
    if ((next === "e" || next === "E") && !/[eE]/.test(found)) {
      this.#at += after === "+" || after === "-" ? 2 : 1;
      this.#odd("in exponent of numeric literal");
    }
    return Number(found);
  }

  #skip(what: RegExp): void {
    what.lastIndex = this.#at;
    what.test(this.#text);
    this.#at = what.lastIndex;
  }

  #take(what: RegExp): string {
    what.lastIndex = this.#at;
    const found = what.exec(this.#text)?.[0] ?? "";
    this.#at += found.length;
    return found;
  }

  /** Errors: the text ends here. */
  #peek(): string {
    return this.#text[this.#at] ?? refuse(this.#words.cutOff);
  }

  /** Go reads bytes, and shows the first one of a character. */
  #odd(where: string): never {
    this.#peek();
    const [byte = 0] = Buffer.from(String.fromCodePoint(this.#text.codePointAt(this.#at) ?? 0));
    return refuse(`invalid character ${quoted(byte)} ${where}`);
  }
}

function isDigit(letter: string): boolean {
  return letter >= "0" && letter <= "9";
}

const named: Readonly<Record<number, string>> = {
  7: "\\a",
  8: "\\b",
  9: "\\t",
  10: "\\n",
  11: "\\v",
  12: "\\f",
  13: "\\r",
  39: "\\'",
  92: "\\\\",
};

function quoted(byte: number): string {
  const hex = byte.toString(16).padStart(2, "0");
  if (named[byte] !== undefined) return `'${named[byte]}'`;
  return byte < 32 || byte === 127 ? `'\\x${hex}'` : `'${String.fromCharCode(byte)}'`;
}

function refuse(message: string): never {
  throw new GamError("BAD_REQUEST", message);
}
