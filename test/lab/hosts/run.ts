/**
 * Run: one command, its output and its end.
 *
 * Decides when to stop waiting. Does not decide whether a code is a failure: `run` returns the code,
 * `must` throws an error that names the command.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { LabError } from "./lab-error.ts";

export interface RunOptions {
  /** The command's whole environment, not an addition to ours. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** The command's standard input, which is closed after it. */
  readonly input?: string | Uint8Array;
  /** After this time the command and its children are killed. Default: 5 minutes, so that no wait is endless. */
  readonly timeoutMs?: number;
}

export interface RunResult {
  /** Exit code; 124 after a timeout, 128 + number after a signal. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const timeoutMsDefault = 300_000;
const timedOutCode = 124;
const signalCode = 128;

/** Errors: LabError when the command cannot be started. A code other than 0 is not an error. */
export function run(
  file: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    // A process group of its own, so that nsenter's child in the host is killed with nsenter.
    const child = spawn(file, args, { env: options.env, cwd: options.cwd, detached: true });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    const settle = (code: number): void => {
      clearTimeout(timer);
      resolve({
        code,
        stdout: Buffer.concat(out).toString(),
        stderr: Buffer.concat(err).toString(),
      });
    };
    const timer = setTimeout(() => {
      killGroup(child);
      // A frozen process dies only when it is thawed. Do not wait for that.
      child.stdout.destroy();
      child.stderr.destroy();
      child.unref();
      settle(timedOutCode);
    }, options.timeoutMs ?? timeoutMsDefault);
    child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
    child.stdin.on("error", () => child.stdin.destroy()); // The command did not read its input.
    child.stdin.end(options.input);
    child.on("error", (cause) => {
      clearTimeout(timer);
      reject(new LabError(`Cannot run "${file}": ${cause.message}`, { cause }));
    });
    child.on("close", (code, signal) => settle(code ?? (signal === null ? 1 : signalCode)));
  });
}

/** Errors: LabError with the command and its output, for any code other than 0. */
export async function must(
  file: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const { code, stdout, stderr } = await run(file, args, options);
  if (code === 0) return stdout;
  const said = (stderr.trim() || stdout.trim() || "nothing").slice(-800);
  throw new LabError(`Cannot run "${[file, ...args].join(" ")}": code ${code}, output: ${said}`);
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "ESRCH")) throw cause;
  }
}
