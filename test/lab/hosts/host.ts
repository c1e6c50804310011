/**
 * Host: one machine of a lab.
 *
 *   start ──> engine answers ──> startAgent ──> API answers
 *     ^                                            |
 *     '────────── kill: everything ends ───────────'
 *
 * A host is the process tree below its init (init.sh) in PID, mount, UTS and network namespaces of
 * its own. Its disk is a folder that survives power loss: the engine's data, the agent's data, its /etc.
 * All its processes are in one cgroup, by which they are frozen, counted and found.
 */
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Background } from "./background.ts";
import type { Cgroup } from "./cgroup.ts";
import { engineCall } from "./engine-call.ts";
import { LabError } from "./lab-error.ts";
import type { LabState } from "./lab-state.ts";
import { innerPid, isRunning, type ProcessRef, processRef, signalProcess } from "./process-ref.ts";
import { must, type RunOptions, type RunResult, run } from "./run.ts";

type Environment = Readonly<Record<string, string>>;

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Environment;
}

export interface AgentOptions {
  /** Arguments after `gam agent`. */
  readonly args?: readonly string[];
  readonly env?: Environment;
  readonly readyMsMax?: number;
  /** Bundle of another version of the agent, instead of the checkout's own. */
  readonly bundle?: string | undefined;
}

const engineReadyMsMax = 60_000;
const agentReadyMsMax = 60_000;
const deathMsMax = 30_000;
const pollMs = 10;
const diskFolders = [
  "docker",
  "gam",
  "etc/docker",
  "var-lib",
  "work/etc",
  "work/var-lib",
  "home",
  "logs",
];
const checkout = join(import.meta.dirname, "../../..");

export class Host {
  readonly number: number;
  readonly name: string;
  readonly address: string;
  /** The host's disk and logs, as seen from outside. */
  readonly folder: string;
  readonly #state: LabState;

  constructor(state: LabState, number: number) {
    this.number = number;
    this.name = `host${number}`;
    this.address = state.network.addressOf(number);
    this.folder = join(state.folder, this.name);
    this.#state = state;
  }

  get isOn(): boolean {
    const init = this.#state.read().inits[this.number];
    return init !== undefined && isRunning(init);
  }

  /** A path that opens the host's file from the outer namespace. Errors: LabError when off. */
  path(inside: string): string {
    return `/proc/${this.#init().pid}/root${inside}`;
  }

  get engineSocket(): string {
    return this.path("/run/docker.sock");
  }

  get agentSocket(): string {
    return this.path("/run/gam.sock");
  }

  /** PIDs of all its processes, with containers, in the outer namespace. */
  pids(): number[] {
    return this.#cgroup.pids();
  }

  /** Power on. Resolves when the engine answers; the agent is not started. */
  async start(): Promise<void> {
    if (this.isOn) throw new LabError(`Cannot start ${this.name}: it is on`);
    this.#makeDisk();
    this.#cgroup.child("system").make();
    const init = await this.#boot();
    this.#note("inits", init);
    const cut = this.#state.read().faults.cut.includes(this.number);
    await Promise.all([this.#state.network.plug(this.number, init.pid, cut), this.startEngine()]);
  }

  /** Power loss. Resolves when no process of the host runs. Its disk stays as it was. */
  async kill(): Promise<void> {
    const init = this.#init();
    await this.#state.network.silence(this.number);
    signalProcess(init, "SIGKILL");
    this.#cgroup.thaw(); // Frozen processes die only once they are thawed, without running before.
    const deadline = performance.now() + deathMsMax;
    while (this.pids().length > 0) {
      if (performance.now() > deadline) {
        throw new LabError(
          `Cannot kill ${this.name}: processes ${this.pids().join(", ")} are still alive`,
        );
      }
      await pause(pollMs);
    }
    await this.#state.network.unplug(this.number);
    await removeCgroup(this.#cgroup);
    this.#state.change((record) => ({
      ...record,
      frozen: record.frozen.filter((one) => one !== this.number),
    }));
  }

