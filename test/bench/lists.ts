/**
 * Lists: how long the lists of the API take in a large cluster, beside fixed loops of JavaScript.
 *
 *   node test/bench/lists.ts [--rounds 9] [--services 1000] [--replicas 3] [--nodes 3] [--check]
 *
 * The state is real, the engine and the cluster behind the API are fakes. Each round asks over the socket as the
 * docker client does, and then runs the loops of test/lab/load/bare.ts; these times are processor time. `node ps` asks for the service of each
 * task, one after the other. If there is a docker client on this machine, its own commands are timed as well, by the clock.
 */
import { execFile, execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { Agent, type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import { Rig } from "@gam/api/testing";
import type { NodeId } from "@gam/core";
import { fixedLoopMs } from "../lab/load/bare.ts";
import { print, printRatio } from "./support/figures.ts";
import { grownState } from "./support/grown-state.ts";
import { benchOptions } from "./support/options.ts";

const options = benchOptions({ rounds: 9, services: 1000, replicas: 3, nodes: 3 });
const rig = await Rig.start(options.nodes);
const nodes = rig.door.store.nodes().map(({ ID }) => ID as NodeId);
const { services, replicas } = options;
rig.door.store = grownState({ services, tasks: services * replicas, nodes }).store;

async function elapsedMs(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

/** Processor time of this process, which is the client and the server. */
async function cpuMs(work: () => unknown): Promise<number> {
  const begun = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(begun);
  return (user + system) / 1000;
}

const agent = new Agent({ keepAlive: true, maxSockets: 1 });

/** Asks over one connection, as the docker client does. */
async function read(path: string): Promise<string> {
  const call = request({ socketPath: rig.socketPath, path, agent });
  call.end();
  const [response] = (await once(call, "response")) as [IncomingMessage];
  if (response.statusCode !== 200) throw new Error(`GET ${path} answered ${response.statusCode}`);
  return await text(response);
}

const filtered = (path: string, filters: object): string =>
  `${path}?filters=${encodeURIComponent(JSON.stringify(filters))}`;

async function nodePs(): Promise<void> {
  const found = await read(filtered("/tasks", { node: { [nodes[0] ?? ""]: true } }));
  const tasks: readonly { readonly ServiceID: string }[] = JSON.parse(found);
  for (const id of new Set(tasks.map(({ ServiceID }) => ServiceID))) await read(`/services/${id}`);
}

const figures: Record<string, number[]> = {};
const add = (name: string, ms: number): void => {
  figures[name] = [...(figures[name] ?? []), ms];
};
const client = clientHere();
const folder = mkdtempSync(join(tmpdir(), "gam-lists-"));
const run = promisify(execFile);
const docker = async (...args: readonly string[]): Promise<void> => {
  const all = ["--config", folder, "-H", `unix://${rig.socketPath}`, ...args];
  await run("docker", all, { maxBuffer: 2 ** 28 });
};

for (let round = 0; round < options.rounds; round += 1) {
  add("service ls, the call", await cpuMs(() => read("/services?status=true")));
  add("all tasks, the call", await cpuMs(() => read("/tasks")));
  add("node ps, its calls", await cpuMs(nodePs));
  if (client) {
    add("docker version", await elapsedMs(() => docker("version")));
    add("docker service ls", await elapsedMs(() => docker("service", "ls")));
    add("docker node ps", await elapsedMs(() => docker("node", "ps", nodes[0] ?? "")));
  }
  add("fixed loops", await cpuMs(fixedLoopMs));
}
for (const [name, ms] of Object.entries(figures)) print(name, ms, "ms");
const loops = figures["fixed loops"] ?? [];
const targets = { "service ls, the call": 1, "all tasks, the call": 1, "node ps, its calls": 8 };
for (const [name, most] of Object.entries(targets)) {
  printRatio(`${name}, to the fixed loops`, figures[name] ?? [], loops, { most });
}
rmSync(folder, { recursive: true });
agent.destroy();
await rig.stop();

function clientHere(): boolean {
  try {
    execFileSync("docker", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
