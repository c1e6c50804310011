/**
 * Ssh host: runs commands on a host over ssh, the program, with the user's own configuration.
 *
 * ssh must get in by a key, without a question. GAM_SSH names another program, with options.
 */
import { spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { GamError, rethrowInvariant } from "@gam/core";
import type { CommandIo } from "../agent/command-io.ts";
import { fileReason } from "../agent/input-file.ts";

const connectSeconds = 10;
/** Kept of what a command prints. */
const outputLengthMax = 1 << 20;

export class SshHost {
  readonly name: string;
  readonly #io: Pick<CommandIo, "environment">;

  constructor(name: string, io: Pick<CommandIo, "environment">) {
    this.name = name;
    this.#io = io;
  }

  /**
   * Runs a line of a shell there. `input` is its standard input, and nothing of that is in a process list.
   *
   * Returns: its standard output. Errors: UNREACHABLE, REFUSED with the last lines that it printed.
   */
  run(line: string, input: string | Readable = ""): Promise<string> {
    const { environment } = this.#io;
    const [program = "ssh", ...more] = (environment.GAM_SSH || "ssh").split(" ");
    const options = ["-o", "BatchMode=yes", "-o", `ConnectTimeout=${connectSeconds}`, "-T"];
    return new Promise((resolve, reject) => {
      const child = spawn(program, [...more, ...options, "--", this.name, line], {
        env: { ...environment },
        stdio: ["pipe", "pipe", "pipe"],
      });
      const said = { out: "", errors: "" };
      child.stdout.on("data", (piece: Buffer) => {
        said.out = (said.out + piece.toString()).slice(-outputLengthMax);
      });
      child.stderr.on("data", (piece: Buffer) => {
        said.errors = (said.errors + piece.toString()).slice(-outputLengthMax);
      });
      child.on("error", (cause) => {
        const message = `Cannot run ${program}: ${fileReason(cause)}. Install openssh-client`;
        reject(new GamError("NOT_SUPPORTED", message, { cause }));
      });
      child.on("close", (code) => {
        if (code === 0) return resolve(said.out);
        const last = lastLines(said.errors || said.out);
        const isSsh = code === 255;
        const what = isSsh ? "ssh does not get in" : `it ended with code ${code}`;
        reject(new GamError(isSsh ? "UNREACHABLE" : "REFUSED", `${what}: ${last}`));
      });
      // A command that ends early does not read all of it. Its exit code says why.
      child.stdin.on("error", () => undefined);
      if (typeof input === "string") child.stdin.end(input);
      else {
        input.on("error", (thrown) => {
          rethrowInvariant(thrown);
          child.kill();
        });
        input.pipe(child.stdin);
      }
    });
  }
}

function lastLines(text: string): string {
  return text.trim().split("\n").slice(-3).join(" / ") || "it printed nothing";
}
