/** Command: runs a program of the host without a shell, within a time limit. */
import { spawn } from "node:child_process";

export interface CommandOptions {
  /** The program's standard input. */
  readonly input?: string;
  readonly limitMs?: number;
}

/** Returns: the program's standard output. Errors: CommandFailed. */
export type Run = (
  program: string,
  args: readonly string[],
  options?: CommandOptions,
) => Promise<string>;

/** `message` has the first lines of the program's error output; `stderr` has all of it. */
export class CommandFailed extends Error {
  override readonly name = "CommandFailed";
  readonly program: string;
  /** The program is not installed. */
  readonly missing: boolean;
  readonly stderr: string;

  constructor(program: string, found: { missing: boolean; stderr: string; reason: string }) {
    const said = found.stderr.trim().split("\n").slice(0, 3).join("; ").slice(0, 300);
    super(`Cannot run ${program}: ${said || found.reason}`);
    this.program = program;
    this.missing = found.missing;
    this.stderr = found.stderr;
  }
}

const limitMsDefault = 10_000;
const outputMax = 64 << 20;
/** The PATH of a service often lacks the sbin directories. */
const path = `${process.env.PATH ?? ""}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin`;

export const commandEnvironment: NodeJS.ProcessEnv = { ...process.env, PATH: path, LC_ALL: "C" };

export const runCommand: Run = (program, args, { input = "", limitMs = limitMsDefault } = {}) =>
  new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ["pipe", "pipe", "pipe"],
      env: commandEnvironment,
      timeout: limitMs,
      killSignal: "SIGKILL",
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let size = 0;
    const keep = (list: Buffer[]) => (chunk: Buffer) => {
      size += chunk.length;
      if (size <= outputMax) list.push(chunk);
      else child.kill("SIGKILL");
    };
    child.stdout.on("data", keep(out));
    child.stderr.on("data", keep(err));
    const fail = (reason: string, missing = false): void => {
      reject(
        new CommandFailed(program, { missing, reason, stderr: Buffer.concat(err).toString() }),
      );
    };
    child.once("error", (thrown: NodeJS.ErrnoException) => {
      if (thrown.code === "ENOENT") fail("it is not installed", true);
      else fail(thrown.message);
    });
    child.once("close", (status, signal) => {
      if (status === 0) resolve(Buffer.concat(out).toString());
      else fail(signal === null ? `it ended with status ${status}` : "it took too long");
    });
    // Ignored: when a program ends without reading its input, its status says what happened.
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
  });