  /** Pulls the cable. The host sees that its link is down. */
  cut(): Promise<void> {
    return this.#state.changeFaults((faults) => ({
      ...faults,
      cut: [...new Set([...faults.cut, this.number])].sort(),
    }));
  }

  /** Plugs the cable in and ends its loss. A split and loss on the whole switch stay. */
  heal(): Promise<void> {
    return this.#state.changeFaults((faults) => ({
      ...faults,
      cut: faults.cut.filter((one) => one !== this.number),
      lossPercentOf: { ...faults.lossPercentOf, [this.number]: 0 },
    }));
  }

  /** Loses this share of its frames, in and out: 0 to 100. */
  loss(percent: number): Promise<void> {
    return this.#state.changeFaults((faults) => ({
      ...faults,
      lossPercentOf: { ...faults.lossPercentOf, [this.number]: percent },
    }));
  }

  /** Stops every process. The kernel still answers: pings and TCP connections stay. */
  async freeze(): Promise<void> {
    this.#init();
    this.#cgroup.freeze();
    this.#state.change((record) => ({
      ...record,
      frozen: [...new Set([...record.frozen, this.number])].sort(),
    }));
  }

  async thaw(): Promise<void> {
    this.#cgroup.thaw();
    this.#state.change((record) => ({
      ...record,
      frozen: record.frozen.filter((one) => one !== this.number),
    }));
  }

  /** The command line that runs a command in the host, for callers that start it themselves. */
  command(words: readonly string[], env: Environment = {}): Command {
    const join = 'echo $$ >"$0" && exec "$@"';
    const enter = ["nsenter", "-t", String(this.#init().pid), "-m", "-u", "-n", "-p", "--"];
    return {
      file: "sh",
      args: ["-c", join, this.#cgroup.child("system").procsFile, ...enter, ...words],
      env: {
        PATH: `${dirname(process.execPath)}:${process.env.PATH ?? "/usr/sbin:/usr/bin:/sbin:/bin"}`,
        HOME: `${this.folder}/home`,
        LANG: "C.UTF-8",
        TERM: process.env.TERM ?? "dumb",
        ...env,
      },
    };
  }

  /**
   * Runs a command in the host, in the directory `/`. A code other than 0 is not an error.
   * `env` is added to the environment of every command (PATH, HOME, LANG, TERM).
   */
  async exec(words: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    return this.#run(this.command(words, options.env), options);
  }

  /** Starts a process that keeps running in the host. Its output goes to `logs/NAME.log` of the host. */
  async spawn(name: string, words: readonly string[], env: Environment = {}): Promise<Background> {
    const log = join(this.folder, "logs", `${name}.log`);
    const script = 'log=$1; shift; setsid "$@" >>"$log" 2>&1 </dev/null & echo $!';
    const started = this.command(["sh", "-c", script, "sh", log, ...words], env);
    const inner = Number(await must(started.file, started.args, { env: started.env }));
    const pid = this.#cgroup
      .child("system")
      .pids()
      .find((one) => innerPid(one) === inner);
    return new Background(pid === undefined ? undefined : processRef(pid), log);
  }

  /** Resolves when the engine answers. */
  async startEngine(): Promise<void> {
    const config = join(this.folder, "engine.json");
    const engine = await this.spawn("engine", ["dockerd", "--config-file", config]);
    if (engine.ref !== undefined) this.#note("engines", engine.ref);
    await this.#answers("engine", engine, () => this.engineSocket, engineReadyMsMax);
  }

  /** Does nothing when the engine is gone. Resolves when it has ended. */
  async killEngine(signal: NodeJS.Signals): Promise<void> {
    await this.#end(this.#state.read().engines[this.number], signal);
  }

  /** Resolves when /run/gam.sock answers. Errors: LabError with the end of the log. */
  async startAgent(options: AgentOptions = {}): Promise<Background> {
    const { bundle, args = [] } = options;
    const own = [join(checkout, "scripts/gam"), "agent"];
    const words = [...(bundle === undefined ? own : [process.execPath, bundle]), ...args];
    const agent = await this.spawn("agent", words, options.env);
    if (agent.ref !== undefined) this.#note("agents", agent.ref);
    const readyMsMax = options.readyMsMax ?? agentReadyMsMax;
    await this.#answers("agent", agent, () => this.agentSocket, readyMsMax);
    return agent;
  }

  /** The agent's PID in the outer namespace. Undefined when it does not run. */
  /** Of a process in all of the host's namespaces. */
  get pid(): number {
    return this.#init().pid;
  }

  get agentPid(): number | undefined {
    const agent = this.#state.read().agents[this.number];
    return agent !== undefined && isRunning(agent) ? agent.pid : undefined;
  }

  /** Does nothing when the agent is gone. Resolves when it has ended. */
  async killAgent(signal: NodeJS.Signals): Promise<void> {
    await this.#end(this.#state.read().agents[this.number], signal);
  }

  /** Runs the `gam` command in the host. */
  async gam(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    return this.#run(this.gamCommand(args, options.env), options);
  }

  /** Runs the unmodified docker client at the agent's or the engine's socket. */
  async docker(
    args: readonly string[],
    options: RunOptions & { readonly engine?: boolean } = {},
  ): Promise<RunResult> {
    return this.#run(this.dockerCommand(args, options.engine, options.env), options);
  }

  gamCommand(args: readonly string[], env: Environment = {}): Command {
    return this.command([join(checkout, "scripts/gam"), ...args], env);
  }

  dockerCommand(args: readonly string[], engine = false, env: Environment = {}): Command {
    const DOCKER_HOST = `unix:///run/${engine ? "docker" : "gam"}.sock`;
    return this.command(["docker", ...args], { DOCKER_HOST, ...env });
  }

  #run({ file, args, env }: Command, options: RunOptions): Promise<RunResult> {
    return run(file, args, { ...options, env });
  }

  get #cgroup(): Cgroup {
    return this.#state.cgroup.child(this.name);
  }

  #init(): ProcessRef {
    const init = this.#state.read().inits[this.number];
    if (init === undefined || !isRunning(init)) {
      throw new LabError(`Cannot reach ${this.name}: it is off`);
    }
    return init;
  }

  #note(kind: "inits" | "engines" | "agents", ref: ProcessRef): void {
    this.#state.change((record) => ({
      ...record,
      [kind]: { ...record[kind], [this.number]: ref },
    }));
  }

  #makeDisk(): void {
    for (const path of diskFolders) mkdirSync(join(this.folder, path), { recursive: true });
    const write = (path: string, text: string): void =>
      writeFileSync(join(this.folder, path), `${text}\n`);
    const numbers = Array.from({ length: this.#state.read().hosts }, (_, index) => index + 1);
    const hosts = numbers.map((host) => `${this.#state.network.addressOf(host)} host${host}`);
    write("etc/hosts", ["127.0.0.1 localhost", ...hosts].join("\n"));
    write("etc/hostname", this.name);
    // Nothing listens there, so a name that is not in /etc/hosts fails at once instead of after 20 s. Not the loopback:
    // an engine asks servers there from the host instead of from the container, and few hosts have such a server.
    write("etc/resolv.conf", `nameserver ${this.address}\noptions timeout:1 attempts:1`);
    const engine = {
      hosts: ["unix:///run/docker.sock"],
      "data-root": "/var/lib/docker",
      "exec-root": "/run/docker",
      pidfile: "/run/docker.pid",
      "cgroup-parent": this.#cgroup.child("pods").name,
      "exec-opts": ["native.cgroupdriver=cgroupfs"],
      "log-level": "warn",
    };
    write("engine.json", JSON.stringify(engine, undefined, 2));
  }

  /** Starts init.sh and waits for the line with its PID. */
  #boot(): Promise<ProcessRef> {
    const unshare = ["unshare", "--fork", "--kill-child", "--pid", "--mount", "--uts", "--net"];
    const script = join(import.meta.dirname, "init.sh");
    const procs = this.#cgroup.child("system").procsFile;
    const words = [...unshare, "bash", script, this.folder, this.name];
    return new Promise((resolve, reject) => {
      const child = spawn("sh", ["-c", 'echo $$ >"$0" && exec "$@"', procs, ...words], {
        detached: true,
        stdio: ["ignore", "pipe", "pipe"],
      });
      let said = "";
      let complained = "";
      child.stderr.on("data", (chunk: Buffer) => {
        complained += chunk.toString();
      });
      child.stdout.on("data", (chunk: Buffer) => {
        said += chunk.toString();
        const ref = said.endsWith("\n") ? processRef(Number(said)) : undefined;
        if (ref === undefined) return;
        child.stdout.destroy();
        child.stderr.destroy();
        child.removeAllListeners();
        child.unref();
        resolve(ref);
      });
      child.on("error", reject);
      child.on("close", (code) => {
        reject(new LabError(`Cannot start ${this.name}: init ended with ${code}, ${complained}`));
      });
    });
  }

  async #answers(
    what: string,
    process: Background,
    socket: () => string,
    readyMsMax: number,
  ): Promise<void> {
    const deadline = performance.now() + readyMsMax;
    let found = "it ended";
    while (process.running) {
      try {
        await engineCall(socket(), { path: "/_ping", timeoutMs: 1000 });
        return;
      } catch (cause) {
        if (!(cause instanceof LabError)) throw cause;
        found = cause.message;
      }
      if (performance.now() > deadline) break;
      await pause(pollMs);
    }
    const tail = readFileSync(process.log, "utf8").slice(-2000);
    throw new LabError(`Cannot start ${what} of ${this.name}: ${found}; its log ends:\n${tail}`);
  }

  async #end(ref: ProcessRef | undefined, signal: NodeJS.Signals): Promise<void> {
    if (ref === undefined) return;
    signalProcess(ref, signal);
    const deadline = performance.now() + deathMsMax;
    while (isRunning(ref)) {
      if (performance.now() > deadline) {
        throw new LabError(`Cannot end process ${ref.pid} of ${this.name}: it ignores ${signal}`);
      }
      await pause(pollMs);
    }
  }
}

/** Removes a group, with retries: the kernel keeps it busy for a moment after its last process. */
export async function removeCgroup(cgroup: Cgroup): Promise<void> {
  const deadline = performance.now() + deathMsMax;
  for (;;) {
    try {
      cgroup.remove();
      return;
    } catch (cause) {
      const busy = cause instanceof Error && "code" in cause && cause.code === "EBUSY";
      if (!busy || performance.now() > deadline) throw cause;
    }
    await pause(pollMs);
  }
}
