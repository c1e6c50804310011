/**
 * Lab: several real hosts on one machine, each with a Docker engine of its own, on one switch.
 *
 *   const lab = await Lab.up({ hosts: 3, number: 7 });
 *   await lab.host(1).startAgent();
 *   await lab.host(2).kill();
 *   await lab.down();
 *
 * A lab is in one folder (/tmp/gam-lab-7), one cgroup (/gam-lab-7) and namespaces that end with its
 * processes. So `down` finds what is left after a crash even without a record.
 */
import { spawn } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Host, removeCgroup } from "../hosts/host.ts";
import { LabError } from "../hosts/lab-error.ts";
import { hostsMax, LabState } from "../hosts/lab-state.ts";
import { type Machine, machineText } from "../hosts/machine.ts";
import { isRunning, type ProcessRef, processRef, signalProcess } from "../hosts/process-ref.ts";
import { run } from "../hosts/run.ts";
import { noFaults } from "../hosts/switch.ts";
import { makeCaddyImage } from "../load/caddy-image.ts";
import { makeEchoImage } from "../load/echo-image.ts";
import { measureMachine } from "../load/measure-machine.ts";
import { type LabImage, loadImage, makeTestImage } from "../load/test-image.ts";
import { keepLogs } from "./keep-logs.ts";
import { labUnavailable } from "./lab-unavailable.ts";

export { LabError } from "../hosts/lab-error.ts";
export { labUnavailable } from "./lab-unavailable.ts";
export type { Host };

export interface LabOptions {
  /** 1 to 50. */
  readonly hosts: number;
  /** The lab's number, 1 to 250: addresses are 10.88.NUMBER.HOST. */
  readonly number?: number;
  /** Start an agent on each host, not in a mesh yet. */
  readonly agents?: boolean;
  /** Give every engine gam/echo:1 and gam/echo:2 as well (echo-image.ts): half a second per host. */
  readonly echo?: boolean;
  /** Give every engine gam/caddy:2 as well (caddy-image.ts). Needs Debian's caddy. */
  readonly caddy?: boolean;
  /** Measure the machine before agents start, and print the figures: about 5 s. */
  readonly measure?: boolean;
  /** The lab ends by itself after this time. */
  readonly lifetimeMinutes?: number;
  /** Whether the lab survives the process that started it. False in tests. */
  readonly outlive?: boolean;
}

/** How long each part of `up` took. */
export interface LabTimings {
  readonly switchMs: number;
  /** From power on until every engine answered. */
  readonly hostsMs: number;
  /** Import of the test images into every engine. */
  readonly imagesMs: number;
  readonly measuredMs: number;
  readonly agentsMs: number;
}

export const numberDefault = 7;
const lifetimeMinutesDefault = 90;
const deathMsMax = 10_000;
/** The lab's containers are in one group, which the kernel counts as one process. On a real host each container counts. */
const containersWeight = 16;
const pollMs = 20;

export class Lab {
  readonly number: number;
  readonly hosts: readonly Host[];
  /** Undefined for a lab from open(). */
  readonly timings: LabTimings | undefined;
  readonly #state: LabState;

  private constructor(state: LabState, timings?: LabTimings) {
    const { hosts } = state.read();
    this.number = state.number;
    this.hosts = Array.from({ length: hosts }, (_, index) => new Host(state, index + 1));
    this.timings = timings;
    this.#state = state;
  }

  /**
   * Resolves when every engine answers and has the test images.
   *
   * Errors: LabError when this machine cannot run a lab, when the number is taken, or when a part
   * does not start. In the last case the lab is taken down again.
   */
  static async up(options: LabOptions): Promise<Lab> {
    const unavailable = labUnavailable();
    if (unavailable !== undefined) throw new LabError(`Cannot start a lab: ${unavailable}`);
    if (!Number.isInteger(options.hosts) || options.hosts < 1 || options.hosts > hostsMax) {
      throw new LabError(`Cannot start ${options.hosts} hosts: wanted 1 to ${hostsMax}`);
    }
    const state = new LabState(options.number ?? numberDefault);
    state.make(options.hosts);
    try {
      state.cgroup.weigh(containersWeight);
      startKeeper(state, options);
      return new Lab(state, await build(new Lab(state), state, options));
    } catch (cause) {
      await Lab.down(state.number);
      throw cause;
    }
  }

