/**
 * Idle: what a host costs in an idle cluster: with gam, in Docker Swarm, and without either.
 *
 *   node test/bench/idle.ts [--rounds 3] [--seconds 20] [--settle 20] [--lab 37] [--check]
 *
 * Five hosts with gam, five whose engines are a Docker Swarm (in the lab of the next number) and two with
 * an engine without a cluster (in the one after) are idle at the same time. Each round measures all of them
 * in the same window, so that the machine is the same for all. CPU is user and system time, memory the
 * resident size; the engine is dockerd with its containerd. A figure of a cluster is the mean of its hosts,
 * since one of five leads.
 *
 * "Adds" is the host's CPU less that of a host without a cluster: with gam the agent and the engine's work
 * for its calls, in Swarm the engine's work for Swarm mode.
 */
import { setTimeout as pause } from "node:timers/promises";
import { type Host, Lab } from "../lab/clusters/lab.ts";
import { besideSwarm } from "./beside-swarm.ts";
import { print, printRatio } from "./support/figures.ts";
import { benchOptions } from "./support/options.ts";
import { agentOf, cpuSeconds, engineOf, residentMiB } from "./usage.ts";

const options = { rounds: 3, seconds: 20, settle: 20, lab: 37 };
const { rounds, seconds, settle, lab } = benchOptions(options);
const plainHosts = 2;

/** The same processes on several hosts, with their mean in each round. */
class Sampled {
  readonly cpuPercent: number[] = [];
  readonly mib: number[] = [];
  readonly #pidsOf: readonly (readonly number[])[];
  #cpuBefore = 0;

  constructor(hosts: readonly Host[], pidsOf: (host: Host) => readonly number[]) {
    this.#pidsOf = hosts.map(pidsOf);
  }

  begin(): void {
    this.#cpuBefore = cpuSeconds(this.#pidsOf.flat());
  }

  end(lastedS: number): void {
    const usedS = cpuSeconds(this.#pidsOf.flat()) - this.#cpuBefore;
    this.cpuPercent.push((usedS / lastedS / this.#pidsOf.length) * 100);
    this.mib.push(residentMiB(this.#pidsOf.flat()) / this.#pidsOf.length);
  }
}

/** What the host costs more than a host without a cluster, per round. */
function added(host: Sampled, bare: Sampled): number[] {
  return host.cpuPercent.map((percent, round) => percent - (bare.cpuPercent[round] ?? Number.NaN));
}

const plainLab = await Lab.up({ hosts: plainHosts, number: lab + 2 });
try {
  await besideSwarm(lab, async (mesh, { lab: swarmLab }) => {
    await pause(settle * 1000);
    const leads = await mesh.leader(mesh.lab.host(1));
    const followers = mesh.lab.hosts.filter(({ number }) => number !== leads);
    const leader = new Sampled([mesh.lab.host(leads)], agentOf);
    const follower = new Sampled(followers, agentOf);
    const agent = new Sampled(mesh.lab.hosts, agentOf);
    const gam = new Sampled(mesh.lab.hosts, (host) => [...agentOf(host), ...engineOf(host)]);
    const swarm = new Sampled(swarmLab.hosts, engineOf);
    const plain = new Sampled(plainLab.hosts, engineOf);
    const all = [leader, follower, agent, gam, swarm, plain];
    for (let round = 0; round < rounds; round += 1) {
      for (const one of all) one.begin();
      const beganMs = performance.now();
      await pause(seconds * 1000);
      const lastedS = (performance.now() - beganMs) / 1000;
      for (const one of all) one.end(lastedS);
    }
    const core = "% of a core";
    print("CPU of an agent that leads", leader.cpuPercent, core);
    print("CPU of an agent that follows", follower.cpuPercent, core);
    print("CPU of a host with gam: agent and engine", gam.cpuPercent, core);
    print("CPU of a host in Swarm: its engine", swarm.cpuPercent, core);
    print("CPU of a host in no cluster: its engine", plain.cpuPercent, core);
    print("memory of an agent", agent.mib, "MiB");
    print("memory of an engine in Swarm", swarm.mib, "MiB");
    print("memory of an engine in no cluster", plain.mib, "MiB");
    printRatio("CPU of a host, gam to Swarm", gam.cpuPercent, swarm.cpuPercent, { most: 3 });
    printRatio("CPU that gam adds, to what Swarm adds", added(gam, plain), added(swarm, plain));
    printRatio("memory of an agent, to an engine in Swarm", agent.mib, swarm.mib, { most: 1 });
  });
} finally {
  await plainLab.down();
}
