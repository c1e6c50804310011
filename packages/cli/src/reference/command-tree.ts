/**
 * Command tree: the commands as plain data, for the manual page and docs/commands.md, so that neither says what the
 * program does not do.
 */
import type { Command } from "commander";

export interface CommandText {
  /** "gam volume move" */
  readonly path: string;
  readonly aliases: readonly string[];
  /** "<name> <host>" */
  readonly takes: string;
  readonly about: string;
  readonly values: readonly Line[];
  readonly options: readonly Line[];
}

export interface Line {
  readonly term: string;
  readonly about: string;
}

/** All commands that do something, in the order of the help. The options of all of them come first, as "gam". */
export function commandTexts(program: Command): CommandText[] {
  return [textOf(program, program.name()), ...inner(program, program.name())];
}

function inner(command: Command, path: string): CommandText[] {
  const shown = command.createHelp().visibleCommands(command);
  return shown.flatMap((one) => {
    if (one.name() === "help") return [];
    const whole = `${path} ${one.name()}`;
    const below = inner(one, whole);
    // A group without a meaning of its own is only a part of the names.
    const acts = below.length === 0 || one.usage() !== "[options] [command]";
    return acts ? [textOf(one, whole), ...below] : below;
  });
}

function textOf(command: Command, path: string): CommandText {
  const help = command.createHelp();
  const values = help.visibleArguments(command).map((one) => {
    return { term: one.name(), about: help.argumentDescription(one) };
  });
  const options = help.visibleOptions(command).flatMap((one) => {
    const isHelp = one.long === "--help";
    return isHelp && command.parent !== null
      ? []
      : [{ term: one.flags, about: help.optionDescription(one) }];
  });
  const takes = command.registeredArguments.map((one) => {
    const name = `${one.name()}${one.variadic ? "..." : ""}`;
    return one.required ? `<${name}>` : `[${name}]`;
  });
  return {
    path,
    aliases: command.aliases(),
    takes: takes.join(" "),
    about: command.description(),
    values,
    options,
  };
}
