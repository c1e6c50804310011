/** Options of a bench on the command line: `--name VALUE`, each with a default, and `--check`. */
import { parseArgs } from "node:util";

const usageCode = 2;

/**
 * Returns: the given options, with defaults for the others. An option is a number if its default is one.
 * Every bench takes `--check`, which figures.ts reads.
 * Errors: ends the process with code 2 on an unknown option, or on a value that should be a number.
 */
export function benchOptions<T extends Readonly<Record<string, number | string>>>(
  defaults: T,
): { readonly [K in keyof T]: T[K] extends number ? number : string } {
  const described = Object.keys(defaults).map((name) => [name, { type: "string" }] as const);
  const options = { ...Object.fromEntries(described), check: { type: "boolean" } as const };
  const given: Record<string, number | string> = { ...defaults };
  try {
    for (const [name, value] of Object.entries(parseArgs({ options }).values)) {
      if (name === "check") continue;
      given[name] = typeof defaults[name] === "number" ? numberOf(name, value) : String(value);
    }
  } catch (thrown) {
    if (!(thrown instanceof TypeError)) throw thrown;
    const known = Object.entries(defaults).map(([name, value]) => `--${name} ${value}`);
    process.stderr.write(`${thrown.message}\nKnown options: ${known.join(" ")} --check\n`);
    process.exit(usageCode);
  }
  return given as { [K in keyof T]: T[K] extends number ? number : string };
}

function numberOf(name: string, value: unknown): number {
  const number = Number(value);
  if (value === "" || !Number.isFinite(number)) {
    throw new TypeError(`Cannot take "--${name} ${value}": it is not a number`);
  }
  return number;
}
