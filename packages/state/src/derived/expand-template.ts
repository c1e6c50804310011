/**
 * Expand template: Go's text templates, as far as service specs use them.
 *
 * Knows fields (`.Service.Name`), `index`, `join`, `eq`, `ne`, `and`, `or`, `not`, `len`, `print`,
 * pipes, parentheses, and `if … else … end`. Refuses the rest with a message in Go's words.
 *
 * Source: Go's text/template; Swarm's template context for services.
 */

export interface TemplateContext {
  readonly Service: {
    readonly ID: string;
    readonly Name: string;
    readonly Labels: Readonly<Record<string, string>>;
  };
  readonly Node: {
    readonly ID: string;
    readonly Hostname: string;
    readonly Platform: { readonly Architecture: string; readonly OS: string };
  };
  readonly Task: { readonly ID: string; readonly Name: string; readonly Slot: string };
}

type Value = string | number | boolean | { readonly [key: string]: Value };
type Args = readonly Value[];

/** One token of a template's action: a field, a literal, a name, a bracket or a pipe. */
interface Token {
  readonly kind: "field" | "string" | "number" | "name" | "sign";
  readonly text: string;
}

type Part =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "action"; readonly tokens: readonly Token[]; readonly at: number };

class TemplateError extends Error {}

/** Returns: the text with every action replaced, or why one could not be, in Go's words. */
export function expandTemplate(
  text: string,
  context: TemplateContext,
): { readonly text: string } | { readonly error: string } {
  // Fast path: most texts are not templates.
  if (!text.includes("{{")) return { text };
  try {
    const run = new Run(partsOf(text), context);
    return { text: run.all() };
  } catch (thrown) {
    if (!(thrown instanceof TemplateError)) throw thrown;
    return { error: `template: expansion:${thrown.message}` };
  }
}

/** Returns: why the text would not expand for any task; undefined when it would. */
export function checkTemplate(text: string): string | undefined {
  const expanded = expandTemplate(text, {
    Service: { ID: "id", Name: "name", Labels: {} },
    Node: { ID: "id", Hostname: "host", Platform: { Architecture: "x86_64", OS: "linux" } },
    Task: { ID: "id", Name: "name", Slot: "1" },
  });
  return "error" in expanded ? expanded.error : undefined;
}

function partsOf(text: string): Part[] {
  const parts: Part[] = [];
  let from = 0;
  let trim = false;
  for (;;) {
    const open = text.indexOf("{{", from);
    let plain = text.slice(from, open < 0 ? undefined : open);
    if (trim) plain = plain.trimStart();
    if (open < 0) {
      parts.push({ kind: "text", text: plain });
      return parts;
    }
    const close = text.indexOf("}}", open);
    if (close < 0) throw new TemplateError("1: unclosed action");
    let inner = text.slice(open + 2, close);
    if (/^-\s/.test(inner)) {
      plain = plain.trimEnd();
      inner = inner.slice(1);
    }
    trim = /\s-$/.test(inner);
    if (trim) inner = inner.slice(0, -1);
    parts.push({ kind: "text", text: plain });
    parts.push({ kind: "action", tokens: tokensOf(inner), at: open + 2 });
    from = close + 2;
  }
}

const word =
  /\s*(?:(\.(?:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)?)|("(?:[^"\\]|\\.)*")|`([^`]*)`|(-?\d+)|([A-Za-z_]\w*)|([()|]))/y;

function tokensOf(inner: string): Token[] {
  const tokens: Token[] = [];
  const text = inner.trimEnd();
  word.lastIndex = 0;
  while (word.lastIndex < text.length) {
    const at = word.lastIndex;
    const found = word.exec(text);
    if (found === null) {
      throw new TemplateError(
        `1: unexpected ${JSON.stringify(text.slice(at).trim()[0])} in command`,
      );
    }
    const [, field, quoted, raw, digits, name, sign] = found;
    if (field !== undefined) tokens.push({ kind: "field", text: field });
    else if (quoted !== undefined) tokens.push({ kind: "string", text: unquote(quoted) });
    else if (raw !== undefined) tokens.push({ kind: "string", text: raw });
    else if (digits !== undefined) tokens.push({ kind: "number", text: digits });
    else if (name !== undefined) tokens.push({ kind: "name", text: name });
    else if (sign !== undefined) tokens.push({ kind: "sign", text: sign });
  }
  if (tokens.length === 0) throw new TemplateError("1: missing value for command");
  return tokens;
}

function unquote(quoted: string): string {
  try {
    return String(JSON.parse(quoted));
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError)) throw thrown;
    throw new TemplateError(`1: bad character constant: ${quoted}`);
  }
}

/** One expansion: a single pass over the parts. */
class Run {
  readonly #parts: readonly Part[];
  readonly #context: TemplateContext;
  #next = 0;
  #tokens: readonly Token[] = [];
  #token = 0;
  #at = 0;

  constructor(parts: readonly Part[], context: TemplateContext) {
    this.#parts = parts;
    this.#context = context;
  }

