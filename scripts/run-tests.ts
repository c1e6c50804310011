/** Runs Node's test runner on the named files, in its own process. */
import { spawn } from "node:child_process";
import { once } from "node:events";

/** An argument on the command line is wrong. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Returns the runner's exit code; 1 when a signal ended it. */
export async function runTests({
  files,
  name,
}: {
  readonly files: readonly string[];
  /** A regular expression: only tests whose names match run. */
  readonly name?: string | undefined;
}): Promise<number> {
  const only = name === undefined ? [] : [`--test-name-pattern=${name}`];
  const child = spawn(process.execPath, ["--test", ...only, ...files], { stdio: "inherit" });
  const [code] = await once(child, "exit");
  return typeof code === "number" ? code : 1;
}
