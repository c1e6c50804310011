import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { run } from "./program.ts";
import { aNodeSummary, aStatus, nodeIdOf } from "./testing/a-status.ts";
import { type FakeAgent, fakeAgent, refusal, type Script } from "./testing/fake-agent.ts";

interface Ran {
  readonly exit: number;
  readonly printed: string;
  readonly complained: string;
}

const folder = mkdtempSync(join(tmpdir(), "gam-program-"));

/** Keeps tests from reaching or starting an agent of this machine. Without a PATH there is no docker client. */
const nowhere = {
  PATH: "",
  GAM_SOCKET: join(folder, "nowhere.sock"),
  GAM_DATA_DIR: join(folder, "nowhere"),
  GAM_COMMAND: join(folder, "nowhere.mjs"),
};

async function gam(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  const printed: string[] = [];
  const complained: string[] = [];
  const exit = await run(args, {
    environment: { ...nowhere, ...environment },
    cwd: folder,
    isTerminal: false,
    pause: () => Promise.resolve(),
    onInterrupt: () => () => undefined,
    nowMs: () => Date.now(),
    print: (line) => printed.push(line),
    complain: (line) => complained.push(line),
  });
  return { exit, printed: printed.join("\n"), complained: complained.join("\n") };
}

/** Writes a program that is run as "gam agent". Returns: its path. */
function agentProgram(name: string, text: string): string {
  const path = join(folder, `${name}.mjs`);
  writeFileSync(path, `#!${process.execPath}\n${text}`, { mode: 0o755 });
  return path;
}

async function withAgent(context: TestContext, script: Script): Promise<FakeAgent> {
  const agent = await fakeAgent(script);
  context.after(() => agent.close());
  return agent;
}

test.after(() => rmSync(folder, { recursive: true }));

const node = aNodeSummary(1, { role: "leader", usage: null, tasks: 0 });
const status = aStatus([node], { self: node.id, term: 2 });
const tokens = { worker: "gam-1-w", manager: "gam-1-m" };

test("gam without an agent names the socket and what to do", async () => {
  const { exit, complained } = await gam(["--socket", join(folder, "none.sock"), "status"]);
  assert.equal(exit, 1);
  assert.equal(
    complained,
    `gam: Cannot reach agent at ${folder}/none.sock: there is no such socket. Start an agent with "gam agent"`,
  );
});

test("gam unlock takes the key from a file, and never from the command line", async (t) => {
  const key = "SWMKEY-1-C5o6o0VNaw7NWshy3E00O8dXoWy2HPyiJLTgcZKs3W4";
  const agent = await withAgent(t, { "POST /gam/v1/unlock": { node: node.id } });
  writeFileSync(join(folder, "unlock.key"), `${key}\n`);
  const here = ["--socket", agent.socket, "unlock"];
  const { exit, printed } = await gam([...here, "--key-file", "unlock.key"]);
  assert.deepEqual([exit, printed.split(":")[0]], [0, "Unlocked"]);
  assert.deepEqual(agent.heard, [{ call: "POST /gam/v1/unlock", body: { key } }]);
  assert.match((await gam(here)).complained, /this is no terminal\. .* "--key-file FILE"/);
  assert.match(
    (await gam([...here, "--key-file", "none"])).complained,
    /^gam: Cannot read none: there is no such file$/m,
  );
  assert.equal((await gam([...here, key])).exit, 2);
  assert.equal(agent.heard.length, 1);
});

for (const args of [
  ["frobnicate"],
  ["join"],
  ["token", "--role", "king"],
  ["stack", "deploy", "x"],
  ["stack", "deploy", "-c", "x.yml", "--detach=maybe", "x"],
]) {
  test(`gam ${args.join(" ")} is wrong usage`, async () => {
    const { exit, printed, complained } = await gam(args);
    assert.deepEqual({ exit, printed }, { exit: 2, printed: "" });
    assert.match(complained, /^gam: /);
  });
}

test("gam --version and --help exit with 0", async () => {
  assert.deepEqual(await gam(["--version"]), { exit: 0, printed: "0.1.0", complained: "" });
  const { exit, printed } = await gam(["--help"]);
  assert.equal(exit, 0);
  assert.match(printed, /begin a mesh with this host/);
});

