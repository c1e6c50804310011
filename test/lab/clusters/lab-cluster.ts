/**
 * LabCluster: hosts of a lab that form one cluster, and the calls of tests and benches.
 *
 * All calls are Docker's API, so one class serves gam (lab-mesh.ts) and Docker's own Swarm
 * (lab-swarm.ts): figures of both come from the same calls.
 */
import { setTimeout as pause } from "node:timers/promises";
import { engineCall } from "../hosts/engine-call.ts";
import { type Host, type Lab, LabError } from "./lab.ts";

const readyMsMax = 30_000;
const pollMs = 20;

export interface TaskRow {
  readonly ID: string;
  readonly Slot?: number;
  readonly NodeID?: string;
  readonly DesiredState: string;
  readonly Status: {
    readonly State: string;
    readonly Timestamp: string;
    readonly Err?: string;
    readonly ContainerStatus?: { readonly ContainerID?: string };
  };
}

/** A container of a task, as reported by its engine. */
export interface Place {
  readonly host: number;
  readonly slot: string;
  readonly task: string;
  readonly container: string;
  readonly startedAt: string;
}

export interface ServiceRow {
  readonly ID: string;
  readonly Version: { readonly Index: number };
  readonly Spec: { readonly Name: string; readonly Labels?: Record<string, string> };
}

export interface NodeRow {
  readonly ID: string;
  readonly Description: { readonly Hostname: string };
  readonly Status: { readonly State: string; readonly Message?: string };
  readonly ManagerStatus?: { readonly Leader?: boolean; readonly Reachability: string };
}

export abstract class LabCluster {
  readonly lab: Lab;
  /** Node id of each host, by the host's number. */
  readonly ids = new Map<number, string>();

  protected constructor(lab: Lab) {
    this.lab = lab;
  }

  /** The hosts that take API calls. */
  abstract get askable(): readonly Host[];

  /** The socket at which the host takes API calls. */
  abstract socketOf(host: Host): string;

  /** Power on again. Resolves when the host takes calls, or its engine does. */
  abstract powerOn(host: Host): Promise<void>;

  /** Waits until `count` nodes are ready, and learns the node id of each host. */
  protected async learnIds(count: number): Promise<void> {
    const first = this.lab.host(1);
    await this.ready(first, count, readyMsMax);
    for (const { ID, Description } of await this.nodes(first)) {
      const host = this.lab.hosts.find(({ name }) => name === Description.Hostname);
      if (host !== undefined) this.ids.set(host.number, ID);
    }
  }

  /** Waits until the cluster has `count` nodes, as `host` sees it, and all are ready. Errors: as until(). */
  async ready(host: Host, count: number, withinMs: number): Promise<void> {
    await this.until(`${count} nodes are ready`, withinMs, async () => {
      const nodes = await this.nodes(host);
      return nodes.length === count && nodes.every(({ Status }) => Status.State === "ready");
    });
  }

  /** One call at a host's API. Errors: LabError with the answer's status and message. */
  async call<T>(
    host: Host,
    method: "GET" | "POST" | "DELETE",
    path: string,
    body?: object,
    timeoutMs = 60_000,
  ): Promise<T> {
    const call = { method, path, timeoutMs, ...(body && { body }) };
    const { status, text } = await engineCall(this.socketOf(host), call);
    if (status >= 400) {
      throw new LabError(`Cannot ${method} ${path} at ${host.name}: ${status} ${text.trim()}`);
    }
    return (text === "" ? undefined : JSON.parse(text)) as T;
  }

  nodes(host: Host): Promise<NodeRow[]> {
    return this.call(host, "GET", "/nodes");
  }

  service(host: Host, name: string): Promise<ServiceRow> {
    return this.call(host, "GET", `/services/${name}`);
  }

  tasks(host: Host, service: string): Promise<TaskRow[]> {
    const filters = encodeURIComponent(JSON.stringify({ service: { [service]: true } }));
    return this.call(host, "GET", `/tasks?filters=${filters}`);
  }

  /** The number of the leader's host, as the asked host knows it. Errors: LabError when it knows no leader. */
  async leader(host: Host): Promise<number> {
    const leading = (await this.nodes(host)).find(({ ManagerStatus }) => ManagerStatus?.Leader);
    for (const [number, id] of this.ids) if (id === leading?.ID) return number;
    throw new LabError(`Cannot find leader: ${host.name} names "${leading?.ID}"`);
  }

