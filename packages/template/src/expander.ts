/**
 * Expander: expands a parsed template.
 *
 * Bounded by limits.ts, whatever the template says.
 *
 * Errors: TemplateError with the place and Go's message.
 * Source: the documentation of Go's text/template, as of Go 1.24, with the option "missingkey=error".
 */
import type { GoFunction, Parameter } from "./functions.ts";
import { Byte, type GoValue, Struct, TextMap, truth, typeOf } from "./go-value.ts";
import { type Budget, blocksMax, depthMax, stepBytes, textBytesMax } from "./limits.ts";
import { shown } from "./printf.ts";
import { quote } from "./quote.ts";
import { TemplateError } from "./template-error.ts";
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

/** What a pipe hands to its next command. */
interface Piped {
  readonly value: GoValue;
}

/** Why a list was left early. */
type Left = "break" | "continue" | undefined;

type FieldWord = Extract<Word, { kind: "field" | "variable" | "chain" }>;
type FunctionWord = Extract<Word, { kind: "function" }>;

export class Expander {
  readonly #template: Template;
  readonly #functions: ReadonlyMap<string, GoFunction>;
  /** The template that is executed now: messages name it. */
  #name: string;
  #variables: { readonly name: string; value: GoValue }[] = [];
  /** The part that is executed now: messages show it. */
  #place: TemplateNode | Word | PipeCommand | undefined;
  #depth = 0;
  #blocks = 0;
  readonly #budget: Budget;
  #text = "";

  constructor(template: Template, functions: ReadonlyMap<string, GoFunction>, budget: Budget) {
    this.#template = template;
    this.#functions = functions;
    this.#budget = budget;
    this.#name = template.name;
  }

  /** Returns: the expanded text. */
  all(data: GoValue): string {
    this.#variables = [{ name: "$", value: data }];
    this.#list(this.#template.definitions.get(this.#name) ?? [], data);
    return this.#text;
  }