test("gam init shows the command for the next host", async (context) => {
  const agent = await withAgent(context, {
    "GET /gam/v1/status": status,
    "POST /gam/v1/init": {},
    "GET /gam/v1/token": tokens,
  });
  const { exit, printed } = await gam(["init", "--advertise", "10.0.0.1"], {
    GAM_SOCKET: agent.socket,
  });
  assert.equal(exit, 0);
  assert.match(printed, /^ {2}gam join gam-1-m$/m);
  assert.deepEqual(agent.heard[1], {
    call: "POST /gam/v1/init",
    body: { advertiseAddr: "10.0.0.1" },
  });
});

test("gam join with a worker's token says so", async (context) => {
  const agent = await withAgent(context, {
    "GET /gam/v1/status": {
      ...status,
      self: nodeIdOf(2),
      nodes: [node, { ...node, id: nodeIdOf(2), role: "worker" }],
    },
    "POST /gam/v1/join": {},
  });
  const { printed } = await gam(["-s", agent.socket, "join", "gam-1-w"]);
  assert.equal(printed, "Joined as a worker: the mesh has 2 hosts, led by host1");
});

test("gam join sends the token and the addresses", async (context) => {
  const agent = await withAgent(context, {
    "GET /gam/v1/status": {
      ...status,
      nodes: [node, { ...node, id: nodeIdOf(2), hostname: "host2" }],
    },
    "POST /gam/v1/join": {},
  });
  const { exit, printed } = await gam(["-s", agent.socket, "join", "gam-1-m", "10.0.0.1:7946"]);
  assert.deepEqual(
    { exit, printed },
    { exit: 0, printed: "Joined: the mesh has 2 hosts, led by host1" },
  );
  assert.deepEqual(agent.heard[1]?.body, { token: "gam-1-m", addresses: ["10.0.0.1:7946"] });
});

test("gam leave shows the agent's refusal", async (context) => {
  const agent = await withAgent(context, {
    "GET /gam/v1/status": status,
    "POST /gam/v1/leave": 503,
  });
  const { exit, complained } = await gam(["-s", agent.socket, "leave"]);
  assert.deepEqual({ exit, complained }, { exit: 1, complained: "gam: refused with 503" });
  assert.deepEqual(agent.heard[1]?.body, { force: false });
});

test("gam rewords Swarm's refusals", async (context) => {
  const agent = await withAgent(context, {
    "GET /gam/v1/status": status,
    "POST /gam/v1/init": refusal(503, 'This node is already part of a swarm. Use "docker swarm …'),
    "GET /gam/v1/token": refusal(503, "This node is not a swarm manager. Use …"),
  });
  const said = async (...args: string[]): Promise<string> =>
    (await gam(["-s", agent.socket, ...args])).complained;
  assert.match(await said("init"), /^gam: This host is already in a mesh\. Run "gam status"/);
  assert.match(await said("token"), /^gam: This host is in no mesh\. Run "gam init" to begin one/);
});

test("gam token --role prints the token and nothing else", async (context) => {
  const agent = await withAgent(context, {
    "GET /gam/v1/token": tokens,
    "POST /gam/v1/token/rotate": {},
  });
  const { printed } = await gam(["-s", agent.socket, "token", "--role", "worker", "--rotate"]);
  assert.equal(printed, "gam-1-w");
  assert.deepEqual(agent.heard[0], { call: "POST /gam/v1/token/rotate", body: { role: "worker" } });
});

test("gam status --json prints the whole answer", async (context) => {
  const agent = await withAgent(context, { "GET /gam/v1/status": status });
  const { printed } = await gam(["-s", agent.socket, "status", "--json"]);
  assert.deepEqual(JSON.parse(printed), status);
});

test("gam status refuses an invalid answer", async (context) => {
  const agent = await withAgent(context, { "GET /gam/v1/status": { state: "active" } });
  const { exit, complained } = await gam(["-s", agent.socket, "status"]);
  assert.equal(exit, 1);
  assert.match(complained, /Cannot read status\.version/);
});

test("gam init starts an agent if none runs", async (context) => {
  const program = agentProgram(
    "agent",
    `import { createServer } from "node:http";
     if (process.argv[2] !== "agent") throw new Error("called with other words");
     const answers = { "/gam/v1/status": ${JSON.stringify(status)}, "/gam/v1/token": ${JSON.stringify(tokens)} };
     createServer((call, answer) => answer.end(JSON.stringify(answers[call.url] ?? {}))).listen(process.env.GAM_SOCKET);`,
  );
  const socket = join(folder, "started.sock");
  const environment = { GAM_COMMAND: program, GAM_DATA_DIR: join(folder, "data") };
  const { exit, printed, complained } = await gam(["-s", socket, "init"], environment);
  const pid = Number(/process (\d+)/.exec(complained)?.[1]);
  context.after(() => process.kill(pid));
  assert.equal(exit, 0);
  assert.match(complained, /^Started an agent in the background .*data\/agent\.log/);
  assert.match(printed, /gam join gam-1-m/);
});

