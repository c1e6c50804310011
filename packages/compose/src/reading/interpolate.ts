/**
 * Interpolate: `$NAME` and `${NAME…}` in the text of a stack file.
 *
 *   ${V:-d} ${V-d}   d when V is unset or empty, when it is unset
 *   ${V:?e} ${V?e}   refused with the message e in the same cases
 *   ${V:+r} ${V+r}   r when V is set and not empty, when it is set; else nothing
 *   $$               a dollar
 *
 * d, e and r may hold variables again. Source: the Compose specification, "Interpolation".
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

/** One pass over a template, from left to right. */
class Reading {
  readonly #template: string;
  readonly #environment: Environment;
  readonly #unset = new Set<string>();
  #failure: string | undefined;
  #at = 0;

  constructor(template: string, environment: Environment) {
    this.#template = template;
    this.#environment = environment;
  }

  all(): Interpolated {
    const text = this.#text(true, false);
    return this.#failure === undefined
      ? { ok: true, text, unset: [...this.#unset] }
      : { ok: false, message: this.#failure };
  }

  /** `live` is false in a branch that is not taken, which may neither warn about a variable nor refuse one. */
  #text(live: boolean, inBraces: boolean): string {
    let result = "";
    while (this.#at < this.#template.length) {
      const one = this.#template.charAt(this.#at);
      if (inBraces && one === "}") return result;
      this.#at += 1;
      result += one === "$" ? this.#variable(live) : one;
    }
    return inBraces ? this.#fail(`found no closing "}" in "${this.#template}"`) : result;
  }

  #variable(live: boolean): string {
    const next = this.#template.charAt(this.#at);
    if (next === "$") {
      this.#at += 1;
      return "$";
    }
    if (next === "{") {
      this.#at += 1;
      const result = this.#braced(live);
      this.#at += 1;
      return result;
    }
    const found = this.#take(name);
    if (found !== "") return this.#plain(found, live);
    return this.#fail(
      `found "$" without a variable in "${this.#template}": write "$$" for a dollar`,
    );
  }

  #plain(variable: string, live: boolean): string {
    const value = this.#lookUp(variable);
    if (value === undefined && live) this.#unset.add(variable);
    return value ?? "";
  }

  #braced(live: boolean): string {
    const found = this.#take(name);
    const sign = this.#take(operator);
    if (found === "" || (sign === "" && this.#template.charAt(this.#at) !== "}")) {
      const forms = `\${NAME}, \${NAME:-default} or similar`;
      return this.#fail(`found an invalid variable in "${this.#template}": write ${forms}`);
    }
    if (sign === "") return this.#plain(found, live);
    const value = this.#lookUp(found);
    const present = value !== undefined && !(sign.startsWith(":") && value === "");
    switch (sign.at(-1)) {
      case "-": {
        const fallback = this.#text(live && !present, true);
        return present ? value : fallback;
      }
      case "+": {
        const replacement = this.#text(live && present, true);
        return present ? replacement : "";
      }
      default: {
        const reason = this.#text(live && !present, true);
        if (present || !live) return value ?? "";
        return this.#fail(`variable "${found}" is required${reason === "" ? "" : `: ${reason}`}`);
      }
    }
  }

  #lookUp(variable: string): string | undefined {
    return Object.hasOwn(this.#environment, variable) ? this.#environment[variable] : undefined;
  }

  #take(token: RegExp): string {
    token.lastIndex = this.#at;
    const found = token.exec(this.#template)?.[0] ?? "";
    this.#at += found.length;
    return found;
  }

  /** Ends the pass. Only the first failure is reported. */
  #fail(message: string): string {
    this.#failure ??= message;
    this.#at = this.#template.length;
    return "";
  }
}
