/**
 * Self-description: keeps the peer informed about its own node and its engine.
 *
 * Passes the engine's news to the worker at once. Asks the engine to describe itself and the host whenever it
 * comes back, and once a minute, because labels and versions can change at any time.
 */
import { arch, cpus, hostname, totalmem } from "node:os";
import { GamError, messageOf } from "@gam/core";
import type { Mesh } from "@gam/mesh";
import type { SelfDescription } from "@gam/peer";
import type { DockerEngine, EngineNews } from "@gam/runtime";
import {
  type EngineHealth,
  type GenericResource,
  hostOf,
  type NodeDescription,
  type NodeNetwork,
  withResources,
} from "@gam/state";
import type { AgentLog } from "./log.ts";
import type { Networking } from "./networking.ts";

const refreshMs = 60_000;

export interface SelfParts {
  readonly engine: DockerEngine;
  readonly mesh: Mesh;
  readonly networking: Networking;
  readonly log: AgentLog;
  /** Generic resources of this host, beside those that the engine says. */
  readonly genericResources: readonly GenericResource[];
  readonly said: (said: SelfDescription) => void;
  readonly observed: (news: EngineNews) => void;
  readonly fail: (thrown: unknown) => void;
  /** The newest root key that this peer has a certificate of, base64. */
  readonly root: () => string | undefined;
  /** The gam that this is, as NodeExtra has it. */
  readonly version: string;
}

export interface SelfWatch {
  /** Describes the node again and reports the result. */
  look(): void;
  close(): void;
}

export function watchSelf(parts: SelfParts): SelfWatch {
  const { engine, mesh, networking, log, said, observed, fail } = parts;
  let health: EngineHealth = { ready: false, reason: "Engine has not answered yet" };
  const withOwn = (found: NodeDescription): NodeDescription => {
    const all = withResources(found.Resources.GenericResources ?? [], parts.genericResources);
    if (all.length === 0) return found;
    return { ...found, Resources: { ...found.Resources, GenericResources: all } };
  };
  let description = withOwn(withoutEngine());
  let watching = true;
  let network: NodeNetwork | undefined;
  const say = (): void => {
    if (network === undefined) return;
    const root = parts.root();
    const addresses = mesh.addresses();
    const { version } = parts;
    said({
      ...{ description, addresses, engine: health, network, version },
      ...(root !== undefined && { root }),
    });
  };
  const lookAtNetwork = async (): Promise<void> => {
    network = await networking.look(hostOf(mesh.addresses()[0] ?? ""));
    if (watching) say();
  };
  const look = async (): Promise<void> => {
    try {
      if (health.ready) description = withOwn(await engine.describe());
    } catch (thrown) {
      // engine.watch() reports a lost engine.
      if (!(thrown instanceof GamError)) throw thrown;
      log.debug({ reason: messageOf(thrown) }, "Engine did not describe itself");
      return;
    }
    if (watching) say();
  };
  engine.watch((news) => {
    if (!watching) return;
    observed(news);
    if (news.kind !== "engine") return;
    if (news.ready !== health.ready) {
      log[news.ready ? "info" : "warn"](
        { reason: news.reason },
        news.ready ? "Engine answered" : "Engine stopped answering",
      );
    }
    health = { ready: news.ready, reason: news.reason };
    void look();
    // An engine that restarts has created its bridges and firewall rules again.
    if (news.ready) networking.audit().catch(fail);
  });
  const lookAtBoth = (): void => {
    lookAtNetwork().catch(fail);
    void look();
  };
  lookAtNetwork().catch(fail);
  const timer = setInterval(lookAtBoth, refreshMs);
  const deafen = mesh.onMoved(lookAtBoth);
  return {
    look: lookAtBoth,
    close: () => {
      watching = false;
      deafen();
      clearInterval(timer);
    },
  };
}

/** Returns: the description of a host whose engine has not answered yet. */
function withoutEngine(): NodeDescription {
  return {
    Hostname: hostname(),
    Platform: { Architecture: arch() === "x64" ? "x86_64" : "aarch64", OS: "linux" },
    Resources: { NanoCPUs: cpus().length * 1e9, MemoryBytes: totalmem() },
    Engine: { EngineVersion: "", Labels: {}, Plugins: [] },
  };
}
