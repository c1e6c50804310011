/**
 * Update: how many requests a service loses in rolling updates, and why, from half of the load that the machine
 * carries up to more than it carries.
 *
 *   node test/bench/update.ts [--shares 0.5,1,2] [--orders start-first,stop-first] [--servers patient,hasty] [--lab 63] [--check]
 *
 * Ten tasks on five hosts get requests at three hosts' published port, with a new connection for each. Two kinds of
 * server: a patient one accepts all waiting connections before it stops listening, and a hasty one stops 100 ms after
 * the signal. If requests are lost, the counters of the tasks' kernels show why. Connections `waiting` in the accept
 * queue of an ending task mean overload, which the server must avoid. Connections `opened` after the signal were sent
 * to a leaving task.
 */
import { Lab, LabError } from "../lab/clusters/lab.ts";
import { LabMesh } from "../lab/clusters/lab-mesh.ts";
import { mustDocker } from "../lab/clusters/must-docker.ts";
import {
  healthFlags,
  overloaded,
  rollingUpdate,
  type UpdateOrder,
} from "../lab/clusters/rolling-update.ts";
import { print, printCount } from "./support/figures.ts";
import { benchOptions } from "./support/options.ts";

const options = benchOptions({
  shares: "0.5,1,2",
  orders: "start-first,stop-first",
  servers: "patient,hasty",
  lab: 63,
});
const replicas = 10;
const port = 9000;
const withinMs = 300_000;
const environments: Readonly<Record<string, readonly string[]>> = {
  patient: [],
  hasty: ["--env", "HASTY=1"],
};

const lab = await Lab.up({
  hosts: 5,
  number: options.lab,
  agents: true,
  echo: true,
  measure: true,
});
try {
  const mesh = await LabMesh.form(lab);
  const [first, from, bareAt] = [lab.host(1), lab.host(5), lab.host(4)];
  const urls = lab.hosts.slice(0, 3).map(({ address }) => `http://${address}:${port}/`);
  const { requestsPerSecondBusy = 0 } = lab.machine;
  for (const server of options.servers.split(",")) {
    const env = environments[server];
    if (env === undefined)
      throw new LabError(`Cannot make a "${server}" server: wanted patient or hasty`);
    const health = healthFlags(lab.machine, replicas);
    const flags = ["--detach", "--quiet", "--no-resolve-image", "--name", server, ...env];
    const shape = ["--replicas", String(replicas), "--publish", `${port}:80`, ...health];
    await mustDocker(first, ["service", "create", ...flags, ...shape, "gam/echo:1"]);
    await mesh.running(first, server, replicas, [], withinMs);
    for (const share of options.shares.split(",").map(Number)) {
      for (const order of options.orders.split(",").map(orderOf)) {
        const perSecond = Math.floor(requestsPerSecondBusy * share);
        const load = { from, urls, perSecond, bareAt };
        const update = await rollingUpdate({
          ...{ mesh, service: server, replicas, order, withinMs },
          ...load,
        });
        const { sent, failures, p50Ms, p99Ms } = update.load;
        const lost = Object.values(failures).reduce((sum, count) => sum + count, 0);
        const late = overloaded(update);
        const what = `${server} server, ${order}, ${share} times what is carried (${perSecond} a second)`;
        const judged = share <= 0.5 && server === "patient" && late === undefined;
        printCount(`${what}: requests lost`, lost, sent, judged ? { most: 0 } : undefined);
        print(`${what}: p50`, [p50Ms], "ms");
        print(`${what}: p99`, [p99Ms], "ms");
        if (late !== undefined) process.stdout.write(`${what}: overloaded, ${late}\n`);
        process.stdout.write(
          `${what}: tasks that ended ${JSON.stringify(update.endings)}, losses ${JSON.stringify(failures)}\n`,
        );
      }
    }
    await mustDocker(first, ["service", "rm", server]);
    await mesh.until("its tasks are gone", withinMs, async () => {
      return (await mesh.places(server)).length === 0;
    });
  }
} finally {
  await lab.down();
}

function orderOf(word: string): UpdateOrder {
  if (word === "start-first" || word === "stop-first") return word;
  throw new LabError(`Cannot update "${word}": wanted start-first or stop-first`);
}
