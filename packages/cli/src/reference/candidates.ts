/**
 * Candidates: what can stand at the cursor of a command line, read from the commands themselves.
 *
 * Pure: it says that names of services are wanted, not which services there are.
 */
import type { Argument, Command, Option } from "commander";

/** Names that only the cluster knows. */
export type LiveKind = "service" | "host" | "volume" | "stack";

const saidAs: readonly (readonly [LiveKind, RegExp])[] = [
  ["service", /\bservices?\b/],
  ["host", /\b(?:host|node)s?\b/],
  ["volume", /\bvolumes?\b/],
  ["stack", /\bstacks?\b/],
];

export interface CompletionWord {
  readonly word: string;
  readonly about: string;
}

export interface Candidates {
  /** Only those that begin with what is typed. */
  readonly words: readonly CompletionWord[];
  /** Whose names to add. */
  readonly live: readonly LiveKind[];
  /** What the names must begin with. */
  readonly typed: string;
  /** What comes before each name: "--from=" */
  readonly before: string;
  /** Whether the shell completes names of files. */
  readonly files: boolean;
}

/** `given` are the words after "gam"; the last one is at the cursor and may be empty. */
export function candidatesFor(program: Command, given: readonly string[]): Candidates {
  const words = rejoined(given);
  const typed = words.at(-1) ?? "";
  const { command, position, wants, plain } = placeOf(program, words.slice(0, -1));
  if (wants !== undefined) return valuesOf(wants, typed, "");
  const equals = typed.indexOf("=");
  if (!plain && typed.startsWith("--") && equals > 0) {
    const option = optionsOf(command).find(({ long }) => long === typed.slice(0, equals));
    if (option === undefined || isSwitch(option)) return chosen(typed, []);
    return valuesOf(option, typed.slice(equals + 1), typed.slice(0, equals + 1));
  }
  if (!plain && typed.startsWith("-")) {
    const words = optionsOf(command).flatMap(({ long, short, description }) => {
      const word = long ?? short;
      return word === undefined ? [] : [{ word, about: description }];
    });
    return chosen(typed, words);
  }
  if (position === 0 && command.commands.length > 0) {
    const shown = command.createHelp().visibleCommands(command);
    return chosen(
      typed,
      shown.map((one) => ({ word: one.name(), about: one.description() })),
    );
  }
  const all = command.registeredArguments;
  const argument = all[position] ?? (all.at(-1)?.variadic === true ? all.at(-1) : undefined);
  return argument === undefined ? chosen(typed, []) : valuesOf(argument, typed, "");
}

/** bash gives "--from", "=" and "host1" for "--from=host1". */
function rejoined(words: readonly string[]): string[] {
  const joined: string[] = [];
  for (const [at, word] of words.entries()) {
    const last = joined.at(-1);
    const continues = word === "=" || words[at - 1] === "=";
    if (continues && last?.startsWith("--")) joined[joined.length - 1] = last + word;
    else joined.push(word);
  }
  return joined;
}

interface Place {
  readonly command: Command;
  /** How many arguments of the command come before the cursor. */
  readonly position: number;
  /** The option whose value stands at the cursor. */
  readonly wants: Option | undefined;
  /** Whether "--" came before: what follows are no options. */
  readonly plain: boolean;
}

function placeOf(program: Command, before: readonly string[]): Place {
  let command = program;
  let position = 0;
  let wants: Option | undefined;
  let plain = false;
  for (const word of before) {
    if (wants !== undefined) {
      wants = undefined;
    } else if (!plain && word === "--") {
      plain = true;
    } else if (!plain && word.startsWith("-") && word !== "-") {
      const option = optionsOf(command).find(({ long, short }) => word === long || word === short);
      if (option?.required === true) wants = option;
    } else {
      const inner = command.commands.find((one) => namesOf(one).includes(word));
      if (inner !== undefined && position === 0) command = inner;
      else position += 1;
    }
  }
  return { command, position, wants, plain };
}

function namesOf(command: Command): string[] {
  return [command.name(), ...command.aliases()];
}

/** Those of the command and of the commands around it. */
function optionsOf(command: Command): Option[] {
  const own = command.createHelp().visibleOptions(command);
  return command.parent === null ? own : [...own, ...outerOptions(command.parent)];
}

function outerOptions(command: Command): Option[] {
  return optionsOf(command).filter(({ long }) => long !== "--help" && long !== "--version");
}

function isSwitch({ required, optional }: Option): boolean {
  return !required && !optional;
}

function valuesOf(of: Argument | Option, typed: string, before: string): Candidates {
  const choices = of.argChoices ?? [];
  if (choices.length > 0) {
    const words = choices.map((choice) => ({ word: `${before}${choice}`, about: "" }));
    return chosen(`${before}${typed}`, words);
  }
  // What help calls the value: "file" of "--compose-file <file>".
  const called = "flags" in of ? (/[<[](\w+)/.exec(of.flags)?.[1] ?? "") : of.name();
  const files = /^(?:file|path|folder)s?$/.test(called);
  // The text of an option says what it does, that of an argument what it is.
  const text = "flags" in of ? called : `${called} ${of.description}`;
  const found = files ? [] : saidAs.filter(([, said]) => said.test(text));
  const live = found
    .sort(([, one], [, other]) => text.search(one) - text.search(other))
    .map(([kind]) => kind);
  // Of "name of the volume, on the host" the first is meant, of "a service or a node" both.
  const all = /\bor an? /.test(text) ? live : live.slice(0, 1);
  return { words: [], live: all, typed, before, files };
}

function chosen(typed: string, words: readonly CompletionWord[]): Candidates {
  const fitting = words.filter(({ word }) => word.startsWith(typed));
  return { words: fitting, live: [], typed, before: "", files: false };
}
