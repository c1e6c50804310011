/**
 * Leftovers: removes what a membership that has ended left on this host.
 *
 * Containers first, because they use the files and the networking. Does not touch the data directory.
 */
import { BrokenInvariant, GamError, messageOf, rethrowInvariant } from "@gam/core";
import type { HostCipher } from "@gam/files";
import { type ContentSource, DockerEngine, MemoryFolder } from "@gam/runtime";
import { httpFolder, type Task } from "@gam/state";
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
 * Stops and removes all containers of tasks, their files, and the networks made for them. `cluster`: for the log, where it is known.
 *
 * Errors: those of the engine and of the disk. Networking that could not be removed is only logged.
 */
export async function removeLeftovers(host: Host, cluster?: string): Promise<void> {
  await removeContainers(host, cluster);
  await removeFiles(host);
  await removeNetworking(host);
}

/** This host is no member: it gets no more data. */
const noSource: ContentSource = {
  files: () => Promise.reject(new GamError("NOT_MEMBER", "Cannot get data: not a member")),
  credentials: () => Promise.reject(new GamError("NOT_MEMBER", "Cannot get data: not a member")),
};

function engineOf({ engine, filesDir }: AgentConfig): DockerEngine {
  const contents = { source: noSource, folder: filesDir };
  return new DockerEngine({ socketPath: engine, contents });
}

async function removeFiles({ config, log }: Host): Promise<void> {
  try {
    for (const folder of [config.filesDir, httpFolder]) await new MemoryFolder(folder).remove();
  } catch (thrown) {
    rethrowInvariant(thrown);
    log.warn({ reason: messageOf(thrown) }, "Could not remove the folders of secrets");
  }
}

async function removeContainers({ config, log }: Host, cluster: string | undefined): Promise<void> {
  const engine = engineOf(config);
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
  const engine = engineOf(config);
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
