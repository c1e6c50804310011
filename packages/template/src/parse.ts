/**
 * Parse: makes the tree of a template from its tokens.
 *
 * Errors: TemplateError with the line and Go's message.
 * Source: the documentation of Go's text/template, as of Go 1.24.
 */
import { runePrefix } from "./go-text.ts";
import { nestingMax } from "./limits.ts";
import { numberOf } from "./number.ts";
import { quote, unquote } from "./quote.ts";
import { TemplateError } from "./template-error.ts";
import { type TemplateToken, tokensOf } from "./tokens.ts";
import {
  type Branch,
  type List,
  type Pipe,
  type PipeCommand,
  type Template,
  type TemplateNode,
  textOf,
  type Word,
} from "./tree.ts";

type Closing = "else" | "end";

/** What belongs to one definition only. */
interface Scope {
  variables: string[];
  ranges: number;
}

const starts = new Set([
  "bool",
  "characterConstant",
  "field",
  "identifier",
  "number",
  "raw string",
  "string",
  "variable",
  "left parenthesis",
]);

class Parser {
  readonly definitions = new Map<string, List>();
  readonly #tokens: readonly TemplateToken[];
  readonly #name: string;
  readonly #functions: ReadonlySet<string>;
  #next = 0;
  /** The last token that was looked at: messages have its line. */
  #seen = -1;
  #scope: Scope = { variables: ["$"], ranges: 0 };
  #actionLine = 0;
  #nesting = 0;

  constructor(text: string, name: string, functions: ReadonlySet<string>) {
    this.#tokens = tokensOf(text);
    this.#name = name;
    this.#functions = functions;
  }

  all(): void {
    const nodes: TemplateNode[] = [];
    while (this.#peek().kind !== "end of file") {
      if (this.#definition()) continue;
      const node = this.#textOrAction();
      if (typeof node === "string") throw this.#error(`unexpected {{${node}}}`);
      nodes.push(node);
    }
    this.#add(this.#name, nodes);
  }

  #at(index: number): TemplateToken {
    this.#seen = Math.max(this.#seen, Math.min(index, this.#tokens.length - 1));
    const token = this.#tokens[index] ?? this.#tokens.at(-1);
    if (token === undefined) throw this.#error("unexpected EOF");
    return token;
  }

