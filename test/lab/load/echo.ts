/**
 * Echo: asks from inside. The other end is echo-server.ts, in a container or on a host itself.
 *
 *   await askAt(socket, [{ ask: "http", name: "api", port: 80 }])
 *
 * The socket of a container is found through its host's /proc, so asking costs no process.
 */
import type { Background } from "../hosts/background.ts";
import { engineCall } from "../hosts/engine-call.ts";
import type { Host } from "../hosts/host.ts";
import { LabError } from "../hosts/lab-error.ts";

export interface Question {
  /** What to do with the name: look it up, or ask who is there as well. */
  readonly ask: "address" | "http" | "udp";
  /** A name or an address. */
  readonly name: string;
  readonly port: number;
  /** How long the asked has to answer; 2 s where nothing is said. */
  readonly withinMs?: number;
}

/** As the server gets it. */
export type AskedQuestion = Question & { readonly withinMs: number };

export interface Answer {
  readonly addresses?: readonly string[];
  /** Host name of the one who answered. */
  readonly server?: string;
  /** Address from which it was asked, as it has seen it. */
  readonly client?: string;
  readonly version?: string;
  /** Absent when all went well. */
  readonly trouble?: string;
}

/** A running container, as its engine says. */
export interface Container {
  readonly id: string;
  readonly host: Host;
  readonly name: string;
  readonly hostname: string;
  /** As the host counts. */
  readonly pid: number;
  /** Also where nobody looks after its health. */
  readonly healthy: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** Network name to address. */
  readonly addresses: Readonly<Record<string, string>>;
}

interface Inspection {
  readonly Id: string;
  readonly Name: string;
  readonly State: {
    readonly Running: boolean;
    readonly Pid: number;
    readonly Health?: { readonly Status: string };
  };
  readonly Config: { readonly Hostname: string; readonly Labels: Record<string, string> };
  readonly NetworkSettings: { readonly Networks: Record<string, { readonly IPAddress: string }> };
}

const socketInside = "/run/echo.sock";
/** What carrying the questions takes, beside the time that the asked have. */
const carryMsMax = 8000;
const withinMsDefault = 2000;

/** Answers in the order of the questions. Errors: LabError when nobody carries them. */
export async function askAt(socket: string, questions: readonly Question[]): Promise<Answer[]> {
  const body = questions.map((one): AskedQuestion => ({ withinMs: withinMsDefault, ...one }));
  const timeoutMs = carryMsMax + Math.max(...body.map(({ withinMs }) => withinMs), 0);
  const call = { method: "POST", path: "/", body, timeoutMs } as const;
  const { status, text } = await engineCall(socket, call);
  if (status !== 200) throw new LabError(`Cannot ask at ${socket}: ${status} ${text}`);
  return JSON.parse(text) as Answer[];
}

/** Where the echo server of a container takes questions. */
export function askingSocketOf({ host, pid }: Container): string {
  return host.path(`/proc/${pid}/root${socketInside}`);
}

/** Where the echo server that `startAsker` has started takes questions. */
export function askingSocketOn(host: Host): string {
  return host.path(socketInside);
}

/** An echo server on the host itself that only asks. Resolves when it takes questions. */
export async function startAsker(host: Host): Promise<void> {
  await startEcho(host, "asker", 0, socketInside);
}

/** An echo server on the host itself. Port 0 for one that only asks. Resolves when it answers. */
export async function startEcho(
  host: Host,
  name: string,
  port: number,
  socket = `/run/${name}.sock`,
): Promise<Background> {
  const program = new URL("./echo-server.ts", import.meta.url).pathname;
  const server = await host.spawn(name, ["node", program, String(port), socket]);
  for (;;) {
    try {
      await askAt(host.path(socket), []);
      return server;
    } catch (cause) {
      if (!(cause instanceof LabError) || !server.running) throw cause;
    }
  }
}

/** Running containers of a host that have a label, by their names. */
export async function containersOf(host: Host, label: string): Promise<Container[]> {
  const filters = encodeURIComponent(JSON.stringify({ label: [label] }));
  const rows = await ask<{ Id: string }[]>(host, `/containers/json?filters=${filters}`);
  const found = await Promise.all((rows ?? []).map(({ Id }) => inspect(host, Id)));
  return found.filter((one) => one !== undefined).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Undefined when it is gone or does not run. */
export async function inspect(host: Host, id: string): Promise<Container | undefined> {
  const found = await ask<Inspection>(host, `/containers/${id}/json`);
  if (found === undefined || !found.State.Running) return undefined;
  const networks = Object.entries(found.NetworkSettings.Networks);
  return {
    id: found.Id,
    host,
    name: found.Name.slice(1),
    hostname: found.Config.Hostname,
    pid: found.State.Pid,
    healthy: (found.State.Health?.Status ?? "healthy") === "healthy",
    labels: found.Config.Labels,
    addresses: Object.fromEntries(networks.map(([name, { IPAddress }]) => [name, IPAddress])),
  };
}

async function ask<T>(host: Host, path: string): Promise<T | undefined> {
  const { status, text } = await engineCall(host.engineSocket, { path });
  if (status === 404) return undefined;
  if (status >= 400) throw new LabError(`Cannot GET ${path} at engine of ${host.name}: ${text}`);
  return JSON.parse(text) as T;
}
