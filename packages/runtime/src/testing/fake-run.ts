/** Fake run: replaces the host's programs in tests. Answers by the beginning of the command. */
import { CommandFailed, type CommandOptions, type Run } from "../data-plane/kernel/command.ts";

/** A program's output, or how it fails: `missing`, or its standard error. */
export type ProgramResult = string | { readonly missing: true } | { readonly stderr: string };

export class FakeRun {
  /** Every command with its input, in order. */
  readonly log: string[] = [];
  readonly answers = new Map<string, ProgramResult>();

  /** An unknown command outputs nothing. The longest matching beginning wins. */
  readonly run: Run = async (program, args, { input }: CommandOptions = {}) => {
    const command = [program, ...args].join(" ");
    this.log.push(input === undefined ? command : `${command}\n${input}`);
    const known = [...this.answers].filter(([beginning]) => command.startsWith(beginning));
    const [, answer = ""] = known.sort(([a], [b]) => b.length - a.length)[0] ?? [];
    if (typeof answer === "string") return answer;
    const stderr = "stderr" in answer ? answer.stderr : "";
    const missing = "missing" in answer;
    throw new CommandFailed(program, { missing, stderr, reason: "it is not installed" });
  };
}
