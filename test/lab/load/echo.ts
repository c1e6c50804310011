/**
 * Echo: sends requests from inside of a container or host, where echo-server.ts carries them out.
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
  /** Resolve the name only, or also send a request to it. */
  readonly ask: "address" | "http" | "udp";
  /** A name or an address. */
  readonly name: string;
  readonly port: number;
  /** How long to wait for the answer. Default: 2 s. */
  readonly withinMs?: number;
}

/** A question as the echo server gets it. */
export type AskedQuestion = Question & { readonly withinMs: number };

export interface Answer {
  readonly addresses?: readonly string[];
  /** Host name of the server that answered. */
  readonly server?: string;
  /** The client's address, as the server saw it. */
  readonly client?: string;
  readonly version?: string;
  /** What a proxy says of its client: the header `X-Forwarded-For`. */
  readonly forwarded?: string;
  /** Why it failed. Absent on success. */
  readonly trouble?: string;
}

/** A running container, as reported by its engine. */
export interface Container {
  readonly id: string;
  readonly host: Host;
  readonly name: string;
  readonly hostname: string;
  /** PID in the host's namespace. */
  readonly pid: number;
  /** True also without a health check. */
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
/** Extra time for the echo server to ask, beside the time for the answers. */
const carryMsMax = 8000;
const withinMsDefault = 2000;

/** Answers in the order of the questions. Errors: LabError when the echo server does not answer. */
export async function askAt(socket: string, questions: readonly Question[]): Promise<Answer[]> {
  const body = questions.map((one): AskedQuestion => ({ withinMs: withinMsDefault, ...one }));
  const timeoutMs = carryMsMax + Math.max(...body.map(({ withinMs }) => withinMs), 0);
  const call = { method: "POST", path: "/", body, timeoutMs } as const;
  const { status, text } = await engineCall(socket, call);
  if (status !== 200) throw new LabError(`Cannot ask at ${socket}: ${status} ${text}`);
  return JSON.parse(text) as Answer[];
}

/** Socket at which a container's echo server takes questions. */
export function askingSocketOf({ host, pid }: Container): string {
  return host.path(`/proc/${pid}/root${socketInside}`);
}

/** Socket at which the echo server of startAsker() takes questions. */
export function askingSocketOn(host: Host): string {
  return host.path(socketInside);
}

/** Starts an echo server on the host itself that only takes questions. Resolves when it does. */
export async function startAsker(host: Host): Promise<void> {
  await startEcho(host, "asker", 0, socketInside);
}

/** Starts an echo server on the host itself. Port 0: takes questions only. Resolves when it answers. */
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

/** Running containers of a host with this label, sorted by name. */
export async function containersOf(host: Host, label: string): Promise<Container[]> {
  const filters = encodeURIComponent(JSON.stringify({ label: [label] }));
  const rows = await ask<{ Id: string }[]>(host, `/containers/json?filters=${filters}`);
  const found = await Promise.all((rows ?? []).map(({ Id }) => inspect(host, Id)));
  return found.filter((one) => one !== undefined).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The container. Undefined when it is gone or does not run. */
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