  all(): string {
    const text = this.#block(true);
    if (this.#next < this.#parts.length) throw new TemplateError("1: unexpected {{end}}");
    return text;
  }

  /** Returns: the text up to the `else` or `end` that closes the block; does not consume that. */
  #block(live: boolean): string {
    let text = "";
    for (; this.#next < this.#parts.length; this.#next += 1) {
      const part = this.#parts[this.#next];
      if (part === undefined) break;
      if (part.kind === "text") {
        if (live) text += part.text;
        continue;
      }
      const verb = part.tokens[0];
      if (verb?.kind === "name" && (verb.text === "end" || verb.text === "else")) break;
      if (verb?.kind === "name" && verb.text === "if") text += this.#choice(live);
      else if (live) text += show(this.#evaluate(part.tokens, part.at));
    }
    return text;
  }

  /** Starts at `if` or `else if`, and stops at its `end`. */
  #choice(live: boolean): string {
    const part = this.#parts[this.#next];
    if (part === undefined || part.kind === "text") throw new TemplateError("1: unexpected EOF");
    const from = part.tokens[0]?.text === "else" ? 2 : 1;
    const holds = live && truth(this.#evaluate(part.tokens.slice(from), part.at));
    this.#next += 1;
    const yes = this.#block(live && holds);
    const closing = this.#parts[this.#next];
    if (closing === undefined || closing.kind === "text") {
      throw new TemplateError("1: unexpected EOF");
    }
    if (closing.tokens[0]?.text === "end") return yes;
    if (closing.tokens[1]?.text === "if") return yes + this.#choice(live && !holds);
    this.#next += 1;
    const no = this.#block(live && !holds);
    if (this.#parts[this.#next] === undefined) throw new TemplateError("1: unexpected EOF");
    return yes + no;
  }

  #evaluate(tokens: readonly Token[], at: number): Value {
    this.#tokens = tokens;
    this.#token = 0;
    this.#at = at;
    const value = this.#pipeline();
    const left = this.#tokens[this.#token];
    if (left !== undefined) throw this.#error(left.text, `unexpected ${JSON.stringify(left.text)}`);
    return value;
  }

  #pipeline(): Value {
    let value = this.#command([]);
    while (this.#tokens[this.#token]?.text === "|" && this.#tokens[this.#token]?.kind === "sign") {
      this.#token += 1;
      value = this.#command([value]);
    }
    return value;
  }

  /** `piped` becomes the last argument, as in Go. */
  #command(piped: Args): Value {
    const first = this.#tokens[this.#token];
    if (first?.kind === "name" && first.text !== "true" && first.text !== "false") {
      this.#token += 1;
      const args: Value[] = [];
      while (this.#startsOperand()) args.push(this.#operand());
      return this.#call(first.text, [...args, ...piped]);
    }
    const value = this.#operand();
    if (piped.length > 0)
      throw this.#error(first?.text ?? "", "can't give argument to non-function");
    return value;
  }

  #startsOperand(): boolean {
    const token = this.#tokens[this.#token];
    return token !== undefined && (token.kind !== "sign" || token.text === "(");
  }

  #operand(): Value {
    const token = this.#tokens[this.#token];
    this.#token += 1;
    switch (token?.kind) {
      case "field":
        return this.#field(token.text);
      case "string":
        return token.text;
      case "number":
        return Number(token.text);
      case "name":
        if (token.text === "true" || token.text === "false") return token.text === "true";
        return this.#call(token.text, []);
      case "sign": {
        if (token.text !== "(") break;
        const value = this.#pipeline();
        if (this.#tokens[this.#token]?.text !== ")")
          throw new TemplateError("1: unclosed left paren");
        this.#token += 1;
        return value;
      }
    }
    throw new TemplateError("1: missing value for command");
  }

  #field(path: string): Value {
    let value: Value = this.#context as unknown as Value;
    let type = "*template.Context";
    for (const name of path.split(".").filter((one) => one !== "")) {
      const inside: unknown =
        typeof value === "object" && Object.hasOwn(value, name) ? value[name] : undefined;
      if (inside === undefined) {
        // A missing label is no error, but a field that does not exist is.
        if (type === "map[string]string") return "<no value>";
        throw this.#error(path, `can't evaluate field ${name} in type ${type}`);
      }
      value = inside as Value;
      type =
        name === "Labels" ? "map[string]string" : typeof value === "object" ? "struct" : "string";
    }
    return value;
  }

  #call(name: string, args: Args): Value {
    switch (name) {
      case "index":
        return this.#index(args);
      case "join": {
        const [separator = "", ...rest] = args.map(show);
        return rest.join(separator);
      }
      case "eq":
        return args.slice(1).some((one) => one === args[0]);
      case "ne":
        return args[0] !== args[1];
      case "and":
        return args.find((one) => !truth(one)) ?? args.at(-1) ?? false;
      case "or":
        return args.find(truth) ?? args.at(-1) ?? false;
      case "not":
        return !truth(args[0] ?? false);
      case "len": {
        const of = args[0] ?? "";
        return typeof of === "object" ? Object.keys(of).length : show(of).length;
      }
      case "print":
        return args.map(show).join("");
      default:
        throw new TemplateError(`1: function ${JSON.stringify(name)} not defined`);
    }
  }

  #index([from = "", ...keys]: Args): Value {
    let value: Value = from;
    for (const key of keys) {
      if (typeof value !== "object") throw this.#error("index", "can't index item of type string");
      value = Object.hasOwn(value, show(key)) ? (value[show(key)] ?? "") : "";
    }
    return value;
  }

  #error(what: string, why: string): TemplateError {
    return new TemplateError(`1:${this.#at}: executing "expansion" at <${what}>: ${why}`);
  }
}

function truth(value: Value): boolean {
  return typeof value === "object" ? Object.keys(value).length > 0 : Boolean(value);
}

function show(value: Value): string {
  if (typeof value !== "object") return String(value);
  const pairs = Object.keys(value).sort();
  return `map[${pairs.map((key) => `${key}:${show(value[key] ?? "")}`).join(" ")}]`;
}
