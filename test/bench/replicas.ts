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
import { engineCall } from "../lab/hosts/engine-call.ts";
import { print, printRatio } from "./support/figures.ts";
import { benchOptions } from "./support/options.ts";

const { rounds, replicas, lab: number } = benchOptions({ rounds: 3, replicas: 100, lab: 51 });
const widths = [2, 3, 4];
const hosts = 5;

interface Inspection {
  readonly Name: string;
  readonly Config: { readonly Labels: Record<string, string> };
  readonly HostConfig: object;
}

const lab = await Lab.up({ hosts, number, agents: true });
try {
  const mesh = await LabMesh.form(lab);
  const first = lab.host(1);
  const model = await modelOf(mesh);
  const trials: { width: number; tookMs: number }[] = [];
  for (const width of widths) trials.push({ width, tookMs: await alone(model, width) });
  trials.sort((a, b) => a.tookMs - b.tookMs);
  const [best] = trials;
  if (best === undefined) throw new LabError("Cannot choose a width: there was no trial");
  const engines: number[] = [];
  const gam: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    engines.push(await alone(model, best.width));
    gam.push(await together(mesh, first, `web${round}`));
  }
  print(`engines alone, ${replicas} containers, ${best.width} calls at once`, engines, "ms");
  print(`gam, ${replicas} replicas until running`, gam, "ms");
  printRatio("gam to engines alone", gam, engines, { most: 1.3 });
} finally {
  await lab.down();
}

/** The settings of a container that gam made, without gam's labels. */
async function modelOf(mesh: LabMesh): Promise<object> {
  const host = lab.host(1);
  await mesh.createService(host, "model", 1);
  await mesh.running(host, "model", 1);
  const [task] = await mesh.tasks(host, "model");
  const where = lab.hosts.find(({ number }) => mesh.ids.get(number) === task?.NodeID);
  const id = task?.Status.ContainerStatus?.ContainerID;
  if (where === undefined || id === undefined) throw new LabError("Cannot find the model");
  const text = await engine(where, "GET", `/containers/${id}/json`);
  const { Config, HostConfig } = JSON.parse(text) as Inspection;
  await mesh.call(host, "DELETE", "/services/model");
  await mesh.until("the model is gone", 30_000, async () => {
    return (await mesh.tasks(host, "model").catch(() => [])).length === 0;
  });
  const labels = Object.entries(Config.Labels).map(([name, value]) => [`bench.${name}`, value]);
  return { ...Config, HostConfig, Labels: Object.fromEntries(labels) };
}

/** Time until the engines have started all containers. Removes them afterwards. */
async function alone(model: object, width: number): Promise<number> {
  const made: { host: Host; id: string }[] = [];
  const queues = lab.hosts.map((host, index) => ({
    host,
    left: Math.floor(replicas / hosts) + (index < replicas % hosts ? 1 : 0),
  }));
  const beganMs = performance.now();
  await Promise.all(
    queues.flatMap((queue) => {
      return Array.from({ length: width }, async () => {
        while (queue.left > 0) {
          queue.left -= 1;
          const name = `alone-${queue.host.number}-${queue.left}`;
          const answer = await engine(queue.host, "POST", `/containers/create?name=${name}`, model);
          const { Id } = JSON.parse(answer) as { Id: string };
          made.push({ host: queue.host, id: Id });
          await engine(queue.host, "POST", `/containers/${Id}/start`);
        }
      });
    }),
  );
  const tookMs = performance.now() - beganMs;
  await eachOf(made, async ({ host, id }) => {
    await engine(host, "DELETE", `/containers/${id}?force=true&v=true`);
  });
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
  return (JSON.parse(await engine(host, "GET", path)) as unknown[]).length;
}

async function engine(
  host: Host,
  method: "GET" | "POST" | "DELETE",
  path: string,
  body?: object,
): Promise<string> {
  const { status, text } = await engineCall(host.engineSocket, {
    method,
    path,
    ...(body && { body }),
  });
  if (status >= 400) throw new LabError(`Cannot ${method} ${path} at ${host.name}: ${text}`);
  return text;
}

async function eachOf<T>(all: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  const left = [...all];
  const lane = async (): Promise<void> => {
    for (let one = left.pop(); one !== undefined; one = left.pop()) await work(one);
  };
  await Promise.all(Array.from({ length: 2 * hosts }, lane));
}
