/**
 * Lab command: reads the arguments of scripts/lab.
 *
 * Decides which arguments are valid, before anything is started or looked up. Does not decide whether
 * the lab is up or has the host.
 */
import { parseArgs } from "node:util";
import { numberDefault } from "./clusters/lab.ts";
import { hostsMax, numberMax } from "./hosts/lab-state.ts";

export const usage = `scripts/lab VERB [--lab NUMBER]     real hosts on this machine; needs root

  up [--hosts 3] [--agents] [--for MINUTES]   start a lab, and measure what the machine carries; it ends by itself
                                              after 240 minutes. --unmeasured: some 5 s sooner
  down                                        remove it, also half of one
  status                                      what is up, and what is wrong with the network
  kill HOST | start HOST                      power loss | power on, with the disk as it was
  cut HOST | heal HOST|all                    pull the cable | put it in, end splits and loss
  split 1,2 3,4,5                             groups that do not hear each other
  loss PERCENT [HOST]                         lose frames, of all or of one host
  freeze HOST | thaw HOST                     stop every process | let them go on
  agent HOST                                  start the host's agent
  exec HOST COMMAND…                          run a command in the host
  gam HOST ARGUMENTS…                         the gam command in the host
  docker HOST [--engine] ARGUMENTS…           the docker client at the agent, or at the engine
`;

/** Wrong arguments. The message says which, and what to do. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

export type LabCommand =
  | { readonly verb: "help" | "down" | "status"; readonly lab: number }
  | {
      readonly verb: "up";
      readonly lab: number;
      readonly hosts: number;
      readonly minutes: number;
      readonly agents: boolean;
      readonly measure: boolean;
    }
  | {
      readonly verb: "kill" | "start" | "cut" | "freeze" | "thaw" | "agent";
      readonly lab: number;
      readonly host: number;
    }
  | { readonly verb: "heal"; readonly lab: number; readonly host: number | "all" }
  | {
      readonly verb: "split";
      readonly lab: number;
      readonly groups: readonly (readonly number[])[];
    }
  | {
      readonly verb: "loss";
      readonly lab: number;
      readonly percent: number;
      /** Undefined for all hosts. */
      readonly host: number | undefined;
    }
  | {
      readonly verb: "exec" | "gam";
      readonly lab: number;
      readonly host: number;
      readonly words: readonly string[];
    }
  | {
      readonly verb: "docker";
      readonly lab: number;
      readonly host: number;
      /** Use the engine instead of the agent. */
      readonly engine: boolean;
      readonly words: readonly string[];
    };

const hostsDefault = 3;
const minutesDefault = 240;
const minutesMax = 7 * 24 * 60;
const remedy = "scripts/lab help shows the usage";

