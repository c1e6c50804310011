/**
 * Installer: starts the installation of a kept package, and says how the last one went.
 *
 * The work is done by upgrade.sh of the package that runs now. It is a process that outlives this agent, since it
 * ends the agent and starts the new one. A lock tells whether it still runs.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { GamError } from "@gam/core";
import { replaceFile } from "@gam/files";
import type { GamPackage, HostGam, InstallEnd } from "@gam/state/answers";
import { isLocked } from "../disk/lock.ts";
import type { OwnPackage } from "./own-package.ts";
import type { PackageStore } from "./package-store.ts";

/** There is a transient unit of this name while something is installed, where there is systemd. */
const unit = "gam-upgrade";
const linesMax = 20;
const lineLengthMax = 400;

export interface InstallerParts {
  readonly own: OwnPackage;
  readonly store: PackageStore;
  /** The agent's own socket, at which the new agent must answer. */
  readonly socket: string;
  /** Whether systemd runs this host's services. */
  readonly hasSystemd: boolean;
}

export class Installer {
  readonly #parts: InstallerParts;

  constructor(parts: InstallerParts) {
    this.#parts = parts;
  }

  /** Returns: what is being installed, and how the last installation ended. */
  async state(): Promise<Pick<HostGam, "installing" | "last">> {
    const { store } = this.#parts;
    const [run, result] = [await store.text("run"), await store.text("result")];
    if (await isLocked(join(store.folder, "lock"))) return { installing: run, last: null };
    const [sha256 = "", end] = result.split(" ");
    if (run === "") return { installing: "", last: null };
    // Without a result the power failed, or somebody ended it.
    const known = sha256 === run ? (end as InstallEnd) : "stuck";
    const printed = await this.#printed();
    return { installing: "", last: { sha256: run, end: known, printed } };
  }

  /**
   * Resolves when the installation has begun. Does nothing while that package is being installed.
   *
   * Errors: IN_USE while another package is installed; NOT_SUPPORTED where gam came by no package, for another
   *         machine or kind, and for a package that does not read the log; ENGINE_FAILED, NOT_FOUND.
   */
  async begin({ sha256, name, version }: GamPackage, back: boolean): Promise<void> {
    const { own, store, socket, hasSystemd } = this.#parts;
    const { installing } = await this.state();
    if (installing === sha256) return;
    if (installing !== "") {
      throw new GamError("IN_USE", `Cannot install ${name}: another package is being installed`);
    }
    const tools = join(store.folder, "tools");
    await mkdir(tools, { recursive: true, mode: 0o700 });
    // Copies, because the installation replaces the package's own.
    for (const tool of ["install.sh", "upgrade.sh"]) {
      await replaceFile(join(tools, tool), await readFile(join(own.root, tool)));
    }
    const program = join(own.root, "bin/gam");
    const words = [
      ...[join(tools, "upgrade.sh"), store.folder, sha256, version, String(process.pid)],
      ...[back ? "1" : "0", program, socket, ...own.args],
    ];
    if (!hasSystemd) return await startDetached(["sh", ...words]);
    const environment = Object.entries(process.env).filter(([key]) => key.startsWith("GAM_"));
    await startUnit([
      ...environment.map(([key, value]) => `--setenv=${key}=${value}`),
      ...["--", "/bin/sh", ...words],
    ]);
  }

  async #printed(): Promise<string> {
    const { store } = this.#parts;
    const lines = (await store.text("log")).split("\n").slice(-linesMax);
    return lines.map((line) => line.slice(0, lineLengthMax)).join("\n");
  }
}

async function startDetached([file = "", ...args]: readonly string[]): Promise<void> {
  const child = spawn(file, args, { detached: true, stdio: "ignore", cwd: "/" });
  await once(child, "spawn");
  child.unref();
}

/** A unit, because the service manager may end the other processes of the agent's own. */
async function startUnit(words: readonly string[]): Promise<void> {
  const child = spawn("systemd-run", [`--unit=${unit}`, "--collect", "--quiet", ...words], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (piece: Buffer) => {
    said = (said + piece.toString()).slice(-lineLengthMax);
  });
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0)
    throw new GamError("REFUSED", `Cannot start the installation: systemd-run: ${said.trim()}`);
}