  /** A lab that is already up. Errors: LabError when it is not. */
  static open(number: number = numberDefault): Lab {
    return new Lab(new LabState(number));
  }

  /**
   * Removes everything of a lab, even of an incomplete one. False when there was nothing.
   * Keeps the hosts' logs in the folder that GAM_LAB_LOGS names, if it is set.
   */
  static async down(number: number = numberDefault): Promise<boolean> {
    const state = new LabState(number);
    const found = state.exists || state.cgroup.exists;
    const keeper = keeperOf(state);
    // A waiting keeper ends last, so that it can take down the rest if this process is killed.
    if (keeper !== undefined && !isWaiting(keeper)) signalProcess(keeper, "SIGKILL");
    const deadline = performance.now() + deathMsMax;
    for (;;) {
      const pids = state.cgroup.pids();
      if (pids.length === 0) break;
      if (performance.now() > deadline) {
        throw new LabError(
          `Cannot end lab ${number}: processes ${pids.join(", ")} are still alive`,
        );
      }
      for (const pid of pids) killNow(pid);
      state.cgroup.thaw();
      for (const host of state.cgroup.children()) host.thaw();
      await pause(pollMs);
    }
    await state.network.remove();
    for (const mount of mountsUnder(state.folder)) await run("umount", ["-l", mount]);
    await removeCgroup(state.cgroup);
    try {
      keepLogs(state, process.env.GAM_LAB_LOGS);
    } finally {
      rmSync(state.folder, { recursive: true, force: true, maxRetries: 5 });
      if (keeper !== undefined) {
        signalProcess(keeper, "SIGKILL");
        while (isRunning(keeper)) await pause(pollMs);
      }
    }
    return found;
  }

  /** Counted from 1. Errors: LabError when there is no such host. */
  host(number: number): Host {
    const host = this.hosts[number - 1];
    if (host === undefined) {
      throw new LabError(`Cannot find host ${number}: lab ${this.number} has ${this.hosts.length}`);
    }
    return host;
  }

  /** The machine's figures from the start of the lab. Errors: LabError when it was started without `measure`. */
  get machine(): Machine {
    const { machine } = this.#state.read();
    if (machine !== undefined) return machine;
    throw new LabError(
      `Cannot say what lab ${this.number} carries: it was started without measuring`,
    );
  }

  /** Groups of host numbers that do not hear each other. Replaces an earlier split. */
  split(groups: readonly (readonly number[])[]): Promise<void> {
    return this.#state.changeFaults((faults) => ({ ...faults, groups }));
  }

  /** Loses this share of all frames on the switch: 0 to 100. */
  loss(percent: number): Promise<void> {
    return this.#state.changeFaults((faults) => ({ ...faults, lossPercent: percent }));
  }

  /** Plugs all cables in, and ends splits and loss. Hosts that are off or frozen stay so. */
  heal(): Promise<void> {
    return this.#state.changeFaults(() => noFaults);
  }

  /** Writes all frames that pass the switch to a file, until the returned function is called. */
  capture(file: string): Promise<() => Promise<void>> {
    return this.#state.network.capture(file);
  }

  async down(): Promise<void> {
    await Lab.down(this.number);
  }

  /** The lab's record, with its faults, for a reader. */
  describe(): {
    readonly madeAt: string;
    readonly faults: string;
    readonly frozen: readonly number[];
  } {
    const { madeAt, faults, frozen } = this.#state.read();
    const parts: string[] = [];
    if (faults.cut.length > 0) parts.push(`cut ${faults.cut.join(", ")}`);
    if (faults.groups.length > 0) parts.push(`split ${faults.groups.map(String).join(" | ")}`);
    if (faults.lossPercent > 0) parts.push(`loss ${faults.lossPercent} %`);
    for (const [host, percent] of Object.entries(faults.lossPercentOf)) {
      if (percent > 0) parts.push(`loss ${percent} % at host${host}`);
    }
    return { madeAt, faults: parts.join("; ") || "none", frozen };
  }
}