  #error(message: string): TemplateError {
    const place = this.#place;
    const executing = `executing ${quote(this.#name)}`;
    if (place === undefined) return new TemplateError(` ${message}`);
    const before = this.#template.text.slice(0, place.at);
    const line = before.split("\n").length;
    const column = place.at - (before.lastIndexOf("\n") + 1);
    return new TemplateError(`${line}:${column}: ${executing} at <${textOf(place)}>: ${message}`);
  }

  #step(bytes = 0): void {
    this.#budget.steps -= 1 + Math.floor(bytes / stepBytes);
    if (this.#budget.steps < 0) throw this.#error("the template takes too many steps");
  }

  #write(text: string): void {
    this.#step(text.length);
    if (this.#text.length + text.length > textBytesMax) {
      throw this.#error(`the result is longer than ${textBytesMax} bytes`);
    }
    this.#text += text;
  }

  #list(list: List, dot: GoValue): Left {
    if (this.#blocks === blocksMax)
      throw this.#error(`more than ${blocksMax} blocks in each other`);
    this.#blocks += 1;
    let left: Left;
    for (const node of list) {
      left = this.#node(node, dot);
      if (left !== undefined) break;
    }
    this.#blocks -= 1;
    return left;
  }

  #node(node: TemplateNode, dot: GoValue): Left {
    this.#step();
    this.#place = node;
    switch (node.kind) {
      case "text":
        this.#write(node.text);
        return undefined;
      case "action": {
        const value = this.#pipe(node.pipe, dot);
        if (node.pipe.declared.length > 0) return undefined;
        this.#place = node;
        this.#write(printed(value));
        return undefined;
      }
      case "break":
      case "continue":
        return node.kind;
      case "template":
        this.#call(node, dot);
        return undefined;
      case "range":
        return this.#scoped(() => this.#range(node, dot));
      default:
        return this.#scoped(() => this.#choice(node, dot));
    }
  }

  /** Variables that a block declares end with it. */
  #scoped(run: () => Left): Left {
    const mark = this.#variables.length;
    const left = run();
    this.#variables.length = mark;
    return left;
  }

  #choice({ kind, pipe, list, otherwise }: Branch, dot: GoValue): Left {
    const value = this.#pipe(pipe, dot);
    if (truth(value)) return this.#list(list, kind === "with" ? value : dot);
    return otherwise === undefined ? undefined : this.#list(otherwise, dot);
  }

  #range(node: Branch, dot: GoValue): Left {
    const value = this.#pipe(node.pipe, dot);
    const { declared, assigns } = node.pipe;
    const mark = this.#variables.length;
    let isEmpty = true;
    for (const [index, element] of this.#elements(value, declared)) {
      isEmpty = false;
      this.#step();
      if (assigns) {
        const [first, second] = declared;
        if (first !== undefined) this.#assign(first, second === undefined ? element : index);
        if (second !== undefined) this.#assign(second, element);
      } else {
        const top = this.#variables[mark - 1];
        const next = this.#variables[mark - 2];
        if (declared.length > 0 && top !== undefined) top.value = element;
        if (declared.length > 1 && next !== undefined) next.value = index;
      }
      const left = this.#list(node.list, element);
      this.#variables.length = mark;
      if (left === "break") break;
    }
    if (!isEmpty || node.otherwise === undefined) return undefined;
    return this.#list(node.otherwise, dot);
  }

  *#elements(value: GoValue, declared: readonly string[]): Iterable<[GoValue, GoValue]> {
    if (value === undefined) return;
    if (value instanceof TextMap) {
      yield* value.sorted();
      return;
    }
    const count = value instanceof Byte ? BigInt(value.code) : value;
    if (typeof count !== "bigint") throw this.#error(`range can't iterate over ${shown(value)}`);
    if (declared.length > 1) {
      throw this.#error(`can't use ${shown(value)} to iterate over more than one variable`);
    }
    for (let n = 0n; n < count; n += 1n) {
      const element = value instanceof Byte ? new Byte(Number(n)) : n;
      yield [element, element];
    }
  }

  #call(node: Extract<TemplateNode, { kind: "template" }>, dot: GoValue): void {
    const list = this.#template.definitions.get(node.name);
    if (list === undefined) throw this.#error(`template ${quote(node.name)} not defined`);
    if (this.#depth === depthMax) {
      throw this.#error(`exceeded maximum template depth (${depthMax})`);
    }
    const value = node.pipe === undefined ? undefined : this.#pipe(node.pipe, dot);
    const [variables, name] = [this.#variables, this.#name];
    this.#variables = [{ name: "$", value }];
    this.#name = node.name;
    this.#depth += 1;
    this.#list(list, value);
    this.#depth -= 1;
    this.#name = name;
    this.#variables = variables;
  }

  #assign(name: string, value: GoValue): void {
    this.#variable(name).value = value;
  }

  #variable(name: string): { readonly name: string; value: GoValue } {
    const found = this.#variables.findLast((one) => one.name === name);
    if (found === undefined) throw this.#error(`undefined variable: ${name}`);
    return found;
  }

  #pipe(pipe: Pipe, dot: GoValue): GoValue {
    this.#place = pipe;
    let piped: Piped | undefined;
    for (const command of pipe.commands) piped = { value: this.#command(command, dot, piped) };
    const value = piped?.value;
    for (const name of pipe.declared) {
      if (pipe.assigns) this.#assign(name, value);
      else this.#variables.push({ name, value });
    }
    return value;
  }

  #command(command: PipeCommand, dot: GoValue, piped: Piped | undefined): GoValue {
    this.#step();
    const [first, ...args] = command.words;
    if (first === undefined) throw this.#error("empty command");
    switch (first.kind) {
      case "field":
      case "chain":
      case "variable":
        return this.#fields(first, dot, { args: args.length, piped });
      case "function":
        return this.#function(first, { node: command, args, dot, piped });
    }
    if (first.kind !== "pipe") this.#place = first;
    if (args.length > 0 || piped !== undefined) throw this.#notFunction(first);
    if (first.kind === "nil") throw this.#error("nil is not a command");
    return this.#value(first, dot);
  }

  #notFunction(word: Word): TemplateError {
    return this.#error(`can't give argument to non-function ${textOf(word)}`);
  }

  /** The value of a word by itself, as an argument of any type. */
  #value(word: Word, dot: GoValue): GoValue {
    switch (word.kind) {
      case "bool":
      case "string":
        return word.value;
      case "dot":
        return dot;
      case "nil":
        return undefined;
      case "number":
        this.#place = word;
        if (word.value.isFloat) return word.value.float;
        if (word.value.int === undefined) throw this.#error(`${word.text} overflows int`);
        return word.value.int;
      case "pipe":
        return this.#pipe(word, dot);
      case "function":
        return this.#function(word, { node: word, args: [], dot, piped: undefined });
      default:
        return this.#fields(word, dot, { args: 0, piped: undefined });
    }
  }

  /** The fields behind a dot, a variable or something in parentheses. */
  #fields(
    word: FieldWord,
    dot: GoValue,
    given: { args: number; piped: Piped | undefined },
  ): GoValue {
    this.#place = word;
    const hasArguments = given.args > 0 || given.piped !== undefined;
    let value: GoValue;
    if (word.kind === "field") value = dot;
    else if (word.kind === "variable") {
      value = this.#variable(word.name).value;
      if (word.names.length === 0 && hasArguments) throw this.#notFunction(word);
    } else {
      if (word.of.kind === "nil") {
        throw this.#error(`indirection through explicit nil in ${textOf(word)}`);
      }
      value = this.#value(word.of, dot);
    }
    for (const [index, name] of word.names.entries()) {
      this.#place = word;
      value = this.#field(value, name, hasArguments && index === word.names.length - 1);
    }
    return value;
  }

  #field(of: GoValue, name: string, hasArguments: boolean): GoValue {
    if (of === undefined) throw this.#error(`nil data; no entry for key ${quote(name)}`);
    if (of instanceof Struct && of.fields.has(name)) {
      if (hasArguments) {
        throw this.#error(`${name} has arguments but cannot be invoked as function`);
      }
      return of.fields.get(name);
    }
    if (of instanceof TextMap) {
      if (hasArguments) throw this.#error(`${name} is not a method but has arguments`);
      const value = of.entries.get(name);
      if (value === undefined) throw this.#error(`map has no entry for key ${quote(name)}`);
      return value;
    }
    throw this.#error(`can't evaluate field ${name} in type ${typeOf(of)}`);
  }

  #function(
    word: FunctionWord,
    given: { node: Word | PipeCommand; args: Word[]; dot: GoValue; piped: Piped | undefined },
  ): GoValue {
    const { node, args, dot, piped } = given;
    const { name } = word;
    this.#place = word;
    if (name === "and" || name === "or") return this.#logic(word, given);
    if (name === "call") return this.#callValue(given);
    const called = this.#functions.get(name);
    if (called === undefined) throw this.#error(`${quote(name)} is not a defined function`);
    const { fixed, rest } = called;
    const count = args.length + (piped === undefined ? 0 : 1);
    if (rest === undefined ? count !== fixed.length : count < fixed.length) {
      const want = rest === undefined ? `want ${fixed.length}` : `want at least ${fixed.length}`;
      const got = rest === undefined ? count : args.length;
      throw this.#error(`wrong number of args for ${name}: ${want} got ${got}`);
    }
    const typeAt = (index: number): Parameter => fixed[index] ?? rest ?? "any";
    const values = args.map((arg, index) => this.#argument(arg, typeAt(index), dot));
    if (piped !== undefined) values.push(this.#checked(piped.value, typeAt(args.length)));
    const result = this.#guarded(node, name, () => called.call(values, textBytesMax));
    if (typeof result === "string") {
      this.#step(result.length);
      if (result.length > textBytesMax) throw this.#error("the result is too long");
    }
    return result;
  }

  #guarded(node: Word | PipeCommand, name: string, call: () => GoValue): GoValue {
    try {
      return call();
    } catch (thrown) {
      if (!(thrown instanceof TemplateError)) throw thrown;
      this.#place = node;
      throw this.#error(`error calling ${name}: ${thrown.message}`);
    }
  }

  /** `and` and `or` do not evaluate what does not matter. */
  #logic(
    word: FunctionWord,
    { args, dot, piped }: { args: Word[]; dot: GoValue; piped: Piped | undefined },
  ): GoValue {
    if (args.length + (piped === undefined ? 0 : 1) === 0) {
      throw this.#error(`wrong number of args for ${word.name}: want at least 1 got 0`);
    }
    let value: GoValue;
    for (const arg of args) {
      value = this.#argument(arg, "any", dot);
      if (truth(value) === (word.name === "or")) return value;
    }
    return piped === undefined ? value : piped.value;
  }

  /** No value of a spec is a function, so there is only the message. */
  #callValue(given: {
    node: Word | PipeCommand;
    args: Word[];
    dot: GoValue;
    piped: Piped | undefined;
  }): GoValue {
    const { node, args, dot, piped } = given;
    const [first] = args;
    if (first === undefined && piped === undefined) {
      throw this.#error("wrong number of args for call: want at least 1 got 0");
    }
    const values = args.map((arg) => this.#argument(arg, "any", dot));
    const called = first === undefined ? piped?.value : values[0];
    const name = first === undefined ? shown(called) : textOf(first);
    return this.#guarded(node, "call", () => {
      if (called === undefined) throw new TemplateError("call of nil");
      throw new TemplateError(`non-function ${name} of type ${typeOf(called)}`);
    });
  }

  #argument(word: Word, type: Parameter, dot: GoValue): GoValue {
    this.#place = word;
    if (type === "any") return this.#value(word, dot);
    switch (word.kind) {
      case "nil":
        throw this.#error("cannot assign nil to string");
      case "string":
        return word.value;
      case "bool":
      case "number":
        throw this.#error(`expected string; found ${textOf(word)}`);
      default:
        return this.#checked(this.#value(word, dot), type);
    }
  }

  #checked(value: GoValue, type: Parameter): GoValue {
    if (type === "any" || typeof value === "string") return value;
    if (value === undefined) throw this.#error("invalid value; expected string");
    throw this.#error(`wrong type for value; expected string; got ${typeOf(value)}`);
  }
}

/** A pointer is written as what it points to. */
function printed(value: GoValue): string {
  if (value === undefined) return "<no value>";
  return shown(value instanceof Struct ? new Struct(value.type, value.fields) : value);
}