  #peek(): TemplateToken {
    return this.#at(this.#next);
  }

  #take(): TemplateToken {
    const token = this.#at(this.#next);
    this.#next += 1;
    return token;
  }

  #skipSpace(): void {
    while (this.#peek().kind === "space") this.#next += 1;
  }

  #peekWord(): TemplateToken {
    this.#skipSpace();
    return this.#peek();
  }

  #takeWord(): TemplateToken {
    this.#skipSpace();
    return this.#take();
  }

  #isKeyword(token: TemplateToken, word: string): boolean {
    return token.kind === "keyword" && token.text === word;
  }

  #error(message: string): TemplateError {
    return new TemplateError(`${this.#tokens[this.#seen]?.line ?? 0}: ${message}`);
  }

  #unexpected(token: TemplateToken, context: string): TemplateError {
    if (token.kind !== "error") return this.#error(`unexpected ${shown(token)} in ${context}`);
    if (this.#actionLine === 0 || this.#actionLine === token.line) return this.#error(token.text);
    const verb = token.text.endsWith(" action") ? "" : " in action";
    return this.#error(`${token.text}${verb} started at ${this.#name}:${this.#actionLine}`);
  }

  #expect(kind: TemplateToken["kind"], context: string): TemplateToken {
    const token = this.#takeWord();
    if (token.kind !== kind) throw this.#unexpected(token, context);
    return token;
  }

  /** Runs `parse` one level deeper. */
  #nested<T>(parse: () => T): T {
    this.#nesting += 1;
    if (this.#nesting > nestingMax) throw this.#error("max expression depth exceeded");
    const parsed = parse();
    this.#nesting -= 1;
    return parsed;
  }

  #add(name: string, list: List): void {
    const isEmpty = (of: List): boolean =>
      of.every((node) => node.kind === "text" && /^[\s\x85\xa0]*$/.test(node.text));
    const held = this.definitions.get(name);
    if (held === undefined || isEmpty(held)) this.definitions.set(name, list);
    else if (!isEmpty(list)) {
      throw this.#error(`template: multiple definition of template ${quote(name)}`);
    }
  }

  /** A `define`, which is allowed outside of all blocks. */
  #definition(): boolean {
    const from = this.#next;
    if (this.#take().kind !== "left delimiter" || !this.#isKeyword(this.#takeWord(), "define")) {
      this.#next = from;
      return false;
    }
    const context = "define clause";
    const name = this.#templateName(this.#takeWord(), context);
    this.#expect("right delimiter", context);
    this.#add(name, this.#body(context));
    return true;
  }

  #templateName(token: TemplateToken, context: string): string {
    if (token.kind !== "string" && token.kind !== "raw string") {
      throw this.#unexpected(token, context);
    }
    return this.#unquoted(token.text);
  }

  #unquoted(literal: string): string {
    const text = unquote(literal);
    if (text === undefined) throw this.#error("invalid syntax");
    return text;
  }

  /** The body of a definition, with its own variables. */
  #body(context: string): List {
    const outer = this.#scope;
    this.#scope = { variables: ["$"], ranges: 0 };
    const [list, closing] = this.#list();
    if (closing !== "end") throw this.#error(`unexpected {{${closing}}} in ${context}`);
    this.#scope = outer;
    return list;
  }

  #list(): [List, Closing] {
    return this.#nested(() => {
      const nodes: TemplateNode[] = [];
      while (this.#peekWord().kind !== "end of file") {
        const node = this.#textOrAction();
        if (typeof node === "string") return [nodes, node];
        nodes.push(node);
      }
      throw this.#error("unexpected EOF");
    });
  }

  #textOrAction(): TemplateNode | Closing {
    const token = this.#takeWord();
    if (token.kind === "text") return { kind: "text", text: token.text, at: token.at };
    if (token.kind !== "left delimiter") throw this.#unexpected(token, "input");
    this.#actionLine = token.line;
    const node = this.#action();
    this.#actionLine = 0;
    return node;
  }

  #action(): TemplateNode | Closing {
    const token = this.#peekWord();
    const { at } = token;
    if (token.kind === "keyword") {
      this.#next += 1;
      switch (token.text) {
        case "block":
          return this.#block();
        case "break":
        case "continue":
          return this.#leave(token.text, at);
        case "else":
          return this.#else();
        case "end":
          this.#expect("right delimiter", "end");
          return "end";
        case "if":
        case "range":
        case "with":
          return this.#branch(token.text);
        case "template":
          return this.#template();
      }
      this.#next -= 1;
    }
    return { kind: "action", pipe: this.#pipe("command", "right delimiter"), at };
  }

  #leave(kind: "break" | "continue", at: number): TemplateNode {
    const token = this.#takeWord();
    if (token.kind !== "right delimiter") throw this.#unexpected(token, `{{${kind}}}`);
    if (this.#scope.ranges === 0) throw this.#error(`{{${kind}}} outside {{range}}`);
    return { kind, at };
  }

  /** `else if` and `else with` leave their second word to #branch(). */
  #else(): Closing {
    const token = this.#peekWord();
    if (this.#isKeyword(token, "if") || this.#isKeyword(token, "with")) return "else";
    this.#expect("right delimiter", "else");
    return "else";
  }

  #branch(kind: Branch["kind"]): Branch {
    const variables = this.#scope.variables.length;
    const pipe = this.#pipe(kind, "right delimiter");
    if (kind === "range") this.#scope.ranges += 1;
    const [list, closing] = this.#list();
    if (kind === "range") this.#scope.ranges -= 1;
    let otherwise: List | undefined;
    if (closing === "else") {
      const token = this.#peek();
      if (kind !== "range" && this.#isKeyword(token, kind)) {
        this.#next += 1;
        otherwise = [this.#nested(() => this.#branch(kind))];
      } else {
        const [other, end] = this.#list();
        if (end !== "end") throw this.#error(`expected end; found {{${end}}}`);
        otherwise = other;
      }
    }
    this.#scope.variables.length = variables;
    return { kind, pipe, list, otherwise, at: pipe.at };
  }

  #block(): TemplateNode {
    const context = "block clause";
    const token = this.#takeWord();
    const name = this.#templateName(token, context);
    const pipe = this.#pipe(context, "right delimiter");
    this.#add(name, this.#body(context));
    return { kind: "template", name, pipe, at: token.at };
  }

  #template(): TemplateNode {
    const context = "template clause";
    const token = this.#takeWord();
    const name = this.#templateName(token, context);
    const isBare = this.#peekWord().kind === "right delimiter";
    if (isBare) this.#next += 1;
    const pipe = isBare ? undefined : this.#pipe(context, "right delimiter");
    return { kind: "template", name, pipe, at: token.at };
  }

  #pipe(context: string, end: "right delimiter" | "right parenthesis"): Pipe {
    return this.#nested(() => {
      const { at } = this.#peekWord();
      const { declared, assigns } = this.#declarations(context);
      const commands: PipeCommand[] = [];
      for (;;) {
        const token = this.#peekWord();
        if (token.kind === end) {
          this.#next += 1;
          this.#checkPipe(commands, context);
          return { kind: "pipe", declared, assigns, commands, at };
        }
        const isWord = starts.has(token.kind);
        if (!isWord && !this.#isKeyword(token, ".") && !this.#isKeyword(token, "nil")) {
          this.#next += 1;
          throw this.#unexpected(token, context);
        }
        commands.push(this.#command());
      }
    });
  }

  #declarations(context: string): { declared: string[]; assigns: boolean } {
    const declared: string[] = [];
    while (this.#peekWord().kind === "variable") {
      const from = this.#next;
      const variable = this.#take();
      const next = this.#peekWord();
      const isMore = next.kind === "char" && next.text === ",";
      if (next.kind !== "assign" && next.kind !== "declare" && !isMore) {
        this.#next = from;
        break;
      }
      this.#next += 1;
      declared.push(variable.text);
      this.#scope.variables.push(variable.text);
      if (!isMore) return { declared, assigns: next.kind === "assign" };
      if (context !== "range" || declared.length > 1) {
        throw this.#error(`too many declarations in ${context}`);
      }
      const after = this.#peekWord().kind;
      if (!["variable", "right delimiter", "right parenthesis"].includes(after)) {
        throw this.#error("range can only initialize variables");
      }
    }
    return { declared, assigns: false };
  }

  #checkPipe(commands: readonly PipeCommand[], context: string): void {
    if (commands.length === 0) throw this.#error(`missing value for ${context}`);
    for (const [index, { words }] of commands.entries()) {
      const kind = words[0]?.kind ?? "";
      if (index > 0 && ["bool", "dot", "nil", "number", "string"].includes(kind)) {
        throw this.#error(`non executable command in pipeline stage ${index + 1}`);
      }
    }
  }

  #command(): PipeCommand {
    const { at } = this.#peekWord();
    const words: Word[] = [];
    for (;;) {
      this.#skipSpace();
      const word = this.#operand();
      if (word !== undefined) words.push(word);
      const token = this.#take();
      if (token.kind === "space") continue;
      if (token.kind === "right delimiter" || token.kind === "right parenthesis") this.#next -= 1;
      else if (token.kind !== "pipe") throw this.#unexpected(token, "operand");
      break;
    }
    if (words.length === 0) throw this.#error("empty command");
    return { kind: "command", words, at };
  }

  /** A term, and the fields behind it. */
  #operand(): Word | undefined {
    const term = this.#term();
    if (term === undefined || this.#peek().kind !== "field") return term;
    const { at } = this.#peek();
    const names: string[] = [];
    while (this.#peek().kind === "field") names.push(this.#take().text.slice(1));
    switch (term.kind) {
      case "field":
      case "variable":
        return { ...term, names: [...term.names, ...names], at };
      case "bool":
      case "string":
      case "number":
      case "nil":
      case "dot":
        throw this.#error(`unexpected . after term ${quote(textOf(term))}`);
      default:
        return { kind: "chain", of: term, names, at };
    }
  }

  #term(): Word | undefined {
    const token = this.#takeWord();
    const { at, text } = token;
    switch (token.kind) {
      case "identifier":
        if (!this.#functions.has(text)) throw this.#error(`function ${quote(text)} not defined`);
        return { kind: "function", name: text, at };
      case "keyword":
        if (text === ".") return { kind: "dot", at };
        if (text === "nil") return { kind: "nil", at };
        break;
      case "variable":
        if (!this.#scope.variables.includes(text)) {
          throw this.#error(`undefined variable ${quote(text)}`);
        }
        return { kind: "variable", name: text, names: [], at };
      case "field":
        return { kind: "field", names: [text.slice(1)], at };
      case "bool":
        return { kind: "bool", value: text === "true", at };
      case "characterConstant":
      case "number":
        return { kind: "number", text, value: this.#number(text), at };
      case "left parenthesis":
        return this.#pipe("parenthesized pipeline", "right parenthesis");
      case "string":
      case "raw string":
        return { kind: "string", text, value: this.#unquoted(text), at };
    }
    this.#next -= 1;
    return undefined;
  }

  #number(text: string) {
    try {
      return numberOf(text);
    } catch (thrown) {
      if (!(thrown instanceof TemplateError)) throw thrown;
      throw this.#error(thrown.message);
    }
  }
}

function shown(token: TemplateToken): string {
  if (token.kind === "end of file") return "EOF";
  if (token.kind === "keyword") return `<${token.text}>`;
  return token.text.length > 10 ? `${quote(runePrefix(token.text, 10))}...` : quote(token.text);
}

/** Errors: TemplateError. */
export function parse(text: string, name: string, functions: ReadonlySet<string>): Template {
  const parser = new Parser(text, name, functions);
  parser.all();
  return { text, name, definitions: parser.definitions };
}
