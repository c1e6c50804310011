/**
 * Interpolate: `$NAME` and `${NAME…}` in the text of a stack file.
 *
 *   ${V:-d} ${V-d}   d when V is unset or empty, when it is unset
 *   ${V:?e} ${V?e}   refused with the message e in the same cases
 *   ${V:+r} ${V+r}   r when V is set and not empty, when it is set; else nothing
 *   $$               a dollar
 *
 * d, e and r are literal up to the first `}`, as the docker client reads them: `${HASH:-$2a$14$abc}` needs no
 * second dollar. Only where one of them holds a whole `${…}`, it is read by the Compose specification: variables
 * and `$$` mean there what they mean outside, and other dollars stay.
 * Source: the docker client's template package; the Compose specification, "Interpolation".
 */

export type Interpolated =
  | { readonly ok: true; readonly text: string; readonly unset: readonly string[] }
  | { readonly ok: false; readonly message: string };

export type Environment = Readonly<Record<string, string>>;

const name = /[A-Za-z_][A-Za-z0-9_]*/y;
const operator = /:?[-?+]/y;

/** Returns: the text with its variables filled in; `unset` names those that were read as "". */
export function interpolate(template: string, environment: Environment): Interpolated {
  return new Reading(template, environment).all();
}

/** A part of the template that is being read, from `at` up to `end`. */
interface Span {
  at: number;
  readonly end: number;
  /** False in a branch that is not taken, which may neither warn about a variable nor refuse one. */
  readonly live: boolean;
  /** Inside of braces a dollar that begins no variable stays. */
  readonly nested: boolean;
}

class Reading {
  readonly #template: string;
  readonly #environment: Environment;
  readonly #unset = new Set<string>();
  #failure: string | undefined;

  constructor(template: string, environment: Environment) {
    this.#template = template;
    this.#environment = environment;
  }

  all(): Interpolated {
    const text = this.#text({ at: 0, end: this.#template.length, live: true, nested: false });
    return this.#failure === undefined
      ? { ok: true, text, unset: [...this.#unset] }
      : { ok: false, message: this.#failure };
  }

  #text(span: Span): string {
    let result = "";
    while (span.at < span.end) {
      const one = this.#template.charAt(span.at);
      span.at += 1;
      result += one === "$" ? this.#variable(span) : one;
    }
    return result;
  }

  #variable(span: Span): string {
    const next = span.at < span.end ? this.#template.charAt(span.at) : "";
    if (next === "$") {
      span.at += 1;
      return "$";
    }
    if (next === "{") {
      span.at += 1;
      return this.#braced(span);
    }
    const found = this.#take(name, span);
    if (found !== "") return this.#plain(found, span);
    if (span.nested) return "$";
    return this.#fail(
      `found "$" without a variable in "${this.#template}": write "$$" for a dollar`,
    );
  }

  #plain(variable: string, { live }: Span): string {
    const value = this.#lookUp(variable);
    if (value === undefined && live) this.#unset.add(variable);
    return value ?? "";
  }

  #braced(span: Span): string {
    const found = this.#take(name, span);
    const sign = this.#take(operator, span);
    const start = span.at;
    if (found === "" || (sign === "" && this.#template.charAt(start) !== "}")) {
      const forms = `\${NAME}, \${NAME:-default} or similar`;
      return this.#fail(`found an invalid variable in "${this.#template}": write ${forms}`);
    }
    const close = this.#closing(start, span.end);
    if (close === undefined) return this.#fail(`found no closing "}" in "${this.#template}"`);
    span.at = close.at + 1;
    if (sign === "") return this.#plain(found, span);
    const value = this.#lookUp(found);
    const present = value !== undefined && !(sign.startsWith(":") && value === "");
    const word = (): string => {
      if (!close.nests) return this.#template.slice(start, close.at);
      return this.#text({ at: start, end: close.at, live: span.live, nested: true });
    };
    switch (sign.at(-1)) {
      case "-":
        return present ? value : word();
      case "+":
        return present ? word() : "";
      default: {
        if (present || !span.live) return value ?? "";
        const reason = word();
        return this.#fail(`variable "${found}" is required${reason === "" ? "" : `: ${reason}`}`);
      }
    }
  }

  /**
   * Where the braces end that are open at `start`. `nests`: whether whole braces are inside of them. Braces inside
   * that never close are literal, as for the docker client.
   */
  #closing(start: number, end: number): { at: number; nests: boolean } | undefined {
    const first = this.#template.indexOf("}", start);
    if (first < 0 || first >= end) return undefined;
    let depth = 1;
    let nests = false;
    for (let at = start; at < end; at += 1) {
      if (this.#template.startsWith("$$", at)) at += 1;
      else if (/^\$\{[A-Za-z_]/.test(this.#template.slice(at, at + 3))) {
        depth += 1;
        nests = true;
        at += 1;
      } else if (this.#template.charAt(at) === "}") {
        depth -= 1;
        if (depth === 0) return { at, nests };
      }
    }
    return { at: first, nests: false };
  }

  #lookUp(variable: string): string | undefined {
    return Object.hasOwn(this.#environment, variable) ? this.#environment[variable] : undefined;
  }

  #take(token: RegExp, span: Span): string {
    token.lastIndex = span.at;
    const found = token.exec(this.#template.slice(0, span.end))?.[0] ?? "";
    span.at += found.length;
    return found;
  }

  /** Ends the pass. Only the first failure is reported. */
  #fail(message: string): string {
    this.#failure ??= message;
    return "";
  }
}
