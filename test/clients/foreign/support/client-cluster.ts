/**
 * ClientCluster: three lab hosts in one cluster, for clients that nobody here wrote.
 *
 * The clients ask a peer that does not lead. With GAM_CLIENTS_AT=swarm in the environment the cluster is Docker
 * Swarm's own, and the clients ask a manager that does not lead: a case that fails there expects the wrong thing.
 */
import { execFile } from "node:child_process";
import { Lab, LabError } from "../../../lab/clusters/lab.ts";
import type { LabCluster } from "../../../lab/clusters/lab-cluster.ts";
import { LabMesh } from "../../../lab/clusters/lab-mesh.ts";
import { LabSwarm } from "../../../lab/clusters/lab-swarm.ts";
import { type ProgramOptions, type Ran, runProgram } from "../../support/run-program.ts";

export { labUnavailable } from "../../../lab/clusters/lab-unavailable.ts";

const isSwarm = process.env.GAM_CLIENTS_AT === "swarm";
const hosts = 3;

export class ClientCluster {
  readonly cluster: LabCluster;
  /** Of the peer that the clients ask. */
  readonly socketPath: string;
  readonly #number: number;

  private constructor(cluster: LabCluster, socketPath: string, number: number) {
    this.cluster = cluster;
    this.socketPath = socketPath;
    this.#number = number;
  }

  static async up(number: number): Promise<ClientCluster> {
    const lab = await Lab.up({ hosts, number, agents: !isSwarm, echo: true });
    const cluster = isSwarm ? await LabSwarm.form(lab) : await LabMesh.form(lab);
    const leader = await cluster.leader(lab.host(1));
    const asked = lab.hosts.find((host) => host.number !== leader);
    if (asked === undefined) throw new LabError("Cannot choose a host: all of them lead");
    return new ClientCluster(cluster, cluster.socketOf(asked), number);
  }

  async down(): Promise<void> {
    await Lab.down(this.#number);
  }

  /** Runs a client that reads DOCKER_HOST. Resolves also when it fails. */
  run(program: string, args: readonly string[], options: ProgramOptions): Promise<Ran> {
    const env = { DOCKER_HOST: `unix://${this.socketPath}`, ...options.env };
    return runProgram(program, args, { ...options, env });
  }
}

/** Why a program of another client is missing on this machine; `false` if it is there. */
export async function missingProgram(
  program: string,
  args: readonly string[],
): Promise<string | false> {
  return await new Promise((settle) => {
    execFile(program, args, (failure) => {
      settle(failure === null ? false : `"${[program, ...args].join(" ")}" does not run here`);
    });
  });
}
