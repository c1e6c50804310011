import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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
  nowMs: () => number = () => Date.now(),
): Promise<Ran> {
  const printed: string[] = [];
  const complained: string[] = [];
  const exit = await run(args, {
    environment: { ...nowhere, ...environment },
    cwd: folder,
    isTerminal: false,
    pause: () => Promise.resolve(),
    onInterrupt: () => () => undefined,
    nowMs,
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

test("gam version needs no agent, and shows the version of one that is there", async (t) => {
  const agent = await withAgent(t, { "GET /gam/v1/status": status });
  const here = await gam(["--socket", agent.socket, "version"]);
  assert.match(here.printed, /^command {2}\d+\.\d+\.\d+\nagent {4}\S+$/);
  const alone = await gam(["--socket", join(folder, "none.sock"), "version"]);
  assert.equal(alone.exit, 0);
  assert.match(alone.printed, /^command {2}\S+$/);
  assert.match(alone.complained, /Cannot reach agent/);
});

test("gam without an agent names the socket and what to do", async () => {
  const { exit, complained } = await gam(["--socket", join(folder, "none.sock"), "status"]);
  assert.equal(exit, 1);
  assert.equal(
    complained,
    `gam: Cannot reach agent at ${folder}/none.sock: there is no such socket. Start an agent with "systemctl start gam" or "gam agent"`,
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
    "GET /gam/v1/doctor?paths=no&only=self": well,
  });
  const { exit, printed } = await gam(["init", "--advertise", "10.0.0.1"], {
    GAM_SOCKET: agent.socket,
  });
  assert.equal(exit, 0);
  assert.match(printed, /^ {2}gam join gam-1-m$/m);
  const sent = agent.heard.find(({ call }) => call === "POST /gam/v1/init");
  assert.deepEqual(sent?.body, { advertiseAddr: "10.0.0.1" });
});

const well = { healthy: true, findings: [], checks: [] };

/** The status of a host that is in no mesh until the agent was told to join. */
function joining(after: object): Script {
  let joined = false;
  return {
    "GET /gam/v1/status": () => (joined ? after : { ...status, state: "inactive" }),
    "POST /gam/v1/join": () => {
      joined = true;
      return {};
    },
    "GET /gam/v1/doctor?paths=no&only=self": well,
  };
}

test("gam join with a worker's token says so", async (context) => {
  const nodes = [node, { ...node, id: nodeIdOf(2), role: "worker" }];
  const agent = await withAgent(context, joining({ ...status, self: nodeIdOf(2), nodes }));
  const { printed } = await gam(["-s", agent.socket, "join", "gam-1-w"]);
  assert.equal(printed, "Joined as a worker: the mesh has 2 hosts, led by host1");
});

test("gam join sends the token and the addresses", async (context) => {
  const nodes = [node, { ...node, id: nodeIdOf(2), hostname: "host2" }];
  const agent = await withAgent(context, joining({ ...status, nodes }));
  const { exit, printed } = await gam(["-s", agent.socket, "join", "gam-1-m", "10.0.0.1:7946"]);
  assert.deepEqual(
    { exit, printed },
    { exit: 0, printed: "Joined: the mesh has 2 hosts, led by host1" },
  );
  const sent = agent.heard.find(({ call }) => call === "POST /gam/v1/join");
  assert.deepEqual(sent?.body, { token: "gam-1-m", addresses: ["10.0.0.1:7946"] });
});

test("gam join warns of what is wrong with this host", async (context) => {
  const rest = { topic: "engines", follows: [], fix: "" };
  const findings = [
    { ...rest, cause: "host1: Its engine does not run", remedy: "Start it", hosts: ["host1"] },
  ];
  const agent = await withAgent(context, {
    ...joining(status),
    "GET /gam/v1/doctor?paths=no&only=self": { healthy: false, findings, checks: [] },
  });
  const { exit, complained } = await gam(["-s", agent.socket, "join", "gam-1-m"]);
  assert.equal(exit, 0);
  assert.equal(complained, "Warning: host1: Its engine does not run\n  Start it");
});

test("gam join at a member says so, and refuses another address", async (context) => {
  const agent = await withAgent(context, {
    "GET /gam/v1/status": status,
    "POST /gam/v1/join": {},
  });
  const here = ["-s", agent.socket, "join", "gam-1-m"];
  assert.match((await gam(here)).printed, /^This host was a member already/);
  const moved = await gam([...here, "--advertise", "10.0.0.9"]);
  assert.equal(moved.exit, 1);
  assert.match(moved.complained, /^gam: Cannot change the address of a member/);
});

test("gam leave shows the agent's refusal", async (context) => {
  const agent = await withAgent(context, {
    "GET /gam/v1/status": status,
    "POST /gam/v1/leave": 503,
  });
  const { exit, complained } = await gam(["-s", agent.socket, "leave"]);
  assert.deepEqual({ exit, complained }, { exit: 1, complained: "gam: refused with 503" });
  const sent = agent.heard.find(({ call }) => call === "POST /gam/v1/leave");
  assert.deepEqual(sent?.body, { force: false });
});

test("gam leave --force says when the others still list this host", async (context) => {
  const agent = await withAgent(context, {
    "GET /gam/v1/status": status,
    "POST /gam/v1/leave": { isListed: true },
  });
  const { exit, complained } = await gam(["-s", agent.socket, "leave", "--force"]);
  assert.equal(exit, 0);
  assert.match(complained, /still list this one\. Run "docker node rm --force HOST"/);
});

test("gam leave starts no agent on a host without a membership", async () => {
  const { exit, complained } = await gam(["leave"]);
  assert.equal(exit, 1);
  assert.match(complained, /^gam: Cannot leave: this host is in no mesh\. No agent answers at /);
});

test("gam join that fails leaves no agent that it started", async () => {
  const program = agentProgram(
    "refusing",
    `import { createServer } from "node:http";
     const inactive = ${JSON.stringify({ ...status, state: "inactive" })};
     createServer((call, answer) => {
       if (call.url === "/gam/v1/status") return answer.end(JSON.stringify(inactive));
       answer.statusCode = 400;
       answer.end(JSON.stringify({ message: "Cannot read join token" }));
     }).listen(process.env.GAM_SOCKET);`,
  );
  const socket = join(folder, "refusing.sock");
  const environment = { GAM_COMMAND: program, GAM_DATA_DIR: join(folder, "refusing") };
  const { exit, complained } = await gam(["-s", socket, "join", "garbage"], environment);
  assert.equal(exit, 1);
  const [started = "", stopped, refused] = complained.split("\n");
  assert.equal(stopped, "Stopped the agent that was started for this");
  assert.equal(refused, "gam: Cannot read join token");
  const pid = Number(/process (\d+)/.exec(started)?.[1]);
  assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
});

test("gam join stops an agent that it started and that does not answer in time", async () => {
  const pidFile = join(folder, "mute.pid");
  const program = agentProgram(
    "mute",
    `import { writeFileSync } from "node:fs";
     console.log("waiting for the disk");
     writeFileSync(${JSON.stringify(pidFile)}, String(process.pid));
     setInterval(() => undefined, 1000);`,
  );
  const environment = { GAM_COMMAND: program, GAM_DATA_DIR: join(folder, "mute") };
  // Time passes only when the agent runs.
  const nowMs = (): number => (existsSync(pidFile) ? 60_000 : 0);
  const socket = join(folder, "mute.sock");
  const { exit, complained } = await gam(["-s", socket, "join", "gam-1-m"], environment, nowMs);
  assert.equal(exit, 1);
  assert.match(complained, /^Stopped the agent .*\ngam: Cannot start agent: no answer in 20 s\./);
  assert.match(complained, /agent\.log: waiting for the disk$/);
  const pid = Number(readFileSync(pidFile, "utf8"));
  assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
});

test("gam join says the last words of an agent that ended while it answered", async () => {
  const program = agentProgram(
    "dying",
    `import { createServer } from "node:http";
     const inactive = ${JSON.stringify({ ...status, state: "inactive" })};
     createServer((call, answer) => {
       if (call.url === "/gam/v1/status") return answer.end(JSON.stringify(inactive));
       console.log("the disk is full");
       process.exit(1);
     }).listen(process.env.GAM_SOCKET);`,
  );
  const socket = join(folder, "dying.sock");
  const environment = { GAM_COMMAND: program, GAM_DATA_DIR: join(folder, "dying") };
  const { exit, complained } = await gam(["-s", socket, "join", "gam-1-m"], environment);
  assert.equal(exit, 1);
  assert.match(
    complained,
    /gam: Cannot reach agent at .*dying\.sock: it ended before it had answered.*agent\.log: the disk is full$/,
  );
});

test("a gam command starts the service gam where systemd has it, and no second agent", async (context) => {
  const bin = mkdtempSync(join(tmpdir(), "gam-bin-"));
  context.after(() => rmSync(bin, { recursive: true }));
  const socket = join(bin, "gam.sock");
  const agent = await withAgent(context, {
    "GET /gam/v1/status": status,
    "POST /gam/v1/init": {},
    "GET /gam/v1/token": tokens,
    "GET /gam/v1/doctor?paths=no&only=self": well,
  });
  const script = `#!/bin/sh
    case $1 in
    show) echo loaded ;;
    start) /bin/ln -s ${agent.socket} ${socket} ;;
    esac
  `;
  writeFileSync(join(bin, "systemctl"), script, { mode: 0o755 });
  const environment = { PATH: bin, GAM_DATA_DIR: "", GAM_SOCKET: "" };
  const { exit, complained } = await gam(["-s", socket, "init"], environment);
  assert.deepEqual([exit, complained], [0, "Started the service gam"]);
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
     const answers = { "/gam/v1/doctor?paths=no&only=self": ${JSON.stringify(well)}, "/gam/v1/status": ${JSON.stringify(status)}, "/gam/v1/token": ${JSON.stringify(tokens)} };
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
  const good = { topic: "agents", subject: "host1", result: "passed", found: "", remedy: "" };
  const bad = { ...good, result: "failed", found: "Its agent does not answer", remedy: "Start it" };
  const cause = "host1: Its agent does not answer";
  const rest = { follows: [], hosts: ["host1"], fix: "" };
  const finding = { topic: "agents", cause, remedy: "Start it", ...rest };
  for (const [healthy, checks, exit] of [
    [true, [good], 0],
    [false, [bad], 1],
  ] as const) {
    const report = { healthy, findings: healthy ? [] : [finding], checks };
    const agent = await withAgent(context, { "GET /gam/v1/doctor": report });
    const shown = await gam(["--socket", agent.socket, "doctor"]);
    assert.equal(shown.exit, exit);
    assert.match(
      shown.printed,
      healthy ? /Nothing is wrong/ : /^host1: Its agent .*\n {2}Start it/,
    );
    const json = await gam(["--socket", agent.socket, "doctor", "--json"]);
    assert.equal(json.exit, exit);
    assert.deepEqual(JSON.parse(json.printed), report);
  }
});

test("an empty name is wrong usage, before anything is asked", async (context) => {
  const agent = await withAgent(context, {});
  for (const words of ["drain", "resume", "why", "logs", "service history", "join", "stack rm a"]) {
    const { exit, complained } = await gam(["-s", agent.socket, ...words.split(" "), ""]);
    assert.equal(exit, 2, words);
    assert.match(complained, /argument '\w+' is empty/, words);
  }
  assert.deepEqual(agent.heard, []);
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
