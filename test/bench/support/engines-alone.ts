/**
 * EnginesAlone: the containers of a service, made and replaced by the engines with nobody in between.
 *
 * The containers are equal to gam's: their settings are copied from one that gam made. The calls go to the
 * engines' own sockets, on each host as many at once as asked. So the figures are what an orchestrator without
 * any cost of its own would need.
 */
import { type Host, LabError } from "../../lab/clusters/lab.ts";
import type { LabMesh } from "../../lab/clusters/lab-mesh.ts";
import { engineCall } from "../../lab/hosts/engine-call.ts";

const goneWithinMs = 30_000;

interface Inspection {
  readonly Config: { readonly Labels: Record<string, string> };
  readonly HostConfig: object;
}

interface Made {
  readonly host: Host;
  readonly id: string;
}

export class EnginesAlone {
  readonly #hosts: readonly Host[];
  readonly #model: object;
  #made: Made[] = [];
  #count = 0;

  private constructor(hosts: readonly Host[], model: object) {
    this.#hosts = hosts;
    this.#model = model;
  }

  /** Copies the settings of a container that gam makes for it, without gam's labels. */
  static async of(mesh: LabMesh): Promise<EnginesAlone> {
    const { hosts } = mesh.lab;
    const host = mesh.lab.host(1);
    await mesh.createService(host, "model", 1);
    await mesh.running(host, "model", 1);
    const [task] = await mesh.tasks(host, "model");
    const where = hosts.find(({ number }) => mesh.ids.get(number) === task?.NodeID);
    const id = task?.Status.ContainerStatus?.ContainerID;
    if (where === undefined || id === undefined) throw new LabError("Cannot find the model");
    const text = await askEngine(where, "GET", `/containers/${id}/json`);
    const { Config, HostConfig } = JSON.parse(text) as Inspection;
    await mesh.call(host, "DELETE", "/services/model");
    await mesh.until("the model is gone", goneWithinMs, async () => {
      return (await mesh.tasks(host, "model").catch(() => [])).length === 0;
    });
    const labels = Object.entries(Config.Labels).map(([name, value]) => [`bench.${name}`, value]);
    return new EnginesAlone(hosts, { ...Config, HostConfig, Labels: Object.fromEntries(labels) });
  }

  /** Creates and starts `count` containers. Returns: milliseconds until all have started. */
  async start(count: number, width: number): Promise<number> {
    return await this.#timed(width, (index) => {
      const share = Math.ceil((count - index) / this.#hosts.length);
      return Array.from({ length: share }, () => async (host: Host) => await this.#start(host));
    });
  }

  /** Stops each container, and creates and starts another one in its place. Returns: milliseconds. */
  async replace(width: number): Promise<number> {
    const old = this.#made;
    this.#made = [];
    const tookMs = await this.#timed(width, (index) =>
      idsOn(old, this.#hosts[index]).map((id) => async (host: Host) => {
        await askEngine(host, "POST", `/containers/${id}/stop`);
        await this.#start(host);
      }),
    );
    await this.#remove(old);
    return tookMs;
  }

  async clear(): Promise<void> {
    await this.#remove(this.#made.splice(0));
  }

  async #start(host: Host): Promise<void> {
    this.#count += 1;
    const path = `/containers/create?name=alone-${this.#count}`;
    const { Id: id } = JSON.parse(await askEngine(host, "POST", path, this.#model)) as {
      Id: string;
    };
    this.#made.push({ host, id });
    await askEngine(host, "POST", `/containers/${id}/start`);
  }

  async #remove(all: readonly Made[]): Promise<void> {
    await this.#timed(2, (index) =>
      idsOn(all, this.#hosts[index]).map((id) => async (host: Host) => {
        await askEngine(host, "DELETE", `/containers/${id}?force=true&v=true`);
      }),
    );
  }

  /** Does the work of each host, `width` pieces at once. Returns: milliseconds. */
  async #timed(
    width: number,
    workOf: (index: number) => ((host: Host) => Promise<void>)[],
  ): Promise<number> {
    const beganMs = performance.now();
    await Promise.all(
      this.#hosts.flatMap((host, index) => {
        const left = workOf(index);
        return Array.from({ length: width }, async () => {
          for (let one = left.pop(); one !== undefined; one = left.pop()) await one(host);
        });
      }),
    );
    return performance.now() - beganMs;
  }
}

function idsOn(all: readonly Made[], where: Host | undefined): string[] {
  return all.filter(({ host }) => host === where).map(({ id }) => id);
}

/** Errors: LabError when the engine refuses the call. */
export async function askEngine(
  host: Host,
  method: "GET" | "POST" | "DELETE",
  path: string,
  body?: object,
): Promise<string> {
  const { status, text } = await engineCall(host.engineSocket, {
    method,
    path,
    ...(body && { body }),
  });
  if (status >= 400) throw new LabError(`Cannot ${method} ${path} at ${host.name}: ${text}`);
  return text;
}
