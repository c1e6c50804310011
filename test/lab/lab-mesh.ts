/**
 * LabMesh: the hosts of a lab with an agent each, in one mesh, and what tests and figures ask of it.
 *
 *   const mesh = await LabMesh.form(lab);
 *   await mesh.createService("web", 20);
 *   await mesh.running("web", 20, { not: [3] });
 */
import { setTimeout as pause } from "node:timers/promises";
import { engineCall } from "./engine-call.ts";
import { type Host, type Lab, LabError } from "./lab.ts";

const pollMs = 20;

export interface TaskRow {
  readonly ID: string;
  readonly Slot?: number;
  readonly NodeID?: string;
  readonly DesiredState: string;
  readonly Status: {
    readonly State: string;
    readonly Err?: string;
    readonly ContainerStatus?: { readonly ContainerID?: string };
  };
}

/** A container of a task, as the engine that has it says. */
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

export class LabMesh {
  readonly lab: Lab;
  /** Node id of each host, by the host's number. */
  readonly ids = new Map<number, string>();

  private constructor(lab: Lab) {
    this.lab = lab;
  }

  /**
   * Every host's agent runs; the first makes a mesh and the others join it, one after the other.
   * Shape: only the first `count` hosts, where not all are to be in it.
   */
  static async form(lab: Lab, count: number = lab.hosts.length): Promise<LabMesh> {
    const mesh = new LabMesh(lab);
    const [first, ...others] = lab.hosts.slice(0, count);
    if (first === undefined) throw new LabError("Cannot form a mesh: the lab has no host");
    await mesh.call(first, "POST", "/gam/v1/init", {});
    const { manager } = await mesh.call<{ manager: string }>(first, "GET", "/gam/v1/token");
    for (const host of others) await mesh.call(host, "POST", "/gam/v1/join", { token: manager });
    return LabMesh.of(lab, count);
  }

  /** The mesh that the hosts have joined already, once all are ready. */
  static async of(lab: Lab, count: number = lab.hosts.length): Promise<LabMesh> {
    const mesh = new LabMesh(lab);
    const first = lab.host(1);
    await mesh.until("all nodes are ready", 30_000, async () => {
      const nodes = await mesh.nodes(first);
      return nodes.length === count && nodes.every(({ Status }) => Status.State === "ready");
    });
    for (const { ID, Description } of await mesh.nodes(first)) {
      const host = lab.hosts.find(({ name }) => name === Description.Hostname);
      if (host !== undefined) mesh.ids.set(host.number, ID);
    }
    return mesh;
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
    const { status, text } = await engineCall(host.agentSocket, call);
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

  /** The number of the host whose agent leads, as the asked host sees it. */
  async leader(host: Host): Promise<number> {
    const status = await this.call<{ leader: string | null }>(host, "GET", "/gam/v1/status");
    for (const [number, id] of this.ids) if (id === status.leader) return number;
    throw new LabError(`Cannot find leader: ${host.name} knows of "${status.leader}"`);
  }

  /** How many tasks run in the whole mesh, by the state that the host has. Cheap to ask. */
  async load(host: Host): Promise<number> {
    const { nodes } = await this.call<{ nodes: { tasks: number }[] }>(
      host,
      "GET",
      "/gam/v1/status",
    );
    return nodes.reduce((sum, { tasks }) => sum + tasks, 0);
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

  /** A write that changes nothing that runs. */
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

  /** How many tasks of the service run, by the state that the host has, on other hosts than these. */
  async countRunning(host: Host, name: string, not: readonly number[] = []): Promise<number> {
    const barred = not.map((number) => this.ids.get(number));
    const tasks = await this.tasks(host, name);
    return tasks.filter(
      ({ Status, DesiredState, NodeID }) =>
        Status.State === "running" && DesiredState === "running" && !barred.includes(NodeID),
    ).length;
  }

  /** Resolves when exactly so many run there. Errors: LabError after `withinMs`. */
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

  /** What really runs for a service, asked of the engine of every host that is on. */
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

  /** Asks again and again; a host that does not answer just now is asked again. */
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
        throw new LabError(`Not within ${withinMs} ms: ${text}${trouble}`);
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
