/**
 * Calm: how many nodes a mesh of five marks down although all of them are alive.
 *
 *   node test/bench/calm.ts [--minutes 3] [--only loss|freeze|busy] [--lab 55] [--check]
 *
 * Three troubles, each on its own for this many minutes: 10 % of all frames are lost; every 10 s one host
 * is frozen for 1 s, each in turn, the leader's too; all cores are busy with other work. A service runs
 * meanwhile, so that a node marked down moves tasks.
 *
 * All counts should be 0, on fast and slow machines.
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { type ClientRequest, request } from "node:http";
import { cpus } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type Host, Lab } from "../lab/clusters/lab.ts";
import { LabMesh } from "../lab/clusters/lab-mesh.ts";
import { print, printCount } from "./support/figures.ts";
import { benchOptions } from "./support/options.ts";

const { minutes, only, lab: number } = benchOptions({ minutes: 3, only: "", lab: 55 });
const lastsMs = minutes * 60_000;
const replicas = 10;
const freezeMs = 1000;
const freezeEveryMs = 10_000;
const troubles: Record<string, () => Promise<void>> = { loss, freeze, busy };

/** What the agents report of each other, from now on. */
class Watch {
  readonly #mesh: LabMesh;
  readonly #tasks: readonly string[];
  readonly #term: number;
  readonly #logged: number;
  readonly #streams: readonly { readonly sent: ClientRequest; down: number }[];

  private constructor(mesh: LabMesh, tasks: readonly string[], term: number) {
    this.#mesh = mesh;
    this.#tasks = tasks;
    this.#term = term;
    this.#logged = lostInLogs();
    this.#streams = lab.hosts.map(nodeEvents);
  }

  static async start(mesh: LabMesh): Promise<Watch> {
    return new Watch(mesh, await tasksOf(mesh), await termOf(mesh));
  }

  async end(name: string): Promise<void> {
    const mesh = this.#mesh;
    await mesh.running(lab.host(1), "web", replicas);
    const kept = new Set(await tasksOf(mesh));
    const moved = this.#tasks.filter((id) => !kept.has(id)).length;
    for (const { sent } of this.#streams) sent.destroy();
    const down = Math.max(...this.#streams.map((stream) => stream.down));
    printCount(`${name}: nodes called down`, down, lab.hosts.length, { most: 0 });
    printCount(`${name}: tasks replaced`, moved, replicas, { most: 0 });
    print(`${name}: peers believed lost by another`, [lostInLogs() - this.#logged], "in all");
    print(`${name}: elections`, [(await termOf(mesh)) - this.#term], "in all");
  }
}

const lab = await Lab.up({ hosts: 5, number, agents: true });
try {
  const mesh = await LabMesh.form(lab);
  await mesh.createService(lab.host(1), "web", replicas);
  await mesh.running(lab.host(1), "web", replicas);
  for (const [name, trouble] of Object.entries(troubles)) {
    if (only !== "" && only !== name) continue;
    const watch = await Watch.start(mesh);
    await trouble();
    await watch.end(name);
    await lab.heal();
  }
} finally {
  await lab.down();
}

async function loss(): Promise<void> {
  await lab.loss(10);
  await pause(lastsMs);
}

async function freeze(): Promise<void> {
  const endMs = performance.now() + lastsMs;
  for (let turn = 0; performance.now() < endMs; turn += 1) {
    const host = lab.host(1 + (turn % lab.hosts.length));
    await host.freeze();
    await pause(freezeMs);
    await host.thaw();
    await pause(freezeEveryMs - freezeMs);
  }
}

async function busy(): Promise<void> {
  // Each ends by itself, in case this process dies before.
  const script = `const end = Date.now() + ${lastsMs}; while (Date.now() < end);`;
  const loops = cpus().map(() => spawn(process.execPath, ["-e", script], { stdio: "ignore" }));
  await Promise.all(loops.map((loop) => new Promise((resolve) => loop.on("close", resolve))));
}

/** Counts how often a node becomes down in the host's copy of the state. */
function nodeEvents(host: Host): { readonly sent: ClientRequest; down: number } {
  const filters = encodeURIComponent(JSON.stringify({ type: { node: true } }));
  const sent = request({ socketPath: host.agentSocket, path: `/events?filters=${filters}` });
  const stream = { sent, down: 0 };
  let rest = "";
  sent.on("response", (answer) => {
    answer.setEncoding("utf8").on("data", (part: string) => {
      const lines = (rest + part).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) if (/"state\.new":"down"/.test(line)) stream.down += 1;
    });
    answer.on("error", () => undefined); // The bench closes the stream at the end.
  });
  sent.on("error", () => undefined);
  sent.end();
  return stream;
}

async function tasksOf(mesh: LabMesh): Promise<string[]> {
  const tasks = await mesh.tasks(lab.host(1), "web");
  return tasks.filter(({ DesiredState }) => DesiredState === "running").map(({ ID }) => ID);
}

async function termOf(mesh: LabMesh): Promise<number> {
  return (await mesh.call<{ term: number }>(lab.host(1), "GET", "/gam/v1/status")).term;
}

/** How often a peer logged that it considers another one lost: not a verdict yet, but the step before. */
function lostInLogs(): number {
  const logs = lab.hosts.map(({ folder }) => readFileSync(join(folder, "logs/agent.log"), "utf8"));
  return logs.reduce((sum, text) => sum + text.split("Peer is lost").length - 1, 0);
}
