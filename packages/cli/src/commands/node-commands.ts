/** gam drain, gam resume: takes the tasks off a host before its maintenance, and lets it take tasks again. */
import { type Checked, check, GamError } from "@gam/core";
import { isTerminal, taskStates } from "@gam/state";
import type { AgentClient } from "../agent/agent-client.ts";
import type { CommandIo } from "../agent/command-io.ts";
import { listPath } from "../agent/engine-calls.ts";

const lookMs = 500;
const itemsMax = 100_000;
const text = check.string(1 << 16);
const nodes = check.list(
  check.object({
    ID: text,
    Version: check.object({ Index: check.integer() }),
    Spec: check.object({
      Name: check.optional(text),
      Role: text,
      Availability: text,
      Labels: check.optional(check.orNull(check.map(text, 10_000))),
    }),
    Description: check.object({ Hostname: text }),
    Status: check.object({ State: text }),
  }),
  itemsMax,
);
type Node = Checked<typeof nodes>[number];
const tasks = check.list(
  check.object({
    ServiceID: text,
    Slot: check.optional(check.integer()),
    Status: check.object({ State: check.literal(...taskStates) }),
  }),
  itemsMax,
);
const services = check.list(
  check.object({ ID: text, Spec: check.object({ Name: text }) }),
  itemsMax,
);

export interface DrainOptions {
  readonly host: string;
  readonly wait?: boolean;
}

/**
 * Returns: false if it was interrupted while it waited.
 *
 * Errors: NOT_FOUND for an unknown host, BAD_REQUEST for a name of several, REFUSED as the agent says; those of
 *         insistOnEnd().
 */
export async function drain(
  client: AgentClient,
  io: CommandIo,
  { host, wait = false }: DrainOptions,
): Promise<boolean> {
  const node = await nodeOf(client, host);
  const name = node.Description.Hostname;
  if (node.Spec.Availability !== "drain") await makeAvailable(client, node, "drain");
  const resume = `"gam resume ${host}" lets it take tasks again`;
  if (!wait) {
    io.print(`${name} takes no tasks, and those that it has move. ${resume}`);
    return true;
  }
  return await untilEmpty(client, io, { node, resume });
}

/** Errors: as drain(). */
export async function resume(client: AgentClient, io: CommandIo, host: string): Promise<void> {
  const node = await nodeOf(client, host);
  const name = node.Description.Hostname;
  if (node.Spec.Availability === "active") {
    io.print(`${name} takes tasks already`);
    return;
  }
  await makeAvailable(client, node, "active");
  io.print(
    `${name} takes tasks again. Those that moved away stay there; "gam rebalance" moves some back`,
  );
}

interface Waiting {
  readonly node: Node;
  readonly resume: string;
}

async function untilEmpty(
  client: AgentClient,
  io: CommandIo,
  { node, resume }: Waiting,
): Promise<boolean> {
  const name = node.Description.Hostname;
  let isInterrupted = false;
  const undo = io.onInterrupt(() => {
    isInterrupted = true;
  });
  try {
    let last = "";
    for (;;) {
      const left = await tasksOn(client, node.ID);
      if (left.length === 0) {
        io.print(`${name} has no tasks. ${resume}`);
        return true;
      }
      insistOnEnd(await nodeOf(client, node.ID), left);
      if (isInterrupted) {
        io.complain(`gam: ${name} stays drained, and still has ${left.join(", ")}. ${resume}`);
        return false;
      }
      const line = `${name} has ${left.length} of its tasks: ${left.join(", ")}`;
      if (line !== last) io.print(line);
      last = line;
      await io.pause(lookMs);
    }
  } finally {
    undo();
  }
}

/** Errors: UNREACHABLE, REFUSED where the tasks will not end, however long one waits. */
function insistOnEnd({ Description, Spec, Status }: Node, left: readonly string[]): void {
  const name = Description.Hostname;
  const tasks = left.join(", ");
  if (Spec.Availability !== "drain") {
    const message = `${name} takes tasks again: somebody has changed that meanwhile. It has ${tasks}`;
    throw new GamError("REFUSED", message);
  }
  if (Status.State !== "down") return;
  const message = `${name} is down, so it cannot say that these have ended: ${tasks}. It stays drained: others run instead of them, and ${name} stops them when it is back`;
  throw new GamError("UNREACHABLE", message);
}

/** Names of the tasks that have not ended, in the order of the alphabet. */
async function tasksOn(client: AgentClient, id: string): Promise<string[]> {
  const all = tasks(await client.get(listPath("/tasks", { node: [id] })), "tasks");
  const open = all.filter(({ Status }) => !isTerminal(Status.State));
  if (open.length === 0) return [];
  const known = services(await client.get("/services"), "services");
  const nameOf = new Map(known.map(({ ID, Spec }) => [ID, Spec.Name]));
  return open
    .map(({ ServiceID, Slot }) => {
      const service = nameOf.get(ServiceID) ?? "a removed service";
      return Slot === undefined ? service : `${service}.${Slot}`;
    })
    .sort();
}

async function nodeOf(client: AgentClient, host: string): Promise<Node> {
  const all = nodes(await client.get("/nodes"), "nodes");
  const exact = all.find(({ ID }) => ID === host);
  if (exact !== undefined) return exact;
  const named = all.filter(({ Description }) => Description.Hostname === host);
  const found = named.length > 0 ? named : all.filter(({ ID }) => ID.startsWith(host));
  const [only, other] = found;
  if (only === undefined) {
    const known = all.map(({ Description }) => Description.Hostname).sort();
    throw new GamError("NOT_FOUND", `Cannot find host ${host}: there are ${known.join(", ")}`);
  }
  if (other === undefined) return only;
  const ids = found.map(({ ID, Status }) => `${ID} (${Status.State})`).join(", ");
  throw new GamError("BAD_REQUEST", `${found.length} hosts are called ${host}: use an id, ${ids}`);
}

async function makeAvailable(
  client: AgentClient,
  { ID, Version, Spec }: Node,
  Availability: "active" | "drain",
): Promise<void> {
  await client.post(`/nodes/${ID}/update?version=${Version.Index}`, { ...Spec, Availability });
}
