/** Fake run: stands for the host's programs in tests. Answers by what a command begins with. */
import { CommandFailed, type CommandOptions, type Run } from "../data-plane/kernel/command.ts";

/** What a program says, or how it fails: `missing`, or its standard error. */
export type ProgramResult = string | { readonly missing: true } | { readonly stderr: string };

export class FakeRun {
  /** Every command with its input, in order. */
  readonly log: string[] = [];
  readonly answers = new Map<string, ProgramResult>();

  /** A command that nothing is known of says nothing. The longest beginning counts. */
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
