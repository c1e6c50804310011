/**
 * Env file: parses lines of `NAME=value`, like `docker run --env-file`.
 *
 * Values are literal: quotes and variables have no meaning. A name alone takes its value from the
 * environment, and is left out if the environment has none.
 */
import type { Environment } from "../reading/interpolate.ts";

export type EnvFile =
  | { readonly ok: true; readonly values: Readonly<Record<string, string>> }
  | { readonly ok: false; readonly line: number; readonly message: string };

export function parseEnvFile(text: string, environment: Environment): EnvFile {
  const values: Record<string, string> = {};
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  for (const [index, raw] of lines.entries()) {
    const line = raw.trimStart();
    if (line === "" || line.startsWith("#")) continue;
    const cut = line.indexOf("=");
    const name = cut < 0 ? line : line.slice(0, cut);
    if (name === "" || /[ \t]/.test(name)) {
      return {
        ok: false,
        line: index + 1,
        message: `found "${name}": write NAME=value, with a name without blanks`,
      };
    }
    if (cut >= 0) values[name] = line.slice(cut + 1);
    else if (Object.hasOwn(environment, name)) values[name] = environment[name] ?? "";
  }
  return { ok: true, values };
}
