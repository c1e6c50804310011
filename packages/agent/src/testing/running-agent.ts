/** Agents in this process, for tests: without engines, on loopback, each in its own folder. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { ClusterDoor } from "@gam/api";
import { clusterSpecDefault, dataPathDefault } from "@gam/state";
import { Agent } from "../agent.ts";
import { readConfig } from "../config.ts";
import type { AgentLog } from "../log.ts";
import type { OwnPackage } from "../upgrades/own-package.ts";

/** Ends a test that hangs. No test takes a tenth of this time. */
export const guard = { timeout: 120_000 };
const silence = (): void => undefined;
export const log: AgentLog = { debug: silence, info: silence, warn: silence, error: silence };

/** Runs from a checkout. */
export const own: OwnPackage = {
  ...{ release: "0.0.0", version: "0.0.0", kind: "other", machine: "amd64" },
  ...{ root: "/nowhere", args: [] },
};

export const init = {
  listenAddr: undefined,
  advertiseAddr: undefined,
  availability: "active",
  spec: clusterSpecDefault,
  dataPath: dataPathDefault,
} as const;

export interface Running {
  agent: Agent;
  readonly door: ClusterDoor;
  readonly restart: (environment?: Readonly<Record<string, string>>) => Promise<ClusterDoor>;
}

/**
 * An agent without an engine, on loopback, in its own folder. Without a given port, each start takes a new one.
 */
export async function running(t: TestContext, port = 0): Promise<Running> {
  const folder = await mkdtemp(join(tmpdir(), "gam-agent-"));
  const args = ["--data-dir", folder, "--engine", join(folder, "no-engine.sock")];
  args.push("--files-dir", join(folder, "files"));
  const mesh = ["--listen", `127.0.0.1:${port}`, "--advertise", "127.0.0.1"];
  // All agents run on this host, and must not change its kernel.
  const all = [...args, ...mesh, "--networks", "off"];
  const fail = (thrown: unknown): void => {
    throw thrown;
  };
  const start = (environment = {}): Promise<Agent> =>
    Agent.start(readConfig(all, environment), log, own, fail);
  const agent = await start();
  const running: Running = {
    agent,
    door: agent.door(),
    restart: async (environment) => {
      await running.agent.stop();
      running.agent = await start(environment);
      return running.agent.door();
    },
  };
  t.after(async () => {
    await running.agent.stop();
    await rm(folder, { recursive: true, force: true });
  });
  return running;
}

export function joinAt(door: ClusterDoor, token: string): Promise<void> {
  const { listenAddr, advertiseAddr, availability } = init;
  return door.join({ token, addresses: [], listenAddr, advertiseAddr, availability });
}

export async function until(what: string, holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!holds()) {
    assert.ok(performance.now() < deadline, `in time: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
