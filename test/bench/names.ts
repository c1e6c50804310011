/**
 * Names: how soon no host resolves a name to an ended task any more, in gam and in Docker Swarm.
 *
 *   node test/bench/names.ts [--rounds 10] [--lab 33] [--check]
 *
 * Each round kills a container of a service on five hosts in gam, and then one in Swarm (in the lab of the
 * next number). The time is from the container's end, as its engine records it, until no host's name server
 * returns its address to a container; the last host counts. A second service on the same network has a
 * container on each host. From its network namespace a watcher asks every 20 ms: in Swarm Docker's own
 * resolver, which knows Swarm's names, and in gam the agent. gam's containers reach the agent through
 * Docker's resolver. The bench leaves that one out: it adds no delay to a new query, but this many queries
 * through five of them would keep the machine busy.
 */
import { readFileSync } from "node:fs";
import { type Host, LabError } from "../lab/clusters/lab.ts";
import type { LabCluster } from "../lab/clusters/lab-cluster.ts";
import type { Background } from "../lab/hosts/background.ts";
import { engineCall } from "../lab/hosts/engine-call.ts";
import { type Container, containersOf } from "../lab/load/echo.ts";
import { besideSwarm } from "./beside-swarm.ts";
import { print, printRatio } from "./support/figures.ts";
import { benchOptions } from "./support/options.ts";

const { rounds, lab } = benchOptions({ rounds: 10, lab: 33 });
const network = "front";
const service = "web";
const askers = "askers";
const watchSeconds = 60;
const limitMs = 30_000;
const resolverOfDocker = "127.0.0.11";
const watcher = new URL("../lab/load/name-watch.ts", import.meta.url).pathname;

interface Seen {
  readonly atMs: number;
  readonly addresses: readonly string[];
}

async function makeServices(cluster: LabCluster): Promise<void> {
  const [first] = cluster.askable as readonly [Host];
  await cluster.call(first, "POST", "/networks/create", { Name: network, Driver: "overlay" });
  for (const name of [service, askers]) {
    await cluster.createService(first, name, 0, {
      Mode: { Global: {} },
      TaskTemplate: {
        ContainerSpec: { Image: "gam/test:1" },
        Networks: [{ Target: network }],
        RestartPolicy: { Condition: "any", Delay: 100e6 },
      },
    });
    await cluster.running(first, name, cluster.lab.hosts.length);
  }
}

/** Milliseconds from the end of the host's container until no host names it. */
async function loseOne(cluster: LabCluster, victim: Host): Promise<number> {
  const { hosts } = cluster.lab;
  await cluster.running(cluster.askable[0] as Host, service, hosts.length);
  const watchers = await Promise.all(hosts.map(watch));
  const logs = watchers.map(({ log }) => log);
  await cluster.until("every host names all tasks", limitMs, async () =>
    logs.every((log) => seen(log).at(-1)?.addresses.length === hosts.length),
  );
  const { id, addresses } = await containerOf(victim, service);
  const address = addresses[network] ?? "";
  const killedMs = Date.now();
  // The kill call alone takes as long as all the rest, so time counts from the container's end.
  await engine(victim, "POST", `/containers/${id}/kill`);
  const { State } = JSON.parse(await engine(victim, "GET", `/containers/${id}/json`)) as {
    readonly State: { readonly FinishedAt: string };
  };
  const goneMs = (log: string): number | undefined =>
    seen(log).find((one) => one.atMs >= killedMs && !one.addresses.includes(address))?.atMs;
  await cluster.until(`no host names ${address}`, limitMs, async () => logs.every(goneMs));
  for (const watcher of watchers) watcher.kill("SIGKILL");
  return Math.max(...logs.map((log) => (goneMs(log) ?? 0) - Date.parse(State.FinishedAt)));
}

/** Starts a watcher. Its log has the name server's answers to a container of this host. */
async function watch(host: Host): Promise<Background> {
  const { id, pid } = await containerOf(host, askers);
  const { HostConfig } = JSON.parse(await engine(host, "GET", `/containers/${id}/json`)) as {
    readonly HostConfig: { readonly Dns: readonly string[] | null };
  };
  const server = HostConfig.Dns?.[0] ?? resolverOfDocker;
  const enter = ["nsenter", "-t", String(pid), "-n"];
  const words = ["node", watcher, server, `tasks.${service}`, String(watchSeconds)];
  return await host.spawn(`names-${Date.now()}`, [...enter, ...words]);
}

function seen(log: string): Seen[] {
  const lines = readFileSync(log, "utf8").split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line) as Seen);
}

async function containerOf(host: Host, name: string): Promise<Container> {
  const [found] = await containersOf(host, `com.docker.swarm.service.name=${name}`);
  if (found === undefined) throw new LabError(`Cannot find a task of ${name} at ${host.name}`);
  return found;
}

async function engine(host: Host, method: "GET" | "POST", path: string): Promise<string> {
  const { status, text } = await engineCall(host.engineSocket, { method, path });
  if (status >= 400) throw new LabError(`Cannot ${method} ${path} at ${host.name}: ${text}`);
  return text;
}

await besideSwarm(lab, async (gam, swarm) => {
  await makeServices(gam);
  await makeServices(swarm);
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const victim = 1 + (round % gam.lab.hosts.length);
    ours.push(await loseOne(gam, gam.lab.host(victim)));
    theirs.push(await loseOne(swarm, swarm.lab.host(victim)));
  }
  const what = "container ended until no host names it any more";
  print(`${what}, gam`, ours, "ms");
  print(`${what}, Swarm`, theirs, "ms");
  printRatio(`${what}, gam to Swarm`, ours, theirs, { most: 1 });
});
