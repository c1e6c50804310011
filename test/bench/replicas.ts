/**
 * Replicas: what gam adds to the engines' time to create and start containers.
 *
 *   node test/bench/replicas.ts [--rounds 3] [--replicas 100] [--lab 51] [--check]
 *
 * Each round, in the same lab: first the engines alone, driven over their sockets with the number of
 * parallel calls that was best in a trial, then a service with as many replicas. The containers are equal:
 * their settings are copied from one that gam made. A container counts when its engine has started it, a
 * replica when the asked peer reports it as running.
 */

import { type Host, Lab, LabError } from "../lab/clusters/lab.ts";
import { LabMesh } from "../lab/clusters/lab-mesh.ts";
import { askEngine, EnginesAlone } from "./support/engines-alone.ts";
import { print, printRatio } from "./support/figures.ts";
import { benchOptions } from "./support/options.ts";

const { rounds, replicas, lab: number } = benchOptions({ rounds: 3, replicas: 100, lab: 51 });
const widths = [2, 3, 4];
const hosts = 5;

const lab = await Lab.up({ hosts, number, agents: true });
try {
  const mesh = await LabMesh.form(lab);
  const first = lab.host(1);
  const alone = await EnginesAlone.of(mesh);
  const trials: { width: number; tookMs: number }[] = [];
  for (const width of widths) trials.push({ width, tookMs: await timeOf(alone, width) });
  trials.sort((a, b) => a.tookMs - b.tookMs);
  const [best] = trials;
  if (best === undefined) throw new LabError("Cannot choose a width: there was no trial");
  const engines: number[] = [];
  const gam: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    engines.push(await timeOf(alone, best.width));
    gam.push(await together(mesh, first, `web${round}`));
  }
  print(`engines alone, ${replicas} containers, ${best.width} calls at once`, engines, "ms");
  print(`gam, ${replicas} replicas until running`, gam, "ms");
  printRatio("gam to engines alone", gam, engines, { most: 1.3 });
} finally {
  await lab.down();
}

/** Time until the engines have started all containers. Removes them afterwards. */
async function timeOf(alone: EnginesAlone, width: number): Promise<number> {
  const tookMs = await alone.start(replicas, width);
  await alone.clear();
  return tookMs;
}

/** Time until all replicas run in the first host's copy of the state. Removes the service afterwards. */
async function together(mesh: LabMesh, host: Host, name: string): Promise<number> {
  const beganMs = performance.now();
  await mesh.createService(host, name, replicas);
  // Counts in the status, which is cheap, to leave the cores to the engines.
  await mesh.until(`${replicas} run`, 120_000, async () => (await mesh.load(host)) >= replicas);
  const tookMs = performance.now() - beganMs;
  await mesh.running(host, name, replicas);
  await mesh.call(host, "DELETE", `/services/${name}`);
  await mesh.until(`${name} is gone`, 120_000, async () => {
    return (await Promise.all(lab.hosts.map(gamContainers))).every((count) => count === 0);
  });
  return tookMs;
}

async function gamContainers(host: Host): Promise<number> {
  const path = `/containers/json?all=true&filters=${encodeURIComponent('{"label":["com.docker.swarm.task.id"]}')}`;
  return (JSON.parse(await askEngine(host, "GET", path)) as unknown[]).length;
}
