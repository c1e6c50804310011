/**
 * Background agent: starts an agent on this host for commands that need one.
 *
 * The agent is a separate process that outlives the command. Its output goes to a file in the data directory;
 * messages about the agent name that file. GAM_COMMAND names the program that is run as `gam agent`. scripts/gam
 * sets it to itself, so that each agent starts with the same flags.
 */
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { GamError, rethrowInvariant } from "@gam/core";
import type { AgentClient } from "./agent-client.ts";
import type { CommandIo } from "./command-io.ts";

const startMsMax = 20_000;
const pollMs = 50;

/**
 * Resolves when an agent answers at the client's socket. Errors: UNREACHABLE with the last line of its log;
 * REFUSED.
 */
export async function ensureAgent(client: AgentClient, io: CommandIo): Promise<void> {
  if (await client.answers()) return;
  const dataDir = io.environment.GAM_DATA_DIR || "/var/lib/gam";
  const logPath = join(dataDir, "agent.log");
  const command = io.environment.GAM_COMMAND;
  if (!command) {
    const advice = 'Run this command as "scripts/gam", or start an agent with "gam agent"';
    throw new GamError("REFUSED", `Cannot start agent: GAM_COMMAND is not set. ${advice}`);
  }
  let log: number;
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    log = openSync(logPath, "a", 0o600);
  } catch (cause) {
    rethrowInvariant(cause);
    const advice = "Run this as root, or set GAM_DATA_DIR to another directory";
    throw new GamError("REFUSED", `Cannot write ${logPath}: ${String(cause)}. ${advice}`, {
      cause,
    });
  }
  const child = spawn(command, ["agent"], {
    detached: true,
    stdio: ["ignore", log, log],
    cwd: "/",
    env: { ...io.environment, GAM_SOCKET: client.socket, GAM_DATA_DIR: dataDir },
  });
  closeSync(log);
  let ended: string | undefined;
  child.on("error", (error) => {
    ended = error.message;
  });
  child.on("exit", (code, signal) => {
    ended = `it ended with ${signal ?? `code ${code}`}`;
  });
  const deadlineMs = io.nowMs() + startMsMax;
  while (!(await client.answers())) {
    const late = io.nowMs() > deadlineMs ? `no answer in ${startMsMax / 1000} s` : undefined;
    const reason = ended ?? late;
    if (reason !== undefined) {
      const message = `Cannot start agent: ${reason}. Last line of ${logPath}: ${lastLine(logPath)}`;
      throw new GamError("UNREACHABLE", message);
    }
    await sleep(pollMs);
  }
  child.removeAllListeners();
  child.unref();
  io.complain(`Started an agent in the background (process ${child.pid}, log ${logPath})`);
}

function lastLine(path: string): string {
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  return lines.at(-1) || "none";
}
