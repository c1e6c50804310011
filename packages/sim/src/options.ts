/**
 * Options: the words of the simulator's command line, read and checked before anything runs.
 */
import { parseArgs } from "node:util";
import { type FaultName, planted } from "./hosts/faults.ts";
import type { Filter } from "./story/teller.ts";

export const usage = `npm run sim -- [--seed N | --seeds N] [--fault NAME] [--storm SECONDS]
                [--only NAME,…] [--from TIME] [--hosts NAME,…]

  --seed N          one history, line by line
  --seeds N         the histories 1 to N, on all cores, with totals (default 100)
  --fault NAME      with one of the planted faults (packages/sim/README.md)
  --storm SECONDS   length of the storm in virtual time (default 30)

With --seed, only some lines of the story:

  --only NAME,…     about these services, networks or nodes, or one of the groups
                    mishaps, peers, nodes, services, networks, cluster
  --from TIME       from this moment of virtual time on, such as 25s or 1500ms
  --hosts NAME,…    about these hosts, such as host1,host5

Exit codes: 0, all passed; 1, a history failed; 2, bad options.`;

/** An option is wrong. The message says what was expected, and what was found. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

export interface SimRun {
  readonly fault: FaultName | undefined;
  readonly stormMs: number;
}

export type SimCommand =
  | { readonly kind: "help" }
  | ({ readonly kind: "one"; readonly seed: number; readonly filter: Filter } & SimRun)
  | ({ readonly kind: "many"; readonly seeds: number } & SimRun);

const stormSecondsDefault = 30;
/** About a day of computing. */
const seedsMax = 1_000_000;
/** A day of virtual time. */
const stormSecondsMax = 86_400;
const seedMax = 2 ** 31 - 1;

export function readCommand(args: readonly string[]): SimCommand {
  const values = parseOptions(args, texts);
  if (values.help) return { kind: "help" };
  const fault = values.fault === undefined ? undefined : readFault(values.fault);
  const stormSeconds = wholeNumber("storm", values.storm, stormSecondsMax) ?? stormSecondsDefault;
  const run = { fault, stormMs: stormSeconds * 1000 };
  const seed = wholeNumber("seed", values.seed, seedMax);
  const seeds = wholeNumber("seeds", values.seeds, seedsMax);
  if (seed !== undefined && seeds !== undefined) {
    throw new UsageError("--seed runs one history and --seeds runs many: leave out one of them");
  }
  const filter = readFilter(values);
  if (seed !== undefined) return { kind: "one", seed, filter, ...run };
  const needing = (["only", "from", "hosts"] as const).find((name) => values[name] !== undefined);
  if (needing !== undefined)
    throw new UsageError(`--${needing} needs --seed: it filters the lines of one history`);
  return { kind: "many", seeds: seeds ?? 100, ...run };
}

/** The command that runs this seed again, with all its lines. */
export function commandFor(seed: number, { fault, stormMs }: SimRun): string {
  const planting = fault === undefined ? "" : ` --fault "${fault}"`;
  const storm = stormMs === stormSecondsDefault * 1000 ? "" : ` --storm ${stormMs / 1000}`;
  return `npm run sim -- --seed ${seed}${planting}${storm}`;
}

interface Values {
  readonly help?: boolean | undefined;
  readonly seed?: string | undefined;
  readonly seeds?: string | undefined;
  readonly fault?: string | undefined;
  readonly storm?: string | undefined;
  readonly only?: string | undefined;
  readonly from?: string | undefined;
  readonly hosts?: string | undefined;
}

const texts = ["seed", "seeds", "fault", "storm", "only", "from", "hosts"] as const;

/**
 * Returns: the values of a command's options. All but --help want one.
 *
 * Errors: UsageError for an unknown option, a word beside the options, and a missing value.
 */
export function parseOptions<Name extends string>(
  args: readonly string[],
  names: readonly Name[],
): { readonly [key in Name]?: string | undefined } & { readonly help?: boolean | undefined } {
  const options = {
    help: { type: "boolean", short: "h" },
    ...Object.fromEntries(names.map((name) => [name, { type: "string" }] as const)),
  } as const;
  // Not strict: Node's own messages do not fit this command.
  const { tokens, values } = parseArgs({ args: [...args], options, tokens: true, strict: false });
  for (const token of tokens) {
    if (token.kind === "positional") throw new UsageError(`unexpected word "${token.value}"`);
    if (token.kind !== "option") continue;
    if (!Object.hasOwn(options, token.name)) {
      throw new UsageError(`unknown option "${token.rawName}"`);
    }
    const isText = token.name !== "help";
    if (isText && token.value === undefined) throw new UsageError(`--${token.name} wants a value`);
    if (!isText && token.value !== undefined) {
      throw new UsageError(`--help takes no value, found "${token.value}"`);
    }
  }
  return values as ReturnType<typeof parseOptions<Name>>;
}

/** Errors: UsageError unless the value is absent or a whole number from 1 to `max`. */
export function wholeNumber(
  name: string,
  value: string | undefined,
  max: number,
): number | undefined {
  if (value === undefined) return undefined;
  const number = Number(value);
  if (/^[1-9]\d*$/.test(value) && number <= max) return number;
  throw new UsageError(`--${name} wants a whole number from 1 to ${max}, found "${value}"`);
}

function readFault(name: string): FaultName {
  if (Object.hasOwn(planted, name)) return name as FaultName;
  const known = Object.keys(planted).map((one) => `\n  "${one}"`);
  throw new UsageError(`--fault wants one of${known.join("")}\nfound "${name}"`);
}

function readFilter({ only, from, hosts }: Values): Filter {
  const names = hosts === undefined ? undefined : list("hosts", hosts, "hosts such as host1,host5");
  const stranger = names?.find((name) => !/^host[1-9]\d*$/.test(name));
  if (stranger !== undefined) {
    throw new UsageError(`--hosts wants hosts such as host1,host5, found "${stranger}"`);
  }
  return {
    fromMs: from === undefined ? undefined : readTime(from),
    only: only === undefined ? undefined : list("only", only, "names such as web,mishaps"),
    hosts: names,
  };
}

function list(name: string, value: string, wanted: string): string[] {
  const words = value.split(",");
  if (words.includes("")) throw new UsageError(`--${name} wants ${wanted}, found "${value}"`);
  return words;
}

function readTime(value: string): number {
  const [, number = "", unit = ""] = /^(\d+(?:\.\d+)?)(ms|s)$/.exec(value) ?? [];
  if (unit === "")
    throw new UsageError(`--from wants a time such as 25s or 1500ms, found "${value}"`);
  return Number(number) * (unit === "s" ? 1000 : 1);
}
