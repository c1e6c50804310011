/** Runs a program of a client. Resolves also when it fails, or is killed because it takes too long. */
import { execFile } from "node:child_process";

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface ProgramOptions {
  /** Standard input. */
  readonly input?: string;
  readonly withinMs: number;
  /** Added to this process's environment. */
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string | undefined;
}

const outputBytesMax = 1 << 26;

export function runProgram(
  program: string,
  args: readonly string[],
  { input = "", withinMs, env = {}, cwd }: ProgramOptions,
): Promise<Ran> {
  return new Promise((settle) => {
    const guard = {
      timeout: withinMs,
      // `docker run` passes SIGTERM on to its container and keeps running.
      killSignal: "SIGKILL",
      env: { ...process.env, ...env },
      cwd,
      maxBuffer: outputBytesMax,
    } as const;
    const child = execFile(program, args, guard, (failure, out, err) => {
      const late = failure?.killed === true ? `killed after ${withinMs} ms` : "";
      settle({ code: failure === null ? 0 : Number(failure.code ?? 1), out, err: err + late });
    });
    child.stdin?.end(input);
  });
}
