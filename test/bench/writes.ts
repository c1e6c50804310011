/**
 * Writes: how long a write takes, and how many a second are possible, beside Docker Swarm.
 *
 *   node test/bench/writes.ts [--rounds 5] [--writes 40] [--clients 32] [--seconds 4] [--lab 35] [--check]
 *
 * A write is a service update that changes a label of a service without replicas: read, change, send.
 * Only the sending is timed. For the rate, each client has a service of its own and an open connection to
 * one of the hosts that take calls: gam's five, Swarm's three managers.
 *
 * Each round measures gam, then Swarm (in the lab of the next number), then the least that such a write
 * needs: one fdatasync of 4 KiB on the labs' disk, and a round trip on loopback.
 *
 * The processor time of a write is that of all agents, or of all engines in Swarm, while the clients write.
 */
import { Agent, request } from "node:http";
import { type Host, LabError } from "../lab/clusters/lab.ts";
import type { LabCluster, ServiceRow } from "../lab/clusters/lab-cluster.ts";
import { bareWritesMs, median } from "../lab/load/bare.ts";
import { besideSwarm } from "./beside-swarm.ts";
import { bareRoundTripsMs } from "./support/bare-round-trip.ts";
import { print, printRatio } from "./support/figures.ts";
import { benchOptions } from "./support/options.ts";
import { agentOf, cpuSeconds, engineOf } from "./usage.ts";

const options = { rounds: 5, writes: 40, clients: 32, seconds: 4, lab: 35 };
const { rounds, writes, clients, seconds, lab } = benchOptions(options);
const bareForMs = 1000;
const bareTrips = 200;
const bareBytes = 1000;

/** A client of one host, with one connection. */
class Client {
  readonly #socketPath: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #name: string;
  #written = 0;

  constructor(socketPath: string, name: string) {
    this.#socketPath = socketPath;
    this.#name = name;
  }

  /** Milliseconds of one write, without the read before it. */
  async write(): Promise<number> {
    const { ID, Version, Spec } = await this.#call<ServiceRow>("GET", `/services/${this.#name}`);
    this.#written += 1;
    const Labels = { ...Spec.Labels, written: String(this.#written) };
    const path = `/services/${ID}/update?version=${Version.Index}`;
    const beganMs = performance.now();
    await this.#call("POST", path, { ...Spec, Labels });
    return performance.now() - beganMs;
  }

  close(): void {
    this.#agent.destroy();
  }

  #call<T>(method: string, path: string, body?: object): Promise<T> {
    const headers = { "content-type": "application/json" };
    const options = { socketPath: this.#socketPath, agent: this.#agent, method, path, headers };
    return new Promise((resolve, reject) => {
      const sent = request(options, (answer) => {
        let text = "";
        answer.setEncoding("utf8").on("data", (part: string) => {
          text += part;
        });
        answer.on("end", () => {
          if ((answer.statusCode ?? 500) < 400) return resolve(JSON.parse(text) as T);
          reject(new LabError(`Cannot ${method} ${path}: ${answer.statusCode} ${text}`));
        });
      });
      sent.on("error", reject);
      sent.end(body && JSON.stringify(body));
    });
  }
}

/** Figures of one cluster, a value per round. */
class Figures {
  readonly followerMs: number[] = [];
  readonly leaderMs: number[] = [];
  readonly perSecond: number[] = [];
  readonly cpuMs: number[] = [];
  readonly #cluster: LabCluster;
  readonly #pidsOf: (host: Host) => readonly number[];

  private constructor(cluster: LabCluster, pidsOf: (host: Host) => readonly number[]) {
    this.#cluster = cluster;
    this.#pidsOf = pidsOf;
  }

  /** `pidsOf`: the processes of a host that handle writes. */
  static async of(
    cluster: LabCluster,
    pidsOf: (host: Host) => readonly number[],
  ): Promise<Figures> {
    const first = cluster.lab.host(1);
    for (let n = 0; n < clients; n += 1) await cluster.createService(first, `idle${n}`, 0);
    return new Figures(cluster, pidsOf);
  }

  async measure(round: number): Promise<void> {
    const { askable } = this.#cluster;
    const leader = await this.#cluster.leader(this.#cluster.lab.host(1));
    const followers = askable.filter(({ number }) => number !== leader);
    // Another follower each round, so that the ratio covers all.
    const follower = followers[round % followers.length] as Host;
    this.followerMs.push(await this.#writeMs(follower));
    this.leaderMs.push(await this.#writeMs(this.#cluster.lab.host(leader)));
    await this.#writeAtOnce(askable);
  }

  async #writeMs(host: Host): Promise<number> {
    const client = new Client(this.#cluster.socketOf(host), "idle0");
    const tookMs: number[] = [];
    for (let n = 0; n < writes; n += 1) tookMs.push(await client.write());
    client.close();
    return median(tookMs);
  }

  async #writeAtOnce(hosts: readonly Host[]): Promise<void> {
    const pids = this.#cluster.lab.hosts.flatMap(this.#pidsOf);
    const cpuBefore = cpuSeconds(pids);
    const beganMs = performance.now();
    let written = 0;
    const work = async (n: number): Promise<void> => {
      const host = hosts[n % hosts.length] as Host;
      const client = new Client(this.#cluster.socketOf(host), `idle${n}`);
      while (performance.now() < beganMs + seconds * 1000) {
        await client.write();
        written += 1;
      }
      client.close();
    };
    await Promise.all(Array.from({ length: clients }, (_, n) => work(n)));
    this.perSecond.push(written / ((performance.now() - beganMs) / 1000));
    this.cpuMs.push(((cpuSeconds(pids) - cpuBefore) * 1000) / written);
  }
}

await besideSwarm(lab, async (mesh, swarm) => {
  const gam = await Figures.of(mesh, agentOf);
  const theirs = await Figures.of(swarm, engineOf);
  const bareMs: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    await gam.measure(round);
    await theirs.measure(round);
    const syncMs = median(bareWritesMs(mesh.lab.host(1).folder, bareForMs));
    bareMs.push(syncMs + median(await bareRoundTripsMs(bareTrips, bareBytes)));
  }
  for (const [name, { followerMs, leaderMs, perSecond, cpuMs }] of [
    ["gam", gam],
    ["Swarm", theirs],
  ] as const) {
    print(`${name}: write at a follower, one client`, followerMs, "ms");
    print(`${name}: write at the leader, one client`, leaderMs, "ms");
    print(`${name}: writes with ${clients} clients`, perSecond, "a second");
    print(`${name}: CPU of all hosts for a write and the reading before it`, cpuMs, "ms");
  }
  print("one bare fdatasync and round trip", bareMs, "ms");
  printRatio("write at a follower, to one bare fdatasync and round trip", gam.followerMs, bareMs);
  printRatio("write at a follower, gam to Swarm", gam.followerMs, theirs.followerMs, { most: 2.5 });
  printRatio("write at the leader, gam to Swarm", gam.leaderMs, theirs.leaderMs, { most: 2 });
  const busy = `with ${clients} clients`;
  printRatio(`writes a second ${busy}, gam to Swarm`, gam.perSecond, theirs.perSecond, {
    least: 1.2,
  });
  printRatio(`CPU of a write ${busy}, gam to Swarm`, gam.cpuMs, theirs.cpuMs, { most: 0.9 });
});
