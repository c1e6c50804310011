/** Runs a command on a host. A failure ends the test. */
import type { Host } from "../hosts/host.ts";
import { LabError } from "../hosts/lab-error.ts";

/** `input`: standard input. Errors: LabError with the command and its output. */
export async function mustRun(host: Host, words: readonly string[], input = ""): Promise<void> {
  const { code, stdout, stderr } = await host.exec(words, { input });
  if (code === 0) return;
  const said = stderr.trim() || stdout.trim();
  throw new LabError(
    `Cannot run "${words.join(" ")}" at ${host.name}: code ${code}, output: ${said}`,
  );
}
