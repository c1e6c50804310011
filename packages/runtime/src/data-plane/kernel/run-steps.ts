/** Run steps: runs one batch of `ip`, then one of `bridge`. A line that fails stops no other. */
import { CommandFailed, type Run } from "./command.ts";
import type { LinkStep } from "./link-steps.ts";

/** Errors: CommandFailed, with the first lines that failed. */
export async function runSteps(run: Run, steps: readonly LinkStep[]): Promise<void> {
  let failure: unknown;
  for (const program of ["ip", "bridge"] as const) {
    const lines = steps.filter((step) => step.program === program).map(({ line }) => line);
    if (lines.length === 0) continue;
    try {
      await run(program, ["-force", "-batch", "-"], { input: `${lines.join("\n")}\n` });
    } catch (thrown) {
      if (!(thrown instanceof CommandFailed)) throw thrown;
      failure ??= named(thrown, lines);
    }
  }
  if (failure !== undefined) throw failure;
}

/** Puts the failed line into the error: the programs give only its number. */
function named({ program, missing, stderr, message }: CommandFailed, lines: string[]): Error {
  const told = stderr.replace(
    /Command failed -:(\d+)/g,
    (_, number) => `in "${lines[Number(number) - 1]}"`,
  );
  return new CommandFailed(program, { missing, stderr: told, reason: message });
}
