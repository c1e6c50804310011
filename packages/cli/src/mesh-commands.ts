/** Mesh commands: `init`, `join`, `leave`, `token`, `status`, each in words to the agent and back. */
import { checkJoinTokens, checkStatus, type GamStatus, type JoinTokens } from "@gam/state/answers";
import { createColors } from "picocolors";
import type { AgentClient } from "./agent-client.ts";
import { ensureAgent } from "./background-agent.ts";
import { makeDockerContext } from "./docker-context.ts";
import { statusView } from "./status-view.ts";
import type { World } from "./world.ts";

async function statusOf(client: AgentClient): Promise<GamStatus> {
  return checkStatus(await client.get("/gam/v1/status"), "status");
}

async function tokensOf(client: AgentClient): Promise<JoinTokens> {
  return checkJoinTokens(await client.get("/gam/v1/token"), "token");
}

export async function init(
  client: AgentClient,
  world: World,
  { advertise }: { readonly advertise?: string },
): Promise<void> {
  await ensureAgent(client, world);
  await client.post("/gam/v1/init", advertise === undefined ? {} : { advertiseAddr: advertise });
  const { manager } = await tokensOf(client);
  world.print("This host is a mesh of one. To add another, run there:");
  world.print("");
  world.print(`  gam join ${manager}`);
  world.print("");
  await mentionContext(client, world);
}

export interface JoinOptions {
  readonly token: string;
  /** `host:port` of members to ask. Empty: those that the token names. */
  readonly addresses: readonly string[];
  readonly advertise?: string;
}

export async function join(
  client: AgentClient,
  world: World,
  { token, addresses, advertise }: JoinOptions,
): Promise<void> {
  await ensureAgent(client, world);
  await client.post("/gam/v1/join", {
    token,
    ...(addresses.length > 0 && { addresses }),
    ...(advertise !== undefined && { advertiseAddr: advertise }),
  });
  const { nodes, leader, self } = await statusOf(client);
  const as = nodes.find(({ id }) => id === self)?.role === "worker" ? " as a worker" : "";
  const leading = nodes.find(({ id }) => id === leader)?.hostname;
  const led = leading === undefined ? "" : `, led by ${leading}`;
  world.print(
    `Joined${as}: the mesh has ${nodes.length} host${nodes.length === 1 ? "" : "s"}${led}`,
  );
  await mentionContext(client, world);
}

async function mentionContext(client: AgentClient, world: World): Promise<void> {
  const said = await makeDockerContext(client.socket, world.environment);
  if (said !== undefined) world.print(said);
}

export async function leave(
  client: AgentClient,
  world: World,
  { force = false }: { readonly force?: boolean },
): Promise<void> {
  await ensureAgent(client, world);
  await client.post("/gam/v1/leave", { force });
  world.print("This host has left the mesh; its agent runs on and waits for init or join");
}

export async function token(
  client: AgentClient,
  world: World,
  { rotate, role }: { readonly rotate?: boolean; readonly role?: "worker" | "manager" },
): Promise<void> {
  if (rotate) await client.post("/gam/v1/token/rotate", role === undefined ? {} : { role });
  const { worker, manager } = await tokensOf(client);
  if (rotate) world.complain("Old tokens are refused from now on; members stay members");
  if (role !== undefined) {
    world.print(role === "worker" ? worker : manager);
    return;
  }
  world.print("To add a host that may lead, run there:");
  world.print("");
  world.print(`  gam join ${manager}`);
  world.print("");
  world.print("To add a host that only works:");
  world.print("");
  world.print(`  gam join ${worker}`);
}

export async function status(
  client: AgentClient,
  world: World,
  { json = false }: { readonly json?: boolean },
): Promise<void> {
  const answer = await client.get("/gam/v1/status");
  if (json) {
    world.print(JSON.stringify(answer, undefined, 2));
    return;
  }
  const paint = createColors(world.isTerminal);
  for (const line of statusView(checkStatus(answer, "status"), paint)) world.print(line);
}
