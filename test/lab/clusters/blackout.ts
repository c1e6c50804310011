/**
 * Blackout: a host loses power, and what the others say of it, in the order in which they say it.
 *
 * Decides when it is over: somebody else leads (if the host led), the mesh calls the host down, and as
 * many replicas as before run on the others. All this is read at the API of hosts that are left, each
 * from its own copy of the state. Times are from just before the power goes.
 */
import { setTimeout as pause } from "node:timers/promises";
import { type Host, LabError } from "./lab.ts";
import type { LabMesh, TaskRow } from "./lab-mesh.ts";

export interface BlackoutOptions {
  readonly mesh: LabMesh;
  readonly victim: Host;
  /** Who is asked. */
  readonly witnesses: readonly Host[];
  readonly services: readonly string[];
  /** Replicas of all services together. */
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

/** Resolves when all has come true. Errors: LabError with what has not, after `withinMs`. */
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
    throw new LabError(`Not within ${withinMs} ms after the loss: ${[...awaited].join(", ")}`);
  }

  async function watch(witness: Host): Promise<void> {
    while (awaited.size > 0 && sinceMs() < withinMs) {
      try {
        await look(witness);
      } catch (thrown) {
        // It has nothing to say in the middle of an election. It is asked again.
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
      tell(`${victim.name} is called down: ${node.message}`);
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

/** Wanted, and said to run by the worker of its node. */
export function runs({ Status, DesiredState }: TaskRow): boolean {
  return Status.State === "running" && DesiredState === "running";
}

function firstOf(hosts: readonly Host[]): Host {
  const [first] = hosts;
  if (first === undefined) throw new LabError("Cannot watch a host lose power: nobody is left");
  return first;
}
