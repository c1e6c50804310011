import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { run } from "../../program.ts";
import { aNodeSummary, aStatus } from "../../testing/a-status.ts";

interface Answer {
  readonly type?: string;
  readonly body: string | Buffer;
}

/** An agent that answers paths without their query; the others with 404. Returns: its socket, and what it was asked. */
async function agentOf(
  context: TestContext,
  answers: Readonly<Record<string, Answer>>,
): Promise<{ socket: string; asked: URL[] }> {
  const folder = mkdtempSync(join(tmpdir(), "gam-see-"));
  const socket = join(folder, "gam.sock");
  const asked: URL[] = [];
  const server = createServer((call, reply) => {
    const url = new URL(call.url ?? "", "http://gam");
    asked.push(url);
    const found = answers[decodeURIComponent(url.pathname)];
    reply.statusCode = found === undefined ? 404 : 200;
    reply.setHeader("content-type", found?.type ?? "application/json");
    reply.end(found?.body ?? JSON.stringify({ message: `no ${url.pathname}` }));
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  context.after(() => {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  });
  return { socket, asked };
}

const nowMs = Date.UTC(2026, 11, 1, 12);

async function gam(
  socket: string,
  words: readonly string[],
  pause: () => Promise<void> = () => Promise.resolve(),
  interrupt: { call?: () => void } = {},
): Promise<{ exit: number; printed: string[]; complained: string[] }> {
  const printed: string[] = [];
  const complained: string[] = [];
  const exit = await run(["-s", socket, ...words], {
    environment: {},
    cwd: "/",
    isTerminal: false,
    pause,
    onInterrupt: (call) => {
      interrupt.call = call;
      return () => undefined;
    },
    nowMs: () => nowMs,
    print: (line) => printed.push(line),
    complain: (line) => complained.push(line),
  });
  return { exit, printed, complained };
}

const event = (Type: string, name: string, Attributes: object): string =>
  `${JSON.stringify({
    ...{ Type, Action: "update", scope: "swarm", time: 1, timeNano: (nowMs - 60_000) * 1e6 },
    Actor: { ID: "x".repeat(25), Attributes: { name, ...Attributes } },
  })}\n`;

test("gam events shows what changed, since an hour ago or another time", async (context) => {
  const body = [
    event("node", "host3", { "state.new": "down", "state.old": "ready" }),
    event("service", "web", { "gam.host": "host1" }),
    event("secret", "", {}),
  ].join("");
  const { socket, asked } = await agentOf(context, { "/events": { body } });
  const { exit, printed } = await gam(socket, ["events"]);
  assert.equal(exit, 0);
  assert.deepEqual(printed, [
    "2026-12-01 11:59:00Z  node update  host3  state: ready > down",
    "2026-12-01 11:59:00Z  service update  web  on host1",
    "2026-12-01 11:59:00Z  secret update  xxxxxxxxxxxx",
  ]);
  const seconds = nowMs / 1000;
  const query = (at: number): Record<string, string> =>
    Object.fromEntries(asked[at]?.searchParams ?? []);
  assert.deepEqual(query(0), {
    since: String(seconds - 3600),
    until: String(seconds),
    filters: '{"scope":["swarm"]}',
  });
  await gam(socket, ["events", "--since", "2d", "--follow", "--containers"]);
  assert.deepEqual(query(1), {
    since: String(seconds - 2 * 86_400),
    filters: '{"gam.hosts":["all"]}',
  });
  await gam(socket, ["events", "--since", "2026-11-30T00:00:00Z"]);
  assert.equal(query(2).since, String(Date.UTC(2026, 10, 30) / 1000));
  const json = await gam(socket, ["events", "--json"]);
  assert.deepEqual(json.printed, body.trim().split("\n"));
});

test("gam events refuses a time that it cannot read", async (context) => {
  const { socket, asked } = await agentOf(context, {});
  const { exit, complained } = await gam(socket, ["events", "--since", "yesterday"]);
  assert.equal(exit, 1);
  assert.match(complained[0] ?? "", /^gam: Cannot read the time "yesterday": write how long ago/);
  assert.equal(asked.length, 0);
});

test("gam events leaves out the events of health checks, but not for programs", async (context) => {
  const line = (Action: string): string =>
    `${JSON.stringify({ Type: "container", Action, time: 1, timeNano: nowMs * 1e6, Actor: { ID: "c", Attributes: { name: "wéb" } } })}\n`;
  const body = ["exec_create: true ", "exec_start: true ", "exec_die", "die"].map(line).join("");
  const { socket } = await agentOf(context, { "/events": { body } });
  const { printed } = await gam(socket, ["events", "--containers"]);
  assert.deepEqual(printed, ["2026-12-01 12:00:00Z  container die  wéb"]);
  const json = await gam(socket, ["events", "--containers", "--json"]);
  assert.equal(json.printed.length, 4);
});

test("gam events says why a host has none", async (context) => {
  const { socket } = await agentOf(context, { "/events": { body: "" } });
  const { exit, complained } = await gam(socket, ["events"]);
  assert.deepEqual([exit, complained], [1, ["gam: no /nodes"]]);
  const quiet = await agentOf(context, { "/events": { body: "" }, "/nodes": { body: "[]" } });
  assert.equal((await gam(quiet.socket, ["events"])).exit, 0);
});

test("gam logs refuses a name that would lead to another path", async (context) => {
  const { socket, asked } = await agentOf(context, {});
  for (const name of ["", ".", "..", "../../etc", "host2/", "/web"]) {
    const { exit, complained } = await gam(socket, ["logs", name]);
    assert.equal(exit, name === "" ? 2 : 1, name);
    assert.match(complained[0] ?? "", name === "" ? /'name' is empty/ : /Cannot read the name/);
  }
  assert.equal(asked.length, 0);
});

function frame(stream: number, text: string): Buffer {
  const header = Buffer.alloc(8);
  header[0] = stream;
  header.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([header, Buffer.from(text)]);
}

test("gam logs of a service names the task and the host of each line", async (context) => {
  const details = (task: string): string =>
    `com.docker.swarm.node.id=n,com.docker.swarm.service.id=s,com.docker.swarm.task.id=${task}`;
  const json = (value: unknown): Answer => ({ body: JSON.stringify(value) });
  const { socket, asked } = await agentOf(context, {
    "/services/web": json({}),
    "/tasks": json([
      { ID: "t1", Slot: 1, NodeID: "n1" },
      { ID: "t2", NodeID: "n1" },
    ]),
    "/nodes": json([{ ID: "n1", Description: { Hostname: "host1" } }]),
    "/services/web/logs": {
      type: "application/vnd.docker.multiplexed-stream",
      body: Buffer.concat([
        frame(1, `${details("t1")} hello\n`),
        frame(2, `2026-12-01T00:00:00.5Z ${details("t2")} an error\n`),
        frame(1, `${details("t3456789abc")} from a new task\n`),
        frame(1, "without details\n"),
      ]),
    },
  });
  const { printed, complained } = await gam(socket, ["logs", "-f", "-n", "5", "web"]);
  assert.deepEqual(printed, ["1@host1 | hello", "t3456789 | from a new task", "without details"]);
  assert.deepEqual(complained, ["host1 | 2026-12-01T00:00:00.5Z an error"]);
  const query = asked.at(-1)?.searchParams;
  assert.deepEqual(
    ["follow", "tail", "details", "since"].map((key) => query?.get(key)),
    ["1", "5", "1", null],
  );
});

test("gam logs of a container of another host asks for it by HOST/NAME", async (context) => {
  const { socket } = await agentOf(context, {
    "/containers/host2/proxy/logs": { type: "application/vnd.docker.raw-stream", body: "up\n" },
  });
  assert.deepEqual((await gam(socket, ["logs", "host2/proxy"])).printed, ["up"]);
  const missing = await gam(socket, ["logs", "nothing"]);
  assert.deepEqual(missing.complained, ["gam: no /containers/nothing/logs"]);
  assert.equal(missing.exit, 1);
});

test("gam status --watch shows it again only when it has changed, until Ctrl-C", async (context) => {
  const folder = mkdtempSync(join(tmpdir(), "gam-watch-"));
  const socket = join(folder, "gam.sock");
  context.after(() => rmSync(folder, { recursive: true }));
  const { usage } = aNodeSummary(1);
  const busy = usage === null ? null : { ...usage, cpu: 0.9 };
  const off = { isCaughtUp: false, stateAtMs: nowMs - 60_000 };
  const states = [
    aStatus([aNodeSummary(1, { role: "leader" })]),
    aStatus([aNodeSummary(1, { role: "leader" })]),
    // Usage and the seconds that are left change all the time.
    aStatus([aNodeSummary(1, { role: "leader", usage: busy })]),
    aStatus([aNodeSummary(1, { role: "leader", tasks: 7 })]),
    aStatus([aNodeSummary(1, { role: "leader", tasks: 7, graceMs: 9_000 })], off),
    aStatus([aNodeSummary(1, { role: "leader", tasks: 7, graceMs: 8_000 })], off),
  ];
  const server = createServer((_call, reply) => reply.end(JSON.stringify(states.shift())));
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  context.after(() => server.close());
  const interrupt: { call?: () => void } = {};
  const { exit, printed } = await gam(
    socket,
    ["status", "--watch"],
    async () => {
      if (states.length === 0) interrupt.call?.();
    },
    interrupt,
  );
  assert.equal(exit, 0);
  assert.equal(printed.filter((line) => line.startsWith("Mesh of 1 host")).length, 3);
  assert.equal(printed.filter((line) => line === "").length, 6, printed.join("\n"));
});
