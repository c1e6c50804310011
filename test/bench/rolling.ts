/**
 * Rolling: how long a rolling update takes, gam's and Docker Swarm's.
 *
 *   node test/bench/rolling.ts [--rounds 2] [--replicas 100] [--parallelism 10] [--lab 71] [--check]
 *
 * Each round changes the environment of a service, in gam and then in Swarm (in the lab of the next number), and
 * waits until the asked host says that the update is completed. The delay between waves is 0. The host is asked as
 * often as the docker client asks: a hundred reads a second would compete with the engines. At the end of each round
 * the engines alone stop each of as many containers, and create and start another one, as many at once as the update.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { LabCluster } from "../lab/clusters/lab-cluster.ts";
import { besideSwarm } from "./beside-swarm.ts";
import { EnginesAlone } from "./support/engines-alone.ts";
import { print, printRatio } from "./support/figures.ts";
import { benchOptions } from "./support/options.ts";

const options = benchOptions({ rounds: 2, replicas: 100, parallelism: 10, lab: 71 });
const { rounds, replicas, parallelism, lab } = options;
const service = "web";
const withinMs = 300_000;
const askEveryMs = 200;

interface Updated {
  readonly ID: string;
  readonly Version: { readonly Index: number };
  readonly Spec: object;
  readonly UpdateStatus?: { readonly State: string };
}

await besideSwarm(lab, async (gam, swarm) => {
  const ms: [number[], number[]] = [[], []];
  for (const cluster of [gam, swarm]) {
    const UpdateConfig = { Parallelism: parallelism, Monitor: 1_000_000_000 };
    await cluster.createService(cluster.lab.host(1), service, replicas, { UpdateConfig });
    await cluster.running(cluster.lab.host(1), service, replicas, [], withinMs);
  }
  const alone = await EnginesAlone.of(gam);
  const engines: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    ms[0].push(await roll(gam, round));
    ms[1].push(await roll(swarm, round));
    const width = Math.ceil(parallelism / gam.lab.hosts.length);
    await alone.start(replicas, width);
    engines.push(await alone.replace(width));
    await alone.clear();
  }
  const what = `rolling update of ${replicas} replicas, ${parallelism} at a time`;
  print(`${what}, gam`, ms[0], "ms");
  print(`${what}, Swarm`, ms[1], "ms");
  print("the same by the engines alone", engines, "ms");
  printRatio(`${what}, gam to Swarm`, ...ms, { most: 0.6 });
  printRatio(`${what}, gam to the engines alone`, ms[0], engines);
  printRatio("the engines alone to Swarm", engines, ms[1]);
});

/** Returns: milliseconds until the update is completed. */
async function roll(cluster: LabCluster, round: number): Promise<number> {
  const host = cluster.lab.host(1);
  const { ID, Version, Spec } = await cluster.call<Updated>(host, "GET", `/services/${service}`);
  const TaskTemplate = {
    ContainerSpec: { Image: "gam/test:1", Env: [`ROUND=${round}`] },
  };
  const beganMs = performance.now();
  const path = `/services/${ID}/update?version=${Version.Index}`;
  await cluster.call(host, "POST", path, { ...Spec, TaskTemplate });
  await cluster.until("the update is completed", withinMs, async () => {
    await pause(askEveryMs);
    const { UpdateStatus } = await cluster.call<Updated>(host, "GET", `/services/${service}`);
    return UpdateStatus?.State === "completed";
  });
  const tookMs = performance.now() - beganMs;
  await cluster.running(host, service, replicas, [], withinMs);
  return tookMs;
}