async function build(lab: Lab, state: LabState, options: LabOptions): Promise<LabTimings> {
  const startMs = performance.now();
  const [images] = await allOf([makeImages(state, options), state.network.make()]);
  const switchMs = performance.now();
  await allOf(lab.hosts.map((host) => host.start()));
  const hostsMs = performance.now();
  for (const image of images) {
    await allOf(lab.hosts.map((host) => loadImage(host.engineSocket, image)));
  }
  const imagesMs = performance.now();
  if (options.measure === true) {
    const machine = await measureMachine(lab.hosts);
    state.change((record) => ({ ...record, machine }));
    process.stdout.write(`Lab ${lab.number}: ${machineText(machine)}\n`);
  }
  const measuredMs = performance.now();
  if (options.agents === true) await allOf(lab.hosts.map((host) => host.startAgent()));
  return {
    switchMs: switchMs - startMs,
    hostsMs: hostsMs - switchMs,
    imagesMs: imagesMs - hostsMs,
    measuredMs: measuredMs - imagesMs,
    agentsMs: performance.now() - measuredMs,
  };
}

async function makeImages(state: LabState, { echo, caddy }: LabOptions): Promise<LabImage[]> {
  const folder = join(state.folder, "image");
  const images = [await makeTestImage(folder)];
  if (echo === true) images.push(await makeEchoImage(folder));
  if (caddy === true) images.push(await makeCaddyImage(folder));
  return images;
}

/** As Promise.all, but a failure waits for the others, so that nothing starts after `down`. */
async function allOf<const T extends readonly Promise<unknown>[]>(
  all: T,
): Promise<{ -readonly [I in keyof T]: Awaited<T[I]> }> {
  await Promise.allSettled(all);
  return Promise.all(all);
}

/** Starts the keeper, which takes the lab down at the end of its lifetime or when its starter is gone. */
function startKeeper(state: LabState, options: LabOptions): void {
  const seconds = Math.ceil((options.lifetimeMinutes ?? lifetimeMinutesDefault) * 60);
  const starter = options.outlive === true ? undefined : processRef(process.pid);
  const program = join(import.meta.dirname, "../main.ts");
  const down = [process.execPath, program, "down", "--lab", String(state.number)];
  const child = spawn(
    "bash",
    [
      join(import.meta.dirname, "../keeper.sh"),
      String(seconds),
      String(starter?.pid ?? 0),
      starter?.startTicks ?? "0",
      ...down,
    ],
    { detached: true, stdio: "ignore", cwd: "/" },
  );
  child.unref();
  const keeper = child.pid === undefined ? undefined : processRef(child.pid);
  if (keeper === undefined)
    throw new LabError("Cannot start the keeper of the lab: it exited at once");
  state.change((record) => ({ ...record, keeper }));
}

/** The keeper of a lab, if it runs and is not this process. */
function keeperOf(state: LabState): ProcessRef | undefined {
  if (!state.exists) return undefined;
  try {
    const { keeper } = state.read();
    return keeper?.pid === process.pid ? undefined : keeper;
  } catch (cause) {
    // A starter that died early has left no record, or an incomplete one, and no keeper.
    if (cause instanceof LabError || cause instanceof SyntaxError) return undefined;
    throw cause;
  }
}

/** False when the keeper is gone or already takes its lab down. */
function isWaiting(keeper: ProcessRef): boolean {
  if (!isRunning(keeper)) return false;
  try {
    return readFileSync(`/proc/${keeper.pid}/cmdline`, "utf8").includes("keeper.sh");
  } catch {
    return false; // It has ended meanwhile.
  }
}

function killNow(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "ESRCH")) throw cause;
  }
}

/** Mount points at or below a folder, newest first. */
function mountsUnder(folder: string): string[] {
  const points = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "");
  return points.filter((point) => point.startsWith(`${folder}/`)).reverse();
}
