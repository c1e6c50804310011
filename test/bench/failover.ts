/**
 * Failover: how long a mesh of five hosts needs when one loses power.
 *
 *   node test/bench/failover.ts [--rounds 5] [--replicas 20] [--lab 31] [--check]
 *
 * Times are from the moment in which nothing of the host runs any more until the host that is asked
 * says so in its own copy of the state. One line per figure.
 */
import { parseArgs } from "node:util";
import { Lab } from "../lab/lab.ts";
import { LabMesh } from "../lab/lab-mesh.ts";
import { print } from "./figures.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    replicas: { type: "string", default: "20" },
    lab: { type: "string", default: "31" },
    check: { type: "boolean", default: false },
  },
});
const rounds = Number(values.rounds);
const replicas = Number(values.replicas);
const hosts = 5;

const lab = await Lab.up({ hosts, number: Number(values.lab), agents: true });
try {
  const mesh = await LabMesh.form(lab);
  const first = lab.host(1);
  await mesh.createService(first, "web", replicas);
  await mesh.running(first, "web", replicas);

  const worker: number[] = [];
  const write: number[] = [];
  const leader: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    worker.push(await lose(mesh, false));
    leader.push(await lose(mesh, true));
  }
  print("host lost (not the leader's) until all replicas run on the others", worker, "ms", {
    most: 4000,
  });
  print("leader's host lost until another peer has accepted a write", write, "ms", { most: 2500 });
  print("leader's host lost until all replicas run on the others", leader, "ms", { most: 6000 });

  async function lose(mesh: LabMesh, leads: boolean): Promise<number> {
    const leading = await mesh.leader(lab.host(1));
    const victim = await victimOf(mesh, leads ? leading : undefined, leading);
    const host = lab.host(victim);
    const asked = lab.hosts.find(({ number }) => number !== victim && number !== leading) ?? first;
    await host.kill();
    const beganMs = performance.now();
    const written = leads ? writeAt(mesh, asked.number, beganMs) : undefined;
    await mesh.running(asked, "web", replicas, [victim]);
    const tookMs = performance.now() - beganMs;
    if (written !== undefined) write.push(await written);
    await host.start();
    await host.startAgent();
    await mesh.until(`host${victim} is ready again`, 30_000, async () => {
      const nodes = await mesh.nodes(asked);
      return nodes.every(({ Status }) => Status.State === "ready");
    });
    // Empty hosts would make the next round easier: spread anew.
    await spread(mesh, asked.number);
    return tookMs;
  }

  async function writeAt(mesh: LabMesh, number: number, beganMs: number): Promise<number> {
    await mesh.until("a write is accepted", 30_000, async () => {
      await mesh.touch(lab.host(number), "web", 10_000);
      return true;
    });
    return performance.now() - beganMs;
  }

  /** A host with a fair share of the tasks. */
  async function victimOf(
    mesh: LabMesh,
    wanted: number | undefined,
    leading: number,
  ): Promise<number> {
    if (wanted !== undefined) return wanted;
    const others = lab.hosts.map(({ number }) => number).filter((number) => number !== leading);
    const tasks = await mesh.tasks(first, "web");
    const running = tasks.filter(({ Status }) => Status.State === "running");
    const count = (number: number): number =>
      running.filter(({ NodeID }) => NodeID === mesh.ids.get(number)).length;
    return others.sort((a, b) => count(b) - count(a))[0] ?? 1;
  }

  async function spread(mesh: LabMesh, number: number): Promise<void> {
    const host = lab.host(number);
    await mesh.scale(host, "web", 0);
    await mesh.until(
      "nothing runs",
      60_000,
      async () => (await mesh.tasks(host, "web")).length === 0,
    );
    await mesh.scale(host, "web", replicas);
    await mesh.running(host, "web", replicas);
  }
} finally {
  await lab.down();
}
