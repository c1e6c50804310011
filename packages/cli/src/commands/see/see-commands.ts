/** See commands: `events` and `logs`: what happens in the cluster, from any host. */
import { StringDecoder } from "node:string_decoder";
import { check, GamError, jsonOr } from "@gam/core";
import type { AgentClient } from "../../agent/agent-client.ts";
import type { CommandIo } from "../../agent/command-io.ts";
import { momentOf } from "../../agent/moment.ts";
import { checkEvent, eventLine, type ShownEvent } from "../../views/see/event-line.ts";
import { LogLines, type Printer } from "../../views/see/log-lines.ts";

export interface EventsWish {
  /** As momentOf(). */
  readonly since: string;
  readonly follow?: boolean;
  /** Also those of the containers of all hosts. */
  readonly containers?: boolean;
  readonly json?: boolean;
}

export async function events(
  client: AgentClient,
  io: CommandIo,
  { since, follow = false, containers = false, json = false }: EventsWish,
): Promise<void> {
  const filters = containers ? { "gam.hosts": ["all"] } : { scope: ["swarm"] };
  const query = new URLSearchParams([
    ["since", String(momentOf(since, io.nowMs()))],
    ...(follow ? [] : [["until", String(io.nowMs() / 1000)]]),
    ["filters", JSON.stringify(filters)],
  ]);
  let isEmpty = true;
  const show = (line: string): void => {
    if (line !== "") isEmpty = false;
    if (json && line !== "") io.print(line);
    if (json || line === "") return;
    const event = checkEvent(jsonOr(line, undefined), "event");
    if (!isOfHealthCheck(event)) io.print(eventLine(event));
  };
  let held = "";
  // A character may begin in one piece and end in the next.
  const decoder = new StringDecoder("utf8");
  await client.stream(`/events?${query}`, (piece) => {
    const lines = `${held}${decoder.write(piece)}`.split("\n");
    held = lines.pop() ?? "";
    for (const line of lines) show(line);
  });
  show(held);
  // A worker and a host in no mesh have no events, and say so only when they are asked for something else.
  if (isEmpty) await client.get("/nodes");
}

/** Each health check makes three such events, which look like those of "docker exec". They would hide all others. */
function isOfHealthCheck({ Type, Action }: ShownEvent): boolean {
  return Type === "container" && /^exec_/.test(Action);
}

export interface LogsWish {
  /** A service, a task ("web.1" or its id) or a container (also HOST/NAME). */
  readonly name: string;
  readonly follow?: boolean;
  /** As momentOf(). */
  readonly since?: string;
  readonly tail: string;
  readonly timestamps?: boolean;
}

const checkTaskNames = check.list(
  check.object({
    ID: check.string(),
    Slot: check.optional(check.integer()),
    NodeID: check.optional(check.string()),
  }),
  100_000,
);
const checkHosts = check.list(
  check.object({ ID: check.string(), Description: check.object({ Hostname: check.string() }) }),
  10_000,
);

export async function logs(
  client: AgentClient,
  io: CommandIo,
  { name, follow = false, since, tail, timestamps = false }: LogsWish,
): Promise<void> {
  insistOnName(name);
  const kind = await kindOf(client, name);
  const query = new URLSearchParams([
    ["stdout", "1"],
    ["stderr", "1"],
    ["tail", tail],
    ...(follow ? [["follow", "1"]] : []),
    ...(since === undefined ? [] : [["since", String(momentOf(since, io.nowMs()))]]),
    ...(timestamps ? [["timestamps", "1"]] : []),
    ...(kind === "services" ? [["details", "1"]] : []),
  ]);
  const lines = new LogLines(kind === "services" ? await named(client, io, name) : io);
  const path = name.split("/").map(encodeURIComponent).join("/");
  await client.stream(`/${kind}/${path}/logs?${query}`, (piece, type) => lines.add(piece, type));
  lines.end();
}

/** Errors: BAD_REQUEST for what would lead to another path. */
function insistOnName(name: string): void {
  if (name.split("/").every((part) => !["", ".", ".."].includes(part))) return;
  throw new GamError(
    "BAD_REQUEST",
    `Cannot read the name "${name}": write a service, a task, a container or HOST/NAME`,
  );
}

/** A service comes before a task of this id, and both before containers. */
async function kindOf(
  client: AgentClient,
  name: string,
): Promise<"services" | "tasks" | "containers"> {
  for (const kind of ["services", "tasks"] as const) {
    const { status } = await client.ask("GET", `/${kind}/${encodeURIComponent(name)}`);
    if (status === 200) return kind;
  }
  return "containers";
}

/** Details come before a line, and after its time: key=value, with commas between. */
const detailed = /^(\S+Z )?(?:\S+,)?com\.docker\.swarm\.task\.id=(\w+)\S* ?(.*)$/s;

/** Returns: a printer that writes `1@host2 | ` before each line, from the details of the line. */
async function named(client: AgentClient, io: CommandIo, service: string): Promise<Printer> {
  const filters = encodeURIComponent(JSON.stringify({ service: [service] }));
  const tasks = checkTaskNames(await client.get(`/tasks?filters=${filters}`), "tasks");
  const nodes = checkHosts(await client.get("/nodes"), "nodes");
  const hosts = new Map(nodes.map(({ ID, Description }) => [ID, Description.Hostname]));
  const names = new Map(
    tasks.map(({ ID, Slot, NodeID = "" }) => {
      const host = hosts.get(NodeID) ?? "";
      return [ID, Slot === undefined ? host : `${Slot}${host === "" ? "" : `@${host}`}`];
    }),
  );
  const withName = (line: string): string => {
    const [, time = "", task, text] = detailed.exec(line) ?? [];
    // A task that began after the list was read is shown by its id.
    return task === undefined ? line : `${names.get(task) ?? task.slice(0, 8)} | ${time}${text}`;
  };
  return {
    print: (line) => io.print(withName(line)),
    complain: (line) => io.complain(withName(line)),
  };
}
