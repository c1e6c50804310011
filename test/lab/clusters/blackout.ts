/**
 * Blackout: a host loses power, and what the other hosts report, in order.
 *
 * Decides when it is over: another host leads (if the host led), the host's node is down, and as many
 * replicas as before run on the others. Reads all this at the API of the remaining hosts, each from
 * its own copy of the state. Times are from just before the power loss.
 */
import { setTimeout as pause } from "node:timers/promises";
import { type Host, LabError } from "./lab.ts";
import type { LabMesh, TaskRow } from "./lab-mesh.ts";

export interface BlackoutOptions {
  readonly mesh: LabMesh;
  readonly victim: Host;
  /** The hosts that are asked. */
  readonly witnesses: readonly Host[];
  readonly services: readonly string[];
  /** Number of replicas of all services together. */
  readonly replicas: number;
  readonly tell: (afterMs: number, text: string) => void;
  readonly withinMs: number;
}

interface Status {
  readonly leader: string | null;
  readonly nodes: readonly {
    readonly id: string;
    readonly state: string;
    readonly message: string;
  }[];
}

const pollMs = 25;
const answerMsMax = 2000;

/** Resolves when it is over. Errors: LabError with what is missing after `withinMs`. */
export async function blackOut(options: BlackoutOptions): Promise<void> {
  const { mesh, victim, witnesses, services, replicas, withinMs } = options;
  const victimId = mesh.ids.get(victim.number);
  const nameOf = new Map([...mesh.ids].map(([number, id]) => [id, mesh.lab.host(number).name]));
  const known = new Set<string>();
  for (const service of services) {
    for (const { ID } of await mesh.tasks(firstOf(witnesses), service)) known.add(ID);
  }
  const awaited = new Set(["another host leads", "the host is down", "all replicas run"] as const);

  options.tell(0, `${victim.name} loses power`);
  const beganMs = performance.now();
  const sinceMs = (): number => performance.now() - beganMs;
  const tell = (text: string): void => options.tell(sinceMs(), text);
  await Promise.all([victim.kill(), ...witnesses.map(watch)]);
  if (awaited.size > 0) {
    throw new LabError(
      `Timeout ${withinMs} ms after the loss; still missing: ${[...awaited].join(", ")}`,
    );
  }

  async function watch(witness: Host): Promise<void> {
    while (awaited.size > 0 && sinceMs() < withinMs) {
      try {
        await look(witness);
      } catch (thrown) {
        // A host has no answer during an election. It is asked again.
        if (!(thrown instanceof LabError)) throw thrown;
      }
      await pause(pollMs);
    }
  }

  async function look(witness: Host): Promise<void> {
    const path = "/gam/v1/status";
    const status = await mesh.call<Status>(witness, "GET", path, undefined, answerMsMax);
    const { leader } = status;
    if (leader !== null && leader !== victimId && awaited.delete("another host leads")) {
      tell(`${nameOf.get(leader)} leads now`);
    }
    const node = status.nodes.find(({ id }) => id === victimId);
    if (node?.state === "down" && awaited.delete("the host is down")) {
      tell(`${victim.name} is marked down: ${node.message}`);
    }
    let running = 0;
    for (const service of services) {
      for (const task of await mesh.tasks(witness, service)) {
        if (!runs(task) || task.NodeID === victimId) continue;
        running += 1;
        if (known.has(task.ID)) continue;
        known.add(task.ID);
        tell(`${service}.${task.Slot} runs on ${nameOf.get(task.NodeID ?? "")}`);
      }
    }
    if (running === replicas && awaited.delete("all replicas run")) {
      tell(`all ${replicas} replicas run again`);
    }
  }
}

/** Whether the task is wanted and reported as running by its node. */
export function runs({ Status, DesiredState }: TaskRow): boolean {
  return Status.State === "running" && DesiredState === "running";
}

function firstOf(hosts: readonly Host[]): Host {
  const [first] = hosts;
  if (first === undefined)
    throw new LabError("Cannot watch a host lose power: no other host is left");
  return first;
}
