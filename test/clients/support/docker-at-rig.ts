/** DockerAtRig: the real docker client against the API, with a fake cluster and a fake engine behind it. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Rig } from "@gam/api/testing";
import { json } from "@gam/engine/testing";
import { type Ran, runProgram } from "./run-program.ts";

const commandMsMax = 30_000;
const peers = 3;

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
    const all = ["--config", this.folder, "-H", `unix://${on.socketPath}`, ...args];
    return runProgram("docker", all, { input, withinMs: commandMsMax });
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
