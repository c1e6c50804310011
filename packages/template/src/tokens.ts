/**
 * Tokens: cuts a template into texts and the words of its actions.
 *
 * Source: the documentation of Go's text/template; messages are Go's.
 */
import { isNameRune, isPrintable, ofRune, runeAt } from "./go-text.ts";
import { quote } from "./quote.ts";

export type TokenKind =
  | "error"
  | "assign"
  | "bool"
  | "char"
  | "characterConstant"
  | "declare"
  | "end of file"
  | "field"
  | "identifier"
  | "keyword"
  | "left delimiter"
  | "left parenthesis"
  | "number"
  | "pipe"
  | "raw string"
  | "right delimiter"
  | "right parenthesis"
  | "space"
  | "string"
  | "text"
  | "variable";

export interface TemplateToken {
  readonly kind: TokenKind;
  /** As written; of an error: the message. */
  readonly text: string;
  /** In bytes from the beginning of the template. */
  readonly at: number;
  readonly line: number;
}

const keywords = new Set([
  ".",
  "block",
  "break",
  "continue",
  "define",
  "else",
  "end",
  "if",
  "nil",
  "range",
  "template",
  "with",
]);

const open = "{{";
const close = "}}";
const isSpace = (sign: string | undefined): boolean =>
  sign !== undefined && " \t\r\n".includes(sign);

const number =
  /[+-]?(?:0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]*)?|0[oO][0-7_]*(?:\.[0-7_]*)?|0[bB][01_]*(?:\.[01_]*)?|[0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9_]*)?)i?/y;

