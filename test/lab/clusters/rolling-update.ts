/**
 * Rolling update: a service of echo servers gets another image while a host sends requests at a steady rate.
 *
 *   const update = await rollingUpdate({ ... });
 *   overloaded(update)         why this measured the machine, or undefined
 *
 * A second, small load goes to a bare DNAT (bare-dnat.ts) on the same machine at the same time, without gam. If
 * that one is slow too, the machine was overloaded and lost requests prove nothing about gam.
 */

import type { Host } from "../hosts/host.ts";
import { LabError } from "../hosts/lab-error.ts";
import { healthSeconds, type Machine } from "../hosts/machine.ts";
import { BareDnat } from "../load/bare-dnat.ts";
import { askAt, askingSocketOf, type Container, containersOf } from "../load/echo.ts";
import { type Endings, endingsOf } from "../load/ending.ts";
import { behind, Load, type LoadResult } from "../load/load.ts";
import type { LabMesh } from "./lab-mesh.ts";
import { mustDocker } from "./must-docker.ts";

export type UpdateOrder = "start-first" | "stop-first";

export interface RollingUpdateOptions {
  readonly mesh: LabMesh;
  readonly service: string;
  readonly replicas: number;
  readonly order: UpdateOrder;
  /** The host that sends requests, and their URLs, in turn. */
  readonly from: Host;
  readonly urls: readonly string[];
  /** As in LoadOptions. */
  readonly host?: string;
  readonly ca?: string;
  readonly kept?: number;
  readonly perSecond: number;
  /** The host with the bare DNAT, not `from`. */
  readonly bareAt: Host;
  /** Deadline of the update alone. */
  readonly withinMs: number;
}

export interface RollingUpdate {
  readonly load: LoadResult;
  readonly bare: LoadResult;
  readonly endings: Endings;
}

const healthSecondsLeast = 3;
const barePerSecond = 20;
const bareMsMax = 2000;
/** Above it the service is overloaded: a fault on the way to some tasks does not raise the median. */
const medianMsMax = 250;

/** Flags for `docker service create`: an update waits until a new task answers its own health check. */
export function healthFlags(machine: Machine, replicas: number): string[] {
  const everySeconds = healthSeconds(machine, replicas, healthSecondsLeast);
  const check = ["--health-cmd", "wget -q -O /dev/null http://127.0.0.1/"];
  return [...check, "--health-interval", `${everySeconds}s`, "--health-retries", "3"];
}

/** Updates the service under load. Errors: LabError when the update does not end in time. */
export async function rollingUpdate(options: RollingUpdateOptions): Promise<RollingUpdate> {
  const { mesh, service, replicas, order, from, urls, perSecond, bareAt, withinMs } = options;
  const named = {
    ...(options.host && { host: options.host }),
    ...(options.ca && { ca: options.ca }),
    ...(options.kept && { kept: options.kept }),
  };
  const running = await tasksOf(mesh, service);
  const image = `gam/echo:${(await versionsOf(running)).includes("1") ? 2 : 1}`;
  const dnat = await BareDnat.open(bareAt);
  try {
    const loads = [
      await Load.start(from, { urls, perSecond, ...named }),
      await Load.start(from, { urls: [dnat.url], perSecond: barePerSecond }),
    ] as const;
    try {
      await Promise.all(loads.map((one) => one.underWay()));
      const how = ["--update-order", order, "--update-parallelism", "2", "--update-delay", "0s"];
      const flags = ["--detach", "--quiet", "--no-resolve-image", ...how, "--image", image];
      await mustDocker(mesh.lab.host(2), ["service", "update", ...flags, service]);
      await mesh.until("all tasks are new, and no old one runs", withinMs, async () => {
        const found = await tasksOf(mesh, service);
        if (found.length !== replicas) return false;
        return (await versionsOf(found)).every((version) => version === image.slice(-1));
      });
    } finally {
      for (const one of loads) one.end();
    }
    const [load, bare] = [await loads[0].result(), await loads[1].result()];
    return { load, bare, endings: await endingsOf(mesh.lab.hosts, service) };
  } finally {
    await dnat.close();
  }
}

/** Why a run measured the machine and not the service, or undefined. */
export function overloaded({ load, bare }: RollingUpdate): string | undefined {
  const late = behind(load) ?? behind(bare);
  if (late !== undefined) return `the load generator fell behind: ${late}`;
  if (load.p50Ms > medianMsMax) {
    return `half of the requests waited longer than ${load.p50Ms.toFixed(0)} ms`;
  }
  const failures = Object.entries(bare.failures).map(([reason, count]) => `${count} ${reason}`);
  if (failures.length > 0) return `the bare DNAT lost requests, too: ${failures.join(", ")}`;
  if (bare.p99Ms <= bareMsMax) return undefined;
  return `the bare DNAT answered late, too: p99 ${bare.p99Ms.toFixed(0)} ms`;
}

export async function tasksOf(mesh: LabMesh, service: string): Promise<Container[]> {
  const label = `com.docker.swarm.service.name=${service}`;
  return (await Promise.all(mesh.lab.hosts.map((host) => containersOf(host, label)))).flat();
}

/** The version that each container reports. Undefined for one that is ending. */
function versionsOf(containers: readonly Container[]): Promise<(string | undefined)[]> {
  return Promise.all(
    containers.map(async (container) => {
      try {
        const question = { ask: "http", name: "127.0.0.1", port: 80 } as const;
        return (await askAt(askingSocketOf(container), [question]))[0]?.version;
      } catch (cause) {
        if (cause instanceof LabError) return undefined;
        throw cause;
      }
    }),
  );
}
