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

/** The text with its variables filled in; `unset` names those that were read as nothing. */
export function interpolate(template: string, environment: Environment): Interpolated {
  const unset = new Set<string>();
  let failure: string | undefined;
  let at = 0;

  const fail = (message: string): string => {
    failure ??= message;
    at = template.length;
    return "";
  };
  const take = (token: RegExp): string => {
    token.lastIndex = at;
    const found = token.exec(template)?.[0] ?? "";
    at += found.length;
    return found;
  };
  const lookUp = (variable: string): string | undefined =>
    Object.hasOwn(environment, variable) ? environment[variable] : undefined;

  /** `live` is false in the branch that is not taken, where nothing may be missing or refused. */
  const text = (live: boolean, inBraces: boolean): string => {
    let result = "";
    while (at < template.length) {
      const one = template.charAt(at);
      if (inBraces && one === "}") return result;
      at += 1;
      result += one === "$" ? variable(live) : one;
    }
    return inBraces ? fail(`"${template}" lacks a "}"`) : result;
  };

  const variable = (live: boolean): string => {
    const next = template.charAt(at);
    if (next === "$") {
      at += 1;
      return "$";
    }
    if (next === "{") {
      at += 1;
      const result = braced(live);
      at += 1;
      return result;
    }
    const found = take(name);
    if (found === "")
      return fail(`"$" in "${template}" names no variable: write "$$" for a dollar`);
    return plain(found, live);
  };

  const plain = (found: string, live: boolean): string => {
    const value = lookUp(found);
    if (value === undefined && live) unset.add(found);
    return value ?? "";
  };

  const braced = (live: boolean): string => {
    const found = take(name);
    const sign = take(operator);
    if (found === "" || (sign === "" && template.charAt(at) !== "}")) {
      return fail(`"${template}" has no variable of the form \${NAME}, \${NAME:-default} or alike`);
    }
    if (sign === "") return plain(found, live);
    const value = lookUp(found);
    const present = value !== undefined && !(sign.startsWith(":") && value === "");
    switch (sign.at(-1)) {
      case "-": {
        const fallback = text(live && !present, true);
        return present ? value : fallback;
      }
      case "+": {
        const replacement = text(live && present, true);
        return present ? replacement : "";
      }
      default: {
        const reason = text(live && !present, true);
        if (present || !live) return value ?? "";
        return fail(`variable "${found}" is required${reason === "" ? "" : `: ${reason}`}`);
      }
    }
  };

  const result = text(true, false);
  return failure === undefined
    ? { ok: true, text: result, unset: [...unset] }
    : { ok: false, message: failure };
}
