/** Mesh commands: `init`, `join`, `leave`, `unlock`, `token`, `status`. Each asks the agent and prints the answer. */
import { check, GamError } from "@gam/core";
import { checkJoinTokens, checkStatus, type GamStatus, type JoinTokens } from "@gam/state/answers";
import { createColors } from "picocolors";
import type { AgentClient } from "../agent/agent-client.ts";
import { dataDirOf, hasMembership, withAgent } from "../agent/background-agent.ts";
import type { CommandIo } from "../agent/command-io.ts";
import { makeDockerContext } from "../agent/docker-context.ts";
import { readInputFile } from "../agent/input-file.ts";
import { statusView } from "../views/status-view.ts";
import { warnOfHost } from "./doctor.ts";

async function statusOf(client: AgentClient): Promise<GamStatus> {
  return checkStatus(await client.get("/gam/v1/status"), "status");
}

export async function tokensOf(client: AgentClient): Promise<JoinTokens> {
  return checkJoinTokens(await client.get("/gam/v1/token"), "token");
}

export async function init(
  client: AgentClient,
  io: CommandIo,
  { advertise }: { readonly advertise?: string },
): Promise<void> {
  const work = async (): Promise<void> => {
    await client.post("/gam/v1/init", advertise === undefined ? {} : { advertiseAddr: advertise });
  };
  await withAgent(client, io, { keeps: true, work });
  const { manager } = await tokensOf(client);
  io.print("Began a mesh with this host. To add another host, run on that host:");
  io.print("");
  io.print(`  gam join ${manager}`);
  io.print("");
  await mentionContext(client, io);
  await warnOfHost(client, io);
}

export interface JoinOptions {
  /** "-" for standard input. Absent: it is in `tokenFile`. */
  readonly token?: string;
  /** "-" for standard input. */
  readonly tokenFile?: string;
  /** `host:port` of members to ask. Empty: those in the token. */
  readonly addresses: readonly string[];
  readonly advertise?: string;
}

export async function join(
  client: AgentClient,
  io: CommandIo,
  { token, tokenFile, addresses, advertise }: JoinOptions,
): Promise<void> {
  const file = tokenFile ?? (token === "-" ? "-" : undefined);
  // Other users of the host can see a command line.
  const text = file === undefined ? (token ?? "") : readInputFile(io, file).trim();
  const work = async (): Promise<boolean> => {
    const isMember = (await statusOf(client)).state === "active";
    if (isMember && advertise !== undefined) throw movesNobody();
    await client.post("/gam/v1/join", {
      token: text,
      ...(addresses.length > 0 && { addresses }),
      ...(advertise !== undefined && { advertiseAddr: advertise }),
    });
    return isMember;
  };
  const wasMember = await withAgent(client, io, { keeps: true, work });
  const { nodes, leader, self } = await statusOf(client);
  const own = nodes.find(({ id }) => id === self);
  const as = own?.role === "worker" ? " as a worker" : "";
  const leading = nodes.find(({ id }) => id === leader)?.hostname;
  const led = leading === undefined ? "" : `, led by ${leading}`;
  const mesh = `the mesh has ${nodes.length} host${nodes.length === 1 ? "" : "s"}${led}`;
  io.print(
    wasMember
      ? `This host was a member already, and has looked for the others at the addresses in the token: ${mesh}`
      : `Joined${as}: ${mesh}`,
  );
  await mentionContext(client, io);
  if (!wasMember) await warnOfHost(client, io);
}

function movesNobody(): GamError {
  return new GamError(
    "REFUSED",
    'Cannot change the address of a member with "gam join". Set GAM_ADVERTISE for its agent (in /etc/default/gam) and restart the agent',
  );
}

async function mentionContext(client: AgentClient, io: CommandIo): Promise<void> {
  const said = await makeDockerContext(client.socket, io.environment);
  if (said !== undefined) io.print(said);
}

export async function leave(
  client: AgentClient,
  io: CommandIo,
  { force = false }: { readonly force?: boolean },
): Promise<void> {
  const ran = await client.answers();
  if (!ran && !hasMembership(io)) {
    const message = `Cannot leave: this host is in no mesh. No agent answers at ${client.socket}, and ${dataDirOf(io)} holds no membership`;
    throw new GamError("NOT_MEMBER", message);
  }
  const work = async (): Promise<unknown> => await client.post("/gam/v1/leave", { force });
  const answer = await withAgent(client, io, { keeps: false, work });
  const waits = ran ? '. Its agent keeps running and waits for "gam init" or "gam join"' : "";
  io.print(`This host has left the mesh${waits}`);
  if (checkLeft(answer, "answer").isListed !== true) return;
  io.complain(
    'The other hosts could not be told and still list this one. Run "docker node rm --force HOST" on one of them',
  );
}

