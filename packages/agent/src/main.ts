/**
 * Runs `gam agent` in the foreground until a signal stops it.
 */
import { ApiServer } from "@gam/api";
import { BrokenInvariant, GamError, reasonOf } from "@gam/core";
import { Agent } from "./agent.ts";
import { readConfig, usageText } from "./config.ts";
import { openLog } from "./log.ts";
import { serviceManager } from "./service-manager.ts";
import { sourceStack } from "./source-stack.ts";
import { ownPackage } from "./upgrades/own-package.ts";

const startedAtMs = performance.timeOrigin;
const args = process.argv.slice(2);
if (args.includes("--help") || args.includes("-h")) {
  process.stdout.write(`${usageText()}\n`);
  process.exit(0);
}

async function run(): Promise<void> {
  const config = readConfig(args, process.env);
  const log = openLog(config.logLevel);
  const own = ownPackage(import.meta.url, args);
  const { release: version } = own;
  const fail = (thrown: unknown): void => {
    const broken = thrown instanceof BrokenInvariant;
    // The sentence of a known failure says what to do. Only a bug needs its place in the code.
    const stack =
      thrown instanceof Error && !(thrown instanceof GamError)
        ? sourceStack(thrown.stack ?? "", startedAtMs)
        : undefined;
    log.error(
      { reason: reasonOf(thrown), stack },
      broken
        ? "Stopped for a broken invariant; containers keep running"
        : "Stopped for an error; containers keep running",
    );
    process.exit(1);
  };
  process.on("unhandledRejection", fail);
  process.on("uncaughtException", fail);
  const agent = await Agent.start(config, log, own, fail);
  const api = await ApiServer.listen({
    socketPath: config.socket,
    engineSocketPath: config.engine,
    door: agent.door(),
    log,
    version,
  });
  log.info({ socket: config.socket, engine: config.engine, version: own.version }, "Serving");
  const manager = serviceManager({ environment: process.env, log });
  manager.ready();
  let stopping = false;
  const stop = async (signal: string): Promise<void> => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, "Stopping; containers keep running");
    manager.stopping();
    await api.close();
    await agent.stop();
    process.exit(0);
  };
  for (const signal of ["SIGINT", "SIGTERM"])
    process.on(signal, () => void stop(signal).catch(fail));
}

// Catches all: the process ends here.
run().catch((thrown) => {
  const known = thrown instanceof GamError;
  process.stderr.write(`gam agent: ${reasonOf(thrown)}\n`);
  process.exit(known && thrown.code === "BAD_REQUEST" ? 2 : 1);
});