class Cutter {
  readonly tokens: TemplateToken[] = [];
  readonly #text: string;
  #at = 0;
  #start = 0;
  #line = 1;
  #parentheses = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Stops after the first error or at the end of the text, which is the last token. */
  cut(): TemplateToken[] {
    for (;;) {
      const next = this.#plain();
      if (next === "end" || (next === "action" && !this.#action())) return this.tokens;
    }
  }

  #emit(kind: TokenKind, text = this.#text.slice(this.#start, this.#at)): void {
    this.tokens.push({ kind, text, at: this.#start, line: this.#line });
    this.#skip();
  }

  /** Continues after what was read so far. */
  #skip(): void {
    for (let at = this.#start; at < this.#at; at += 1) {
      if (this.#text[at] === "\n") this.#line += 1;
    }
    this.#start = this.#at;
  }

  #error(message: string): false {
    this.tokens.push({ kind: "error", text: message, at: this.#start, line: this.#line });
    return false;
  }

  /** Up to the next action, or to the end of the next comment. */
  #plain(): "action" | "comment" | "end" {
    const found = this.#text.indexOf(open, this.#at);
    if (found < 0) {
      this.#at = this.#text.length;
      if (this.#at > this.#start) this.#emit("text");
      this.#emit("end of file");
      return "end";
    }
    const trims = this.#text[found + 2] === "-" && isSpace(this.#text[found + 3]);
    this.#at = found;
    while (trims && this.#at > this.#start && isSpace(this.#text[this.#at - 1])) this.#at -= 1;
    if (this.#at > this.#start) this.#emit("text");
    this.#at = found;
    this.#skip();
    this.#at += 2;
    const comment = this.#at + (trims ? 2 : 0);
    if (this.#text.startsWith("/*", comment)) {
      this.#at = comment;
      this.#skip();
      return this.#comment() ? "comment" : "end";
    }
    this.#emit("left delimiter");
    this.#at += trims ? 2 : 0;
    this.#skip();
    this.#parentheses = 0;
    return "action";
  }

  #comment(): boolean {
    const end = this.#text.indexOf("*/", this.#at + 2);
    if (end < 0) return this.#error("unclosed comment");
    this.#at = end + 2;
    const closing = this.#closing();
    if (closing === 0) return this.#error("comment ends before closing delimiter");
    this.#pass(closing);
    this.#skip();
    return true;
  }

  /** Length of the closing delimiter at this place, with its trim marker; 0 if there is none. */
  #closing(at = this.#at): number {
    if (this.#text.startsWith(close, at)) return close.length;
    const trims = isSpace(this.#text[at]) && this.#text.startsWith(`-${close}`, at + 1);
    return trims ? close.length + 2 : 0;
  }

  /** Passes a closing delimiter, and the space after one with a trim marker. */
  #pass(closing: number): void {
    this.#at += closing;
    if (closing === close.length) return;
    while (isSpace(this.#text[this.#at])) this.#at += 1;
  }

  /** The words of one action, with both delimiters. False on an error. */
  #action(): boolean {
    for (;;) {
      const closing = this.#closing();
      if (closing > 0) {
        if (this.#parentheses > 0) return this.#error("unclosed left paren");
        this.#at += closing - close.length;
        this.#skip();
        this.#at += close.length;
        this.#emit("right delimiter");
        if (closing > close.length) while (isSpace(this.#text[this.#at])) this.#at += 1;
        this.#skip();
        return true;
      }
      if (!this.#word()) return false;
    }
  }

  #word(): boolean {
    const sign = this.#text[this.#at];
    if (sign === undefined) return this.#error("unclosed action");
    if (isSpace(sign)) return this.#space();
    const { code, size } = runeAt(this.#text, this.#at);
    const next = this.#text[this.#at + 1];
    if (/[+\-0-9]/.test(sign) || (sign === "." && next !== undefined && /[0-9]/.test(next))) {
      return this.#number();
    }
    if (isNameRune(code)) return this.#identifier();
    this.#at += size;
    switch (sign) {
      case "=":
        this.#emit("assign");
        return true;
      case ":":
        if (next !== "=") return this.#error("expected :=");
        this.#at += 1;
        this.#emit("declare");
        return true;
      case "|":
        this.#emit("pipe");
        return true;
      case '"':
        return this.#literal('"', "string", "unterminated quoted string");
      case "'":
        return this.#literal("'", "characterConstant", "unterminated character constant");
      case "`":
        return this.#raw();
      case "$":
        return this.#name("variable");
      case ".":
        return this.#name("field");
      case "(":
        this.#emit("left parenthesis");
        this.#parentheses += 1;
        return true;
      case ")":
        this.#parentheses -= 1;
        if (this.#parentheses < 0) return this.#error("unexpected right paren");
        this.#emit("right parenthesis");
        return true;
      default:
        if (code < 0x80 && isPrintable(code)) {
          this.#emit("char");
          return true;
        }
        return this.#error(`unrecognized character in action: ${unicodeOf(code)}`);
    }
  }

  /** The last space before a closing trim marker belongs to the marker. */
  #space(): boolean {
    while (isSpace(this.#text[this.#at])) this.#at += 1;
    if (this.#closing(this.#at - 1) > close.length) this.#at -= 1;
    if (this.#at > this.#start) this.#emit("space");
    return true;
  }

  #identifier(): boolean {
    this.#nameRunes();
    if (!this.#ends()) return this.#badCharacter();
    const word = this.#text.slice(this.#start, this.#at);
    if (keywords.has(word)) this.#emit("keyword");
    else this.#emit(word === "true" || word === "false" ? "bool" : "identifier");
    return true;
  }

  /** A field or a variable: its first sign was read. */
  #name(kind: "field" | "variable"): boolean {
    this.#nameRunes();
    if (!this.#ends()) return this.#badCharacter();
    this.#emit(kind === "field" && this.#at === this.#start + 1 ? "keyword" : kind);
    return true;
  }

  #nameRunes(): void {
    for (;;) {
      const { code, size } = runeAt(this.#text, this.#at);
      if (size === 0 || !isNameRune(code)) return;
      this.#at += size;
    }
  }

  /** Whether a name may end here. */
  #ends(): boolean {
    const sign = this.#text[this.#at];
    return (
      sign === undefined ||
      isSpace(sign) ||
      ".,|:()".includes(sign) ||
      this.#text.startsWith(close, this.#at)
    );
  }

  #badCharacter(): false {
    return this.#error(`bad character ${unicodeOf(runeAt(this.#text, this.#at).code)}`);
  }

  #number(): boolean {
    const isNumber = this.#digits();
    const next = this.#text[this.#at];
    if (isNumber && next !== "+" && next !== "-") {
      this.#emit("number");
      return true;
    }
    if (isNumber && this.#digits() && this.#text[this.#at - 1] === "i") {
      return this.#error("complex numbers are not supported");
    }
    return this.#error(`bad number syntax: ${quote(this.#text.slice(this.#start, this.#at))}`);
  }

  /** False if a letter follows. What a number with wrong digits is, number.ts decides. */
  #digits(): boolean {
    number.lastIndex = this.#at;
    this.#at += number.exec(this.#text)?.[0].length ?? 0;
    const { code, size } = runeAt(this.#text, this.#at);
    if (size === 0 || !isNameRune(code)) return true;
    this.#at += size;
    return false;
  }

  /** A literal with escapes: its first quote was read. */
  #literal(end: string, kind: TokenKind, unterminated: string): boolean {
    for (; ; this.#at += 1) {
      let sign = this.#text[this.#at];
      if (sign === "\\") {
        this.#at += 1;
        sign = this.#text[this.#at];
        if (sign !== undefined && sign !== "\n") continue;
      }
      if (sign === undefined || sign === "\n") return this.#error(unterminated);
      if (sign === end) break;
    }
    this.#at += 1;
    this.#emit(kind);
    return true;
  }

  #raw(): boolean {
    const end = this.#text.indexOf("`", this.#at);
    if (end < 0) return this.#error("unterminated raw quoted string");
    this.#at = end + 1;
    this.#emit("raw string");
    return true;
  }
}

/** As Go's %#U. */
export function unicodeOf(code: number): string {
  const point = `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
  return isPrintable(code) ? `${point} '${ofRune(code)}'` : point;
}

/** Returns: the tokens of a template. The last one is an error or the end of the file. */
export function tokensOf(text: string): readonly TemplateToken[] {
  return new Cutter(text).cut();
}
