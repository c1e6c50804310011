/** DockerAtRig: the real docker client against the API, with a fake cluster and a fake engine behind it. */
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Rig } from "@gam/api/testing";
import { json } from "@gam/engine/testing";

const commandMsMax = 30_000;
const peers = 3;

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Why these tests cannot run here; `false` if they can. */
export function missingDocker(): string | false {
  try {
    execFileSync("docker", ["--version"], { stdio: "ignore" });
    return false;
  } catch {
    return "there is no docker client on this machine";
  }
}

export class DockerAtRig {
  readonly rig: Rig;
  /** The client's configuration; also for files of the test. */
  readonly folder: string;

  private constructor(rig: Rig, folder: string) {
    this.rig = rig;
    this.folder = folder;
  }

  static async start(): Promise<DockerAtRig> {
    const folder = mkdtempSync(join(tmpdir(), "gam-clients-"));
    const rig = await Rig.start(peers);
    rig.engine.on("GET /distribution/tiny:1/json", (_call, answer) =>
      json(answer, {
        Descriptor: { digest: `sha256:${"4".repeat(64)}`, size: 527 },
        Platforms: [{ architecture: "amd64", os: "linux" }],
      }),
    );
    return new DockerAtRig(rig, folder);
  }

  async stop(): Promise<void> {
    await this.rig.stop();
    rmSync(this.folder, { recursive: true });
  }

  /** Runs the client against `on`; `input` is its standard input. */
  docker(args: readonly string[], input = "", on: Rig = this.rig): Promise<Ran> {
    return new Promise((settle) => {
      const all = ["--config", this.folder, "-H", `unix://${on.socketPath}`, ...args];
      // `docker run` passes SIGTERM on to its container and keeps running.
      const guard = { timeout: commandMsMax, killSignal: "SIGKILL" } as const;
      const child = execFile("docker", all, guard, (failure, out, err) => {
        const late = failure?.killed === true ? `killed after ${commandMsMax} ms` : "";
        settle({ code: failure === null ? 0 : Number(failure.code ?? 1), out, err: err + late });
      });
      child.stdin?.end(input);
    });
  }

  /** The output of a command that must succeed. */
  async run(...args: readonly string[]): Promise<string> {
    const { code, out, err } = await this.docker(args);
    assert.equal(code, 0, `docker ${args.join(" ")}: ${err}`);
    return out.trim();
  }

  /** The error output of a command that must fail. */
  async fails(...args: readonly string[]): Promise<string> {
    const { code, err, out } = await this.docker(args);
    assert.notEqual(code, 0, `docker ${args.join(" ")} printed ${out}`);
    return err.trim();
  }
}