  async createService(
    host: Host,
    name: string,
    replicas: number,
    more: object = {},
  ): Promise<void> {
    await this.call(host, "POST", "/services/create", {
      Name: name,
      TaskTemplate: { ContainerSpec: { Image: "gam/test:1" } },
      Mode: { Replicated: { Replicas: replicas } },
      ...more,
    });
  }

  /** A write that affects no running task. */
  async touch(host: Host, name: string, timeoutMs = 2000): Promise<void> {
    const { ID, Version, Spec } = await this.service(host, name);
    const Labels = { ...Spec.Labels, touched: String(performance.now()) };
    const path = `/services/${ID}/update?version=${Version.Index}`;
    await this.call(host, "POST", path, { ...Spec, Labels }, timeoutMs);
  }

  async scale(host: Host, name: string, replicas: number): Promise<void> {
    const { ID, Version, Spec } = await this.service(host, name);
    const path = `/services/${ID}/update?version=${Version.Index}`;
    await this.call(host, "POST", path, { ...Spec, Mode: { Replicated: { Replicas: replicas } } });
  }

  /** How many tasks of the service run, in the host's copy of the state, without those on the hosts in `not`. */
  async countRunning(host: Host, name: string, not: readonly number[] = []): Promise<number> {
    const barred = not.map((number) => this.ids.get(number));
    const tasks = await this.tasks(host, name);
    return tasks.filter(
      ({ Status, DesiredState, NodeID }) =>
        Status.State === "running" && DesiredState === "running" && !barred.includes(NodeID),
    ).length;
  }

  /** Resolves when exactly `count` tasks run, counted as in countRunning(). Errors: LabError after `withinMs`. */
  async running(
    host: Host,
    name: string,
    replicas: number,
    not: readonly number[] = [],
    withinMs = 60_000,
  ): Promise<void> {
    let found = 0;
    const what = (): string => `${replicas} of ${name} run (now ${found})`;
    await this.until(what, withinMs, async () => {
      found = await this.countRunning(host, name, not);
      return found === replicas;
    });
  }

  /** The containers of a service, from the engine of every host that is on. */
  async places(service: string): Promise<Place[]> {
    const filters = JSON.stringify({ label: [`com.docker.swarm.service.name=${service}`] });
    const path = `/containers/json?filters=${encodeURIComponent(filters)}`;
    const onHost = async (host: Host): Promise<Place[]> => {
      const found = await ask<{ Id: string }[]>(host, path);
      return await Promise.all(
        found.map(async ({ Id }) => {
          const { Config, State } = await ask<{
            Config: { Labels: Record<string, string> };
            State: { StartedAt: string };
          }>(host, `/containers/${Id}/json`);
          const name = Config.Labels["com.docker.swarm.task.name"] ?? "";
          const task = Config.Labels["com.docker.swarm.task.id"] ?? "";
          const slot = name.slice(0, -task.length - 1);
          return { host: host.number, slot, task, container: Id, startedAt: State.StartedAt };
        }),
      );
    };
    const places = await Promise.all(this.lab.hosts.filter(({ isOn }) => isOn).map(onHost));
    return places.flat().sort((a, b) => (a.container < b.container ? -1 : 1));
  }

  /** Repeats the question until it holds. Also retries if a host does not answer. */
  async until(
    what: string | (() => string),
    withinMs: number,
    holds: () => Promise<boolean>,
  ): Promise<void> {
    const deadline = performance.now() + withinMs;
    let trouble = "";
    for (;;) {
      try {
        if (await holds()) return;
        trouble = "";
      } catch (thrown) {
        if (!(thrown instanceof LabError)) throw thrown;
        trouble = `; ${thrown.message}`;
      }
      if (performance.now() > deadline) {
        const text = typeof what === "string" ? what : what();
        throw new LabError(`Timeout after ${withinMs} ms: ${text}${trouble}`);
      }
      await pause(pollMs);
    }
  }
}

async function ask<T>(host: Host, path: string): Promise<T> {
  const { status, text } = await engineCall(host.engineSocket, { path });
  if (status >= 400) throw new LabError(`Cannot GET ${path} at engine of ${host.name}: ${text}`);
  return JSON.parse(text) as T;
}