test("gam init names what is missing to start an agent", async () => {
  const { exit, complained } = await gam(["init"], { GAM_COMMAND: "" });
  assert.equal(exit, 1);
  assert.match(
    complained,
    /^gam: Cannot start agent: GAM_COMMAND is not set\. Run this command as "scripts\/gam", or start/,
  );
});

test("gam init shows the last log line of an agent that does not start", async () => {
  const program = agentProgram(
    "broken",
    'console.log("first");\nconsole.log("no engine");\nprocess.exitCode = 3;\n',
  );
  const environment = { GAM_COMMAND: program, GAM_DATA_DIR: join(folder, "broken") };
  const { exit, complained } = await gam(["-s", join(folder, "broken.sock"), "init"], environment);
  assert.equal(exit, 1);
  assert.match(
    complained,
    /^gam: Cannot start agent: it ended with code 3\. Last line of .*agent\.log: no engine/,
  );
});

test("gam doctor exits with 1 when something is wrong, also with --json", async (context) => {
  const well = { topic: "agents", subject: "host1", result: "passed", found: "", remedy: "" };
  const bad = { ...well, result: "failed", found: "Its agent does not answer", remedy: "Start it" };
  for (const [healthy, checks, exit] of [
    [true, [well], 0],
    [false, [bad], 1],
  ] as const) {
    const report = { healthy, checks };
    const agent = await withAgent(context, { "GET /gam/v1/doctor": report });
    const shown = await gam(["--socket", agent.socket, "doctor"]);
    assert.equal(shown.exit, exit);
    assert.match(shown.printed, healthy ? /Nothing is wrong/ : /host1: Its agent .*\n {2}Start it/);
    const json = await gam(["--socket", agent.socket, "doctor", "--json"]);
    assert.equal(json.exit, exit);
    assert.deepEqual(JSON.parse(json.printed), report);
  }
});

test("gam stack config takes files that are separated by commas", async () => {
  const [one, two] = [join(folder, "one.yml"), join(folder, "two.yml")];
  writeFileSync(one, "services: {a: {image: x}}\n");
  writeFileSync(two, "services: {a: {tty: true}}\n");
  const { exit, printed } = await gam(["stack", "config", "-c", `${one},${two}`]);
  assert.equal(exit, 0);
  assert.equal(printed, 'services:\n  a:\n    image: x\n    tty: true\nversion: "3.13"');
});

const policyAnswer = {
  powers: [
    { power: "privileged", services: [] },
    { power: "devices", services: ["mon", "shop_*"] },
    { power: "host-paths", services: ["*"] },
  ],
  breaches: [{ service: "old", powers: ["privileged"] }],
};

test("policy shows who may have what, and what runs with more", async (context) => {
  const { socket } = await withAgent(context, { "GET /gam/v1/policy": policyAnswer });
  const { exit, printed } = await gam(["policy"], { GAM_SOCKET: socket });
  assert.equal(exit, 0);
  assert.deepEqual(printed.split("\n"), [
    "POWER       SERVICES",
    "privileged  none",
    "devices     mon, shop_*",
    "host-paths  all",
    "",
    "These services run with more than they may have now. They are refused at their next update:",
    "  old: privileged",
  ]);
});

test("policy allow and deny send what was asked", async (context) => {
  const agent = await withAgent(context, { "POST /gam/v1/policy": policyAnswer });
  const at = { GAM_SOCKET: agent.socket };
  for (const words of ["allow devices mon shop_*", "deny devices mon", "deny devices"]) {
    assert.equal((await gam(["policy", ...words.split(" ")], at)).exit, 0);
  }
  assert.deepEqual(
    agent.heard.map(({ body }) => body),
    [
      { power: "devices", allow: ["mon", "shop_*"] },
      { power: "devices", deny: ["mon"] },
      { power: "devices", deny: [] },
    ],
  );
});

test("policy allow without a service is wrong usage", async () => {
  const { exit, complained } = await gam(["policy", "allow", "devices"]);
  assert.equal(exit, 2);
  assert.match(complained, /missing required argument 'services'/);
});
