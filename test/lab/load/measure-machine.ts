/**
 * Measures the machine under a lab. Nothing else may run in the lab meanwhile. Takes 5 s, or 8 s if a start takes 1 s.
 *
 * It measures the engines alone, a bare DNAT, a bare write and a bare loop, all without gam.
 */

import { engineCall } from "../hosts/engine-call.ts";
import type { Host } from "../hosts/host.ts";
import { LabError } from "../hosts/lab-error.ts";
import type { Machine } from "../hosts/machine.ts";
import { bareWritesMs, fixedLoopMs, median } from "./bare.ts";
import { BareDnat } from "./bare-dnat.ts";
import { Load } from "./load.ts";

const writesForMs = 300;
const requestsForMs = 1000;
const containersForMs = 1200;
const atOnce = 16;
/** Engines that start containers at the same time. More would only wait for each other. */
const enginesAtOnce = 4;

/** Measures. Errors: LabError when a part of the lab fails. */
export async function measureMachine(hosts: readonly Host[]): Promise<Machine> {
  const [first, second] = hosts;
  if (first === undefined) throw new LabError("Cannot measure the machine: the lab has no host");
  const loopMs = fixedLoopMs();
  const writeMs = median(bareWritesMs(first.folder, writesForMs));
  const ids = new Map<Host, string[]>(hosts.map((host) => [host, []]));
  try {
    if (second === undefined) {
      const containersPerSecond = await startContainers(ids);
      return { containersPerSecond, writeMs, loopMs };
    }
    const dnat = await BareDnat.open(second);
    const carried = async (forMs: number): Promise<number> => {
      const load = await Load.start(first, { urls: [dnat.url], atOnce, forMs });
      const { answered, lastedMs, failures } = await load.result();
      if (answered > 0) return (answered / lastedMs) * 1000;
      throw new LabError(`Cannot measure requests at ${dnat.url}: ${JSON.stringify(failures)}`);
    };
    const requestsPerSecond = await carried(requestsForMs);
    const containersPerSecond = await startContainers(ids);
    const [requestsPerSecondBusy] = await Promise.all([
      carried(containersForMs),
      startContainers(ids),
    ]);
    await dnat.close();
    return { containersPerSecond, requestsPerSecond, requestsPerSecondBusy, writeMs, loopMs };
  } finally {
    await Promise.all([...ids].map(([host, all]) => removeContainers(host, all)));
  }
}

/** Containers a second. Adds started containers to the lists, even if an engine fails. */
async function startContainers(ids: ReadonlyMap<Host, string[]>): Promise<number> {
  const beganMs = performance.now();
  let started = 0;
  const lane = async (host: Host, all: string[]): Promise<void> => {
    while (performance.now() - beganMs < containersForMs) {
      const Image = "gam/test:1";
      const body = await engine(host, "POST", "/containers/create", { Image });
      const { Id } = JSON.parse(body) as { Id: string };
      all.push(Id);
      await engine(host, "POST", `/containers/${Id}/start`);
      started += 1;
    }
  };
  const lanes = [...ids].slice(0, enginesAtOnce).map(([host, all]) => lane(host, all));
  const ends = await Promise.allSettled(lanes);
  const perSecond = (started / (performance.now() - beganMs)) * 1000;
  for (const end of ends) if (end.status === "rejected") throw end.reason;
  return perSecond;
}

async function removeContainers(host: Host, ids: readonly string[]): Promise<void> {
  for (const id of ids) await engine(host, "DELETE", `/containers/${id}?force=true&v=true`);
}

async function engine(
  host: Host,
  method: "POST" | "DELETE",
  path: string,
  body?: object,
): Promise<string> {
  const call = { method, path, ...(body && { body }) };
  const { status, text } = await engineCall(host.engineSocket, call);
  if (status < 400) return text;
  throw new LabError(`Cannot ${method} ${path} at the engine of ${host.name}: ${status} ${text}`);
}
