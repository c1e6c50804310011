/**
 * Ending: what the kernel counted of a task's connections after the task got the signal to stop.
 *
 *   const endings = await endingsOf(lab.hosts, "web");
 *
 * It distinguishes overload from a fault. If all hosts have stopped sending to a task before the signal, the kernel
 * opens and refuses no connection after it. A busy task still accepts connections that had waited.
 */
import { engineCall } from "../hosts/engine-call.ts";
import type { Host } from "../hosts/host.ts";
import { LabError } from "../hosts/lab-error.ts";

export interface Ending {
  /** "listens" if it was killed at the end of its grace period, while connections still waited. */
  readonly state: "listens" | "closes" | "ended";
  /** Connections that the kernel opened after the signal: a host sent them to a leaving task. */
  readonly opened: number;
  /** Connections that were accepted after the signal: those above, and those that had waited in the accept queue. */
  readonly accepted: number;
  /** Connections in the accept queue when the server stopped listening: the kernel resets them. */
  readonly waiting: number;
  /** Connections that it had accepted and not yet closed. */
  readonly open: number;
  /** How often, in the task's whole life, the accept queue was full and the kernel dropped a connection. */
  readonly overflowed: number;
  /** Resets that the kernel sent from when the server stopped listening until it ended. */
  readonly refused: number;
  /** From the signal until the end. */
  readonly lingeredMs: number;
}

export interface Endings extends Omit<Ending, "state"> {
  readonly tasks: number;
  /** Tasks that were killed at the end of their grace period. */
  readonly killed: number;
}

/** Sums over all ended tasks of a service whose containers still exist, and the longest time. */
export async function endingsOf(hosts: readonly Host[], service: string): Promise<Endings> {
  const found = (await Promise.all(hosts.map((host) => endingsOn(host, service)))).flat();
  const sum = (name: Exclude<keyof Ending, "state">): number =>
    found.reduce((all, one) => all + one[name], 0);
  return {
    tasks: found.length,
    killed: found.filter(({ state }) => state !== "ended").length,
    opened: sum("opened"),
    accepted: sum("accepted"),
    waiting: sum("waiting"),
    open: sum("open"),
    overflowed: sum("overflowed"),
    refused: sum("refused"),
    lingeredMs: Math.max(0, ...found.map(({ lingeredMs }) => lingeredMs)),
  };
}

async function endingsOn(host: Host, service: string): Promise<Ending[]> {
  const label = [`com.docker.swarm.service.name=${service}`];
  const filters = encodeURIComponent(JSON.stringify({ label, status: ["exited"] }));
  const list = await ask(host, `/containers/json?all=true&filters=${filters}`);
  const ids = (JSON.parse(list) as { Id: string }[]).map(({ Id }) => Id);
  const logs = await Promise.all(ids.map((id) => ask(host, `/containers/${id}/logs?stdout=true`)));
  return logs.flatMap((log) => {
    const line = log.match(/\{"ending":.*\}/g)?.at(-1);
    return line === undefined ? [] : [(JSON.parse(line) as { ending: Ending }).ending];
  });
}

/** Text from the engine; empty for a container that is gone. Errors: LabError. */
async function ask(host: Host, path: string): Promise<string> {
  const { status, text } = await engineCall(host.engineSocket, { path });
  if (status < 400) return text;
  if (status === 404) return "";
  throw new LabError(`Cannot GET ${path} at the engine of ${host.name}: ${status} ${text}`);
}