const checkLeft = check.object({ isListed: check.optional(check.boolean) });

/** The key comes from the terminal or a file: other users of the host can see a command line. */
export async function unlock(
  client: AgentClient,
  io: CommandIo,
  { keyFile }: { readonly keyFile?: string },
): Promise<void> {
  const key = keyFile === undefined ? await askForKey(io) : readInputFile(io, keyFile);
  await client.post("/gam/v1/unlock", { key: key.trim() });
  io.print('Unlocked: this host takes part again. Run "gam status" to see the mesh');
}

async function askForKey(io: CommandIo): Promise<string> {
  if (io.ask !== undefined) return await io.ask("Please enter unlock key: ");
  throw new GamError(
    "BAD_REQUEST",
    'Cannot ask for the unlock key: this is no terminal. Give the key with "--key-file FILE", or "--key-file -" for standard input',
  );
}

export async function token(
  client: AgentClient,
  io: CommandIo,
  { rotate, role }: { readonly rotate?: boolean; readonly role?: "worker" | "manager" },
): Promise<void> {
  if (rotate) await client.post("/gam/v1/token/rotate", role === undefined ? {} : { role });
  const { worker, manager } = await tokensOf(client);
  if (rotate) io.complain("The old tokens no longer work. Hosts that have joined stay members");
  if (role !== undefined) {
    io.print(role === "worker" ? worker : manager);
    return;
  }
  io.print("To add a manager, run on its host:");
  io.print("");
  io.print(`  gam join ${manager}`);
  io.print("");
  io.print("To add a worker, run on its host:");
  io.print("");
  io.print(`  gam join ${worker}`);
}

export async function status(
  client: AgentClient,
  io: CommandIo,
  { json = false, watch = false }: { readonly json?: boolean; readonly watch?: boolean },
): Promise<void> {
  if (watch) return await watchStatus(client, io);
  const answer = await client.get("/gam/v1/status");
  if (json) io.print(JSON.stringify(answer, undefined, 2));
  else for (const line of statusLines(answer, io)) io.print(line);
}

function statusLines(answer: unknown, io: CommandIo): string[] {
  return statusView(checkStatus(answer, "status"), createColors(io.isTerminal), io.nowMs());
}

const watchMs = 1_000;
const clearScreen = "\u001b[H\u001b[2J";

/** Shows the status whenever it has changed, until Ctrl-C. An agent that does not answer is one of the things to see. */
async function watchStatus(client: AgentClient, io: CommandIo): Promise<void> {
  let isOver = false;
  const restore = io.onInterrupt(() => {
    isOver = true;
  });
  let shown = "";
  while (!isOver) {
    const { lines, lasting } = await statusOrWhyNot(client, io);
    // A screen shows the time that passes. In a file only what is new is worth a line.
    const mark = (io.draw === undefined ? lasting : lines).join("\n");
    if (mark !== shown) {
      if (io.draw === undefined && shown !== "") io.print("");
      io.draw?.(clearScreen);
      for (const line of lines) io.print(line);
      shown = mark;
    }
    await io.pause(watchMs);
  }
  restore();
}

interface Shown {
  readonly lines: readonly string[];
  /** The same without what changes each second: usage, and how long ago or how soon. */
  readonly lasting: readonly string[];
}

async function statusOrWhyNot(client: AgentClient, io: CommandIo): Promise<Shown> {
  try {
    const status = checkStatus(await client.get("/gam/v1/status"), "status");
    const paint = createColors(io.isTerminal);
    const nodes = status.nodes.map((node) => {
      return { ...node, usage: null, graceMs: node.graceMs === null ? null : 0 };
    });
    return {
      lines: statusView(status, paint, io.nowMs()),
      lasting: statusView({ ...status, nodes }, paint, status.stateAtMs),
    };
  } catch (thrown) {
    if (!(thrown instanceof GamError)) throw thrown;
    return { lines: [thrown.message], lasting: [thrown.message] };
  }
}
