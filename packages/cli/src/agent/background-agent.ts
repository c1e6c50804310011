/**
 * Background agent: starts an agent on this host for commands that need one.
 *
 * Where systemd has the service gam, it starts that. Otherwise the agent is a separate process that outlives the
 * command. Its output goes to a file in the data directory; messages about the agent name that file. GAM_COMMAND names
 * the program that is run as `gam agent`. scripts/gam sets it to itself, so that each agent starts with the same flags.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { GamError, hasCode, reasonOf, rethrowInvariant } from "@gam/core";
import { checkStatus } from "@gam/state/answers";
import type { AgentClient } from "./agent-client.ts";
import type { CommandIo } from "./command-io.ts";

const startMsMax = 20_000;
const pollMs = 50;
/** An agent stops within 30 s, or is killed by its service. */
const stopMsMax = 30_000;
const runFile = promisify(execFile);

/** An agent that this command has started; undefined where one answered before, or where it is a service. */
type Started = ChildProcess | undefined;

/**
 * Does the work with an agent that answers at the client's socket, and starts one if none does. If the work fails and
 * the host is in no cluster, an agent that was started for it is stopped again. `keeps`: whether it outlives work that
 * succeeds.
 *
 * Errors: UNREACHABLE with the last line of its log; REFUSED; those of the work.
 */
export async function withAgent<T>(
  client: AgentClient,
  io: CommandIo,
  { keeps, work }: { readonly keeps: boolean; readonly work: () => Promise<T> },
): Promise<T> {
  const started = await ensureAgent(client, io);
  try {
    const result = await work();
    if (!keeps) await stop(started, io);
    return result;
  } catch (thrown) {
    rethrowInvariant(thrown);
    if (started !== undefined && !(await isMember(client))) await stop(started, io);
    throw withLastWords(thrown, io);
  } finally {
    started?.unref();
  }
}

/** Returns: whether the data directory holds a membership, which an agent would resume. Errors: REFUSED. */
export function hasMembership(io: CommandIo): boolean {
  return existsSync(join(dataDirOf(io), "credentials.json"));
}

export function dataDirOf({ environment }: CommandIo): string {
  return environment.GAM_DATA_DIR || "/var/lib/gam";
}

async function isMember(client: AgentClient): Promise<boolean> {
  try {
    return checkStatus(await client.get("/gam/v1/status"), "status").state !== "inactive";
  } catch (thrown) {
    if (!(thrown instanceof GamError)) throw thrown;
    return false;
  }
}

async function stop(started: Started, io: CommandIo): Promise<void> {
  if (started === undefined || started.exitCode !== null || started.signalCode !== null) return;
  const ended = once(started, "exit");
  started.kill("SIGTERM");
  const isLate = await Promise.race([
    ended.then(() => false),
    sleep(stopMsMax, true, { ref: false }),
  ]);
  io.complain(
    isLate
      ? `The agent that was started for this does not stop (process ${started.pid}). End it with "kill ${started.pid}"`
      : "Stopped the agent that was started for this",
  );
}

/** An agent that ends while it answers cannot say why: its log can. */
function withLastWords(thrown: unknown, io: CommandIo): unknown {
  if (!(thrown instanceof GamError) || !hasCode(thrown.cause, "ECONNRESET")) return thrown;
  const logPath = join(dataDirOf(io), "agent.log");
  if (!existsSync(logPath)) return thrown;
  const message = `${thrown.message}. Last line of ${logPath}: ${lastLine(logPath)}`;
  return new GamError(thrown.code, message, { cause: thrown.cause });
}

async function ensureAgent(client: AgentClient, io: CommandIo): Promise<Started> {
  if (await client.answers()) return undefined;
  if (await startService(client, io)) return undefined;
  const dataDir = dataDirOf(io);
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
    const mayNot = hasCode(cause, "EACCES") || hasCode(cause, "EPERM");
    const advice = mayNot
      ? "Run this as root, or set GAM_DATA_DIR to another directory"
      : "Mend that disk, or set GAM_DATA_DIR to another directory";
    throw new GamError("REFUSED", `Cannot write ${logPath}: ${reasonOf(cause)}. ${advice}`, {
      cause,
    });
  }
  const child = spawn(command, ["agent"], {
    detached: true,
    stdio: ["ignore", log, log],
    cwd: "/",
    // The agent's own messages say how it was started.
    env: {
      ...io.environment,
      GAM_SOCKET: client.socket,
      GAM_DATA_DIR: dataDir,
      GAM_BACKGROUND: "1",
    },
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
      if (ended === undefined) await stop(child, io);
      // This command would wait for one that does not stop.
      child.unref();
      const message = `Cannot start agent: ${reason}. Last line of ${logPath}: ${lastLine(logPath)}`;
      throw new GamError("UNREACHABLE", message);
    }
    await sleep(pollMs);
  }
  child.removeAllListeners();
  io.complain(`Started an agent in the background (process ${child.pid}, log ${logPath})`);
  return child;
}

/**
 * Starts the service gam, if systemd runs this host and has it. A second agent beside the service would take its data
 * directory, and the service would never start.
 *
 * Returns: whether there is such a service. Errors: UNREACHABLE.
 */
async function startService(client: AgentClient, io: CommandIo): Promise<boolean> {
  if (io.environment.GAM_DATA_DIR || io.environment.GAM_SOCKET) return false;
  const env = { ...io.environment };
  try {
    const words = ["show", "gam.service", "--property=LoadState", "--value"];
    const { stdout } = await runFile("systemctl", words, { env, timeout: startMsMax });
    if (stdout.trim() !== "loaded") return false;
  } catch (thrown) {
    rethrowInvariant(thrown);
    return false;
  }
  try {
    await runFile("systemctl", ["start", "gam.service"], { env, timeout: 2 * startMsMax });
  } catch (cause) {
    rethrowInvariant(cause);
    const message = `Cannot start the service gam: ${reasonOf(cause)}. "journalctl -u gam" says why`;
    throw new GamError("UNREACHABLE", message, { cause });
  }
  const deadlineMs = io.nowMs() + startMsMax;
  while (!(await client.answers())) {
    if (io.nowMs() > deadlineMs) {
      const message = `The service gam runs and does not answer at ${client.socket}. "journalctl -u gam" says why`;
      throw new GamError("UNREACHABLE", message);
    }
    await sleep(pollMs);
  }
  io.complain("Started the service gam");
  return true;
}

function lastLine(path: string): string {
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  return lines.at(-1) || "none";
}
