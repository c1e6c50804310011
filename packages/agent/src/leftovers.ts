/**
 * Leftovers: removes what a membership that has ended left on this host.
 *
 * Containers first, because they use the networking. Does not touch the data directory.
 */
import { BrokenInvariant } from "@gam/core";
import type { HostCipher } from "@gam/files";
import { DockerEngine } from "@gam/runtime";
import type { Task } from "@gam/state";
import type { AgentConfig } from "./config.ts";
import type { AgentLog } from "./log.ts";
import { Networking } from "./networking.ts";

interface Host {
  readonly config: AgentConfig;
  readonly log: AgentLog;
  /** Of the keys in the data directory. */
  readonly cipher: HostCipher;
}

/**
 * Stops and removes all containers of tasks, and the networks made for them. `cluster`: for the log, where it is known.
 *
 * Errors: those of the engine and of the disk. Networking that could not be removed is only logged.
 */
export async function removeLeftovers(host: Host, cluster?: string): Promise<void> {
  await removeContainers(host, cluster);
  await removeNetworking(host);
}

async function removeContainers({ config, log }: Host, cluster: string | undefined): Promise<void> {
  const engine = new DockerEngine({ socketPath: config.engine });
  const containers = await new Promise<readonly { id: string; task: Task["ID"] }[]>((resolve) => {
    engine.watch((news) => {
      if (news.kind === "containers") resolve(news.containers);
      if (news.kind === "engine" && !news.ready) resolve([]);
    });
  });
  await Promise.all(
    containers.map(async ({ id, task }) => {
      await engine.perform({ kind: "stop", id: 0, task, container: id });
      await engine.perform({ kind: "remove", id: 0, task, container: id });
    }),
  );
  await engine.perform({ kind: "pruneNetworks", id: 0, keep: [] });
  await engine.close();
  log.info(
    { containers: containers.length, cluster },
    "Removed the cluster's containers from this host",
  );
}

async function removeNetworking({ config, log, cipher }: Host): Promise<void> {
  const engine = new DockerEngine({ socketPath: config.engine });
  const networking = await Networking.open(config, { engine, log, cipher });
  try {
    await networking.remove();
  } catch (thrown) {
    if (!(thrown instanceof Error) || thrown instanceof BrokenInvariant) throw thrown;
    log.warn({ reason: thrown.message }, "Could not remove all overlay networking");
  } finally {
    await engine.close();
  }
}
