/**
 * LabMesh: the hosts of a lab with an agent each, in one mesh.
 *
 *   const mesh = await LabMesh.form(lab);
 *   await mesh.createService(lab.host(1), "web", 20);
 *   await mesh.running(lab.host(2), "web", 20, [3]);
 */
import { type Host, type Lab, LabError } from "./lab.ts";
import { LabCluster } from "./lab-cluster.ts";

export type { NodeRow, Place, ServiceRow, TaskRow } from "./lab-cluster.ts";

export class LabMesh extends LabCluster {
  /**
   * Makes a mesh on the first host, and joins the others one after the other. Every host's agent must run.
   * Shape: `count` is for only the first hosts of the lab.
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

  /** The mesh that the hosts have already joined. Resolves when all are ready. */
  static async of(lab: Lab, count: number = lab.hosts.length): Promise<LabMesh> {
    const mesh = new LabMesh(lab);
    await mesh.learnIds(count);
    return mesh;
  }

  /** All hosts: any agent takes any call. */
  get askable(): readonly Host[] {
    return this.lab.hosts.filter(({ number }) => this.ids.has(number));
  }

  socketOf(host: Host): string {
    return host.agentSocket;
  }

  async powerOn(host: Host): Promise<void> {
    await host.start();
    await host.startAgent();
  }

  /** How many tasks run in the whole mesh, in the host's copy of the state. Cheap. */
  async load(host: Host): Promise<number> {
    const { nodes } = await this.call<{ nodes: { tasks: number }[] }>(
      host,
      "GET",
      "/gam/v1/status",
    );
    return nodes.reduce((sum, { tasks }) => sum + tasks, 0);
  }
}