/** How many words may follow a verb. Other verbs check this themselves. */
const wordsMax: Readonly<Record<string, number>> = {
  help: 0,
  up: 0,
  down: 0,
  status: 0,
  kill: 1,
  start: 1,
  cut: 1,
  heal: 1,
  freeze: 1,
  thaw: 1,
  agent: 1,
  loss: 2,
};
/** After these verbs and a host comes a command, whose options are not ours. */
const passing = new Set(["exec", "gam", "docker"]);
const options = {
  lab: { type: "string" },
  hosts: { type: "string" },
  for: { type: "string" },
  agents: { type: "boolean" },
  unmeasured: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

/** Errors: UsageError. */
export function readLabCommand(argv: readonly string[]): LabCommand {
  const { own, rest } = cleave(argv);
  const { given, words: ownWords } = readWords(own);
  const lab = wholeOf(given.get("lab") ?? String(numberDefault), "--lab", numberMax);
  const [verb = "help", ...words] = ownWords;
  if (given.has("help")) return { lab, verb: "help" };
  const stray = ["hosts", "for", "agents", "unmeasured"].find((name) => given.has(name));
  if (stray !== undefined && verb !== "up") {
    throw new UsageError(`--${stray} is an option of "up", not of "${verb}"; ${remedy}`);
  }
  const [first, second] = words;
  const surplus = words[wordsMax[verb] ?? words.length];
  if (surplus !== undefined) {
    throw new UsageError(`unexpected word "${surplus}" after "${verb}"; ${remedy}`);
  }
  switch (verb) {
    case "help":
    case "down":
    case "status":
      return { lab, verb };
    case "up": {
      const hosts = wholeOf(given.get("hosts") ?? String(hostsDefault), "--hosts", hostsMax);
      const minutes = wholeOf(given.get("for") ?? String(minutesDefault), "--for", minutesMax);
      const [agents, measure] = [given.has("agents"), !given.has("unmeasured")];
      return { lab, verb, hosts, minutes, agents, measure };
    }
    case "kill":
    case "start":
    case "cut":
    case "freeze":
    case "thaw":
    case "agent":
      return { lab, verb, host: hostOf(first, verb) };
    case "heal":
      return { lab, verb, host: first === "all" ? "all" : hostOf(first, verb) };
    case "split": {
      if (first === undefined) throw new UsageError(`split wants groups of hosts; ${remedy}`);
      const groups = words.map((group) => group.split(",").map((host) => hostOf(host, verb)));
      return { lab, verb, groups };
    }
    case "loss": {
      const percent = percentOf(first);
      return { lab, verb, percent, host: second === undefined ? second : hostOf(second, verb) };
    }
    case "exec":
    case "gam": {
      const host = hostOf(first, verb);
      if (verb === "exec" && rest.length === 0) {
        throw new UsageError(`exec wants a command after the host; ${remedy}`);
      }
      return { lab, verb, host, words: rest };
    }
    case "docker": {
      const engine = rest[0] === "--engine";
      return { lab, verb, host: hostOf(first, verb), engine, words: rest.slice(engine ? 1 : 0) };
    }
    default:
      throw new UsageError(`unknown verb "${verb}"; scripts/lab help lists the verbs`);
  }
}

interface Words {
  /** Options by name. The value is empty for an option without one. */
  readonly given: ReadonlyMap<string, string>;
  readonly words: readonly string[];
}

function readWords(args: string[]): Words {
  const given = new Map<string, string>();
  const words: string[] = [];
  for (const token of parseArgs({ args, options, strict: false, tokens: true }).tokens) {
    if (token.kind === "positional") words.push(token.value);
    if (token.kind !== "option") continue;
    if (!Object.hasOwn(options, token.name)) {
      throw new UsageError(`unknown option "${token.rawName}"; ${remedy}`);
    }
    const isSwitch = options[token.name as keyof typeof options].type === "boolean";
    if (isSwitch && token.value !== undefined) {
      throw new UsageError(`${token.rawName} takes no value, found "${token.value}"; ${remedy}`);
    }
    given.set(token.name, token.value ?? "");
  }
  return { given, words };
}

/** Splits the arguments: all up to the host are ours, the rest is the command to run there. */
function cleave(argv: readonly string[]): { readonly own: string[]; readonly rest: string[] } {
  const verb = argv.findIndex((word) => passing.has(word));
  if (verb === -1) return { own: [...argv], rest: [] };
  let host = verb + 1;
  while (argv[host]?.startsWith("--lab") === true) host += argv[host] === "--lab" ? 2 : 1;
  return { own: argv.slice(0, host + 1), rest: argv.slice(host + 1) };
}

/** A whole number from 1 to `max`. */
function wholeOf(word: string, what: string, max: number): number {
  const number = /^[1-9]\d{0,8}$/.test(word) ? Number(word) : Number.NaN;
  if (number <= max) return number;
  throw new UsageError(`${what} wants a whole number from 1 to ${max}, found "${word}"; ${remedy}`);
}

/** The number of a host, written with or without "host" before it. */
function hostOf(word: string | undefined, verb: string): number {
  if (word === undefined) throw new UsageError(`${verb} wants a host; ${remedy}`);
  const number = Number(/^(?:host)?([1-9]\d?)$/.exec(word)?.[1]);
  if (number <= hostsMax) return number;
  throw new UsageError(
    `${verb} wants a host, such as 2 or host2, from 1 to ${hostsMax}, found "${word}"; ${remedy}`,
  );
}

function percentOf(word: string | undefined): number {
  const number = /^\d{1,3}(?:\.\d+)?$/.test(word ?? "") ? Number(word) : Number.NaN;
  if (number <= 100) return number;
  throw new UsageError(`loss wants a percentage from 0 to 100, found "${word ?? ""}"; ${remedy}`);
}
