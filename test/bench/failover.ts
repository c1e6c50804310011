/**
 * Failover: how long a cluster of five hosts takes to recover from the loss of one, gam's and Docker Swarm's.
 *
 *   node test/bench/failover.ts [--rounds 3] [--replicas 20] [--lab 31] [--check]
 *
 * Each round takes the power from a host that does not lead and then from the leader's, in gam and then in
 * Swarm (in the lab of the next number). Times are from the moment when no process of the host runs any
 * more until the result is in the asked host's own copy of the state.
 *
 * Most of these times are configured waits, not work: how long a host may be silent, and Swarm's five
 * seconds before it restarts a failed task.
 */
import type { Host } from "../lab/clusters/lab.ts";
import type { LabCluster } from "../lab/clusters/lab-cluster.ts";
import { besideSwarm } from "./beside-swarm.ts";
import { print, printRatio } from "./support/figures.ts";
import { benchOptions } from "./support/options.ts";

const { rounds, replicas, lab } = benchOptions({ rounds: 3, replicas: 20, lab: 31 });
const service = "web";
const recoveredMsMax = 180_000;

/** Figures of one cluster, a value per round. */
class Losses {
  readonly workerMs: number[] = [];
  readonly leaderMs: number[] = [];
  readonly writeMs: number[] = [];
  readonly #cluster: LabCluster;

  private constructor(cluster: LabCluster) {
    this.#cluster = cluster;
  }

  static async of(cluster: LabCluster): Promise<Losses> {
    const [first] = cluster.askable as readonly [Host];
    await cluster.createService(first, service, replicas);
    await cluster.running(first, service, replicas);
    return new Losses(cluster);
  }

  async round(): Promise<void> {
    this.workerMs.push(await this.#lose(false));
    this.leaderMs.push(await this.#lose(true));
  }

  async #lose(leads: boolean): Promise<number> {
    const cluster = this.#cluster;
    const leading = await cluster.leader(cluster.lab.host(1));
    const host = cluster.lab.host(leads ? leading : await this.#fullest(leading));
    const asked = cluster.askable.find((one) => one !== host && one.number !== leading) as Host;
    await host.kill();
    const beganMs = performance.now();
    const written = leads ? this.#writeAt(asked, beganMs) : undefined;
    await cluster.running(asked, service, replicas, [host.number], recoveredMsMax);
    const tookMs = performance.now() - beganMs;
    if (written !== undefined) this.writeMs.push(await written);
    await cluster.powerOn(host);
    await cluster.until(`${host.name} is ready again`, recoveredMsMax, async () => {
      const nodes = await cluster.nodes(asked);
      return nodes.every(({ Status }) => Status.State === "ready");
    });
    // Spread the tasks again, since an empty host would make the next round easier.
    await this.#spread(asked);
    return tookMs;
  }

  /** Milliseconds until the host accepts a write. */
  async #writeAt(host: Host, beganMs: number): Promise<number> {
    await this.#cluster.until("a write is accepted", recoveredMsMax, async () => {
      await this.#cluster.touch(host, service, 10_000);
      return true;
    });
    return performance.now() - beganMs;
  }

  /** The host with the most tasks, without the leader's. */
  async #fullest(leading: number): Promise<number> {
    const { ids, lab } = this.#cluster;
    const tasks = await this.#cluster.tasks(lab.host(1), service);
    const running = tasks.filter(({ Status }) => Status.State === "running");
    const count = (number: number): number =>
      running.filter(({ NodeID }) => NodeID === ids.get(number)).length;
    const others = [...ids.keys()].filter((number) => number !== leading);
    return others.sort((a, b) => count(b) - count(a))[0] ?? leading;
  }

  async #spread(asked: Host): Promise<void> {
    const cluster = this.#cluster;
    await cluster.scale(asked, service, 0);
    await cluster.until("nothing runs", recoveredMsMax, async () => {
      const tasks = await cluster.tasks(asked, service);
      return tasks.every(({ Status }) => Status.State !== "running");
    });
    await cluster.scale(asked, service, replicas);
    await cluster.running(asked, service, replicas, [], recoveredMsMax);
  }
}

await besideSwarm(lab, async (mesh, swarm) => {
  const gam = await Losses.of(mesh);
  const theirs = await Losses.of(swarm);
  for (let round = 0; round < rounds; round += 1) {
    await gam.round();
    await theirs.round();
  }
  for (const [what, ours, beside, target] of [
    [
      "host lost (not the leader's) until all replicas run elsewhere",
      gam.workerMs,
      theirs.workerMs,
      { most: 0.3 },
    ],
    [
      "leader's host lost until another host accepts a write",
      gam.writeMs,
      theirs.writeMs,
      { most: 0.3 },
    ],
    [
      "leader's host lost until all replicas run elsewhere",
      gam.leaderMs,
      theirs.leaderMs,
      { most: 0.2 },
    ],
  ] as const) {
    print(`${what}, gam`, ours, "ms");
    print(`${what}, Swarm`, beside, "ms");
    printRatio(`${what}, gam to Swarm`, ours, beside, target);
  }
});
