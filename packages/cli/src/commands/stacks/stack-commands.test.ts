// biome-ignore-all lint/suspicious/noTemplateCurlyInString: stack files hold variables.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { AgentClient } from "../../agent/agent-client.ts";
import type { CommandIo } from "../../agent/command-io.ts";
import { type FakeAgent, fakeAgent, refusal, type Script } from "../../testing/fake-agent.ts";
import {
  config,
  type DeployOptions,
  deploy,
  list,
  remove,
  services,
  tasks,
} from "./stack-commands.ts";

const folder = mkdtempSync(join(tmpdir(), "gam-stack-"));
test.after(() => rmSync(folder, { recursive: true }));

interface Stage {
  readonly agent: FakeAgent;
  readonly client: AgentClient;
  readonly io: CommandIo;
  readonly printed: string[];
  readonly complained: string[];
}

async function stage(context: TestContext, script: Script): Promise<Stage> {
  const agent = await fakeAgent(script);
  context.after(() => agent.close());
  const printed: string[] = [];
  const complained: string[] = [];
  const io: CommandIo = {
    environment: { TAG: "2" },
    cwd: folder,
    isTerminal: false,
    pause: () => Promise.resolve(),
    onInterrupt: () => () => undefined,
    nowMs: () => Date.parse("2026-01-01T00:10:00Z"),
    print: (line) => printed.push(line),
    complain: (line) => complained.push(line),
  };
  return { agent, client: new AgentClient(agent.socket), io, printed, complained };
}

const options: DeployOptions = {
  name: "shop",
  composeFile: ["shop.yml"],
  profile: [],
  resolveImage: "always",
  detach: true,
};
const label = '{"label":{"com.docker.stack.namespace=shop":true}}';
const labels = { "com.docker.stack.namespace": "shop" };
const nothing: Script = {
  "GET /services": [],
  "GET /networks": [],
  "POST /networks/create": { Id: "net" },
  "POST /services/create": { ID: "svc" },
};

function service(name: string, image: string, stackImage: string): object {
  return {
    ID: `id-${name}`,
    Version: { Index: 7 },
    Spec: {
      Name: name,
      Labels: { "com.docker.stack.namespace": "shop", "com.docker.stack.image": stackImage },
      TaskTemplate: { ContainerSpec: { Image: image }, ForceUpdate: 3 },
    },
  };
}

const foreign = { TaskTemplate: {}, Labels: { "com.docker.stack.namespace": "other" } };

/** The requests that change something, without their bodies. */
function changes({ heard }: FakeAgent): string[] {
  return heard.map(({ call }) => call).filter((call) => !call.startsWith("GET"));
}

interface SentSpec {
  readonly Name: string;
  readonly TaskTemplate: {
    readonly ContainerSpec: {
      readonly Image: string;
      readonly Secrets?: unknown;
      readonly Configs?: unknown;
    };
    readonly Placement?: object;
    readonly ForceUpdate: number;
  };
}

function sent(agent: FakeAgent, path: string): SentSpec[] {
  return agent.heard
    .filter(({ call }) => call.startsWith(`POST ${path}`))
    .map(({ body }) => body as SentSpec);
}

test("stack deploy creates networks, then services, with pinned images", async (context) => {
  writeFileSync(
    join(folder, "shop.yml"),
    "services:\n  web: {image: 'web:${TAG}'}\n  db: {image: db}\n",
  );
  const { agent, client, io, printed, complained } = await stage(context, {
    ...nothing,
    "POST /services/create": { ID: "svc", Warnings: ["Port 80 is not served yet"] },
    "GET /distribution/web:2/json": {
      Descriptor: { digest: "sha256:00" },
      Platforms: [{ architecture: "amd64", os: "linux" }],
    },
  });
  await deploy(client, io, options);
  assert.deepEqual(printed, [
    "Creating network shop_default",
    "Creating service shop_db",
    "Creating service shop_web",
  ]);
  assert.match(complained[0] ?? "", /^No registry gave a digest for db:latest/);
  assert.equal(complained[1], "Port 80 is not served yet");
  const [db, web] = sent(agent, "/services/create");
  assert.equal(db?.TaskTemplate.ContainerSpec.Image, "db:latest");
  assert.equal(web?.TaskTemplate.ContainerSpec.Image, "web:2@sha256:00");
  assert.deepEqual(web?.TaskTemplate.Placement, {
    Platforms: [{ Architecture: "amd64", OS: "linux" }],
  });
});

test("stack deploy updates existing services and prunes those that left the files", async (context) => {
  writeFileSync(join(folder, "shop.yml"), "services:\n  web: {image: web}\n");
  const { agent, client, io, printed } = await stage(context, {
    ...nothing,
    "GET /services": [
      service("shop_web", "web:latest@sha256:11", "web"),
      service("shop_old", "old", "old"),
      { ...service("other_web", "web", "web"), Spec: { ...foreign, Name: "other_web" } },
    ],
    "GET /networks": [{ Id: "net", Name: "shop_default", Scope: "swarm", Labels: labels }],
    "GET /services/id-shop_web": service("shop_web", "web:latest@sha256:11", "web"),
    "POST /services/id-shop_web/update?version=7": { Warnings: null },
    "DELETE /services/id-shop_old": {},
  });
  await deploy(client, io, { ...options, prune: true, resolveImage: "changed" });
  assert.deepEqual(printed, [
    "Removing service shop_old",
    "Updating service shop_web (id: id-shop_web)",
  ]);
  const [web] = sent(agent, "/services/id-shop_web/update");
  assert.equal(web?.TaskTemplate.ContainerSpec.Image, "web:latest@sha256:11");
  assert.equal(web?.TaskTemplate.ForceUpdate, 3);
});

test("stack deploy changes nothing when a file has errors", async (context) => {
  writeFileSync(join(folder, "shop.yml"), "services:\n  web: {imag: web, deploy: {replicas: x}}\n");
  const { agent, client, io, complained } = await stage(context, nothing);
  await assert.rejects(deploy(client, io, options), {
    message:
      'Cannot deploy "shop": 2 errors in its files, nothing was changed. Correct them and deploy again',
  });
  assert.match(
    complained[0] ?? "",
    /^error: shop\.yml:2:9: unknown key "imag", did you mean "image"/,
  );
  assert.deepEqual(agent.heard, []);
});

test("stack deploy tells everything that the cluster lacks before it changes anything", async (context) => {
  writeFileSync(
    join(folder, "shop.yml"),
    [
      "services:",
      "  web: {image: web, networks: [front, near, back], ports: ['80:80'], secrets: [key]}",
      "  api: {image: api, configs: [conf], ports: ['81:81']}",
      "networks: {front: {external: true}, near: {external: true}, back: {}}",
      "secrets: {key: {external: true}}",
      "configs: {conf: {external: true, name: conf-v1}}",
    ].join("\n"),
  );
  const port = { Protocol: "tcp", TargetPort: 80, PublishedPort: 80, PublishMode: "ingress" };
  const { agent, client, io, complained } = await stage(context, {
    ...nothing,
    "GET /networks": [
      { Id: "1", Name: "near", Scope: "local" },
      { Id: "2", Name: "shop_back", Scope: "swarm" },
    ],
    "GET /services": [
      {
        ...service("x", "x", "x"),
        Spec: { ...foreign, Name: "taken" },
        Endpoint: { Ports: [port] },
      },
      { ...service("y", "y", "y"), Spec: { ...foreign, Name: "shop_api" } },
    ],
    'GET /secrets?filters={"name":{"key":true}}': [],
    'GET /configs?filters={"name":{"conf-v1":true}}': [
      { ID: "c", Version: { Index: 1 }, Spec: { Name: "conf-v1-old" } },
    ],
  });
  await assert.rejects(deploy(client, io, options), { message: /^Cannot deploy "shop": 7 errors/ });
  assert.deepEqual(changes(agent), []);
  assert.deepEqual(complained.sort(), [
    'error: shop.yml:2:80: external secret "key" does not exist: create it with "docker secret create key FILE"',
    'error: shop.yml:2:8: port 80/tcp is already in use by service "taken": publish another one',
    'error: shop.yml:3:31: external config "conf-v1" does not exist: create it with "docker config create conf-v1 FILE"',
    'error: shop.yml:3:8: service "shop_api" exists and is not of this stack: remove it with "docker service rm shop_api", or rename this one',
    'error: shop.yml:4:19: external network "front" does not exist: create it with "docker network create --driver overlay front", or remove "external"',
    'error: shop.yml:4:43: network "near" is declared as external, but it is not in the right scope: "local" instead of "swarm"',
    'error: shop.yml:4:67: network "shop_back" exists and is not of this stack: write "external: true", or another name',
  ]);
});

test("stack deploy names a file that it cannot read", async (context) => {
  const { client, io } = await stage(context, nothing);
  const readingFails = async (file: string, message: string): Promise<void> => {
    await assert.rejects(deploy(client, io, { ...options, composeFile: [file] }), { message });
  };
  await readingFails("none.yml", "Cannot read none.yml: there is no such file");
  await readingFails(".", "Cannot read .: it is a folder");
});

const upToDate = '{"label":{"com.docker.stack.namespace=shop":true},"_up-to-date":{"true":true}}';
const running = {
  ID: "t",
  ServiceID: "id-shop_web",
  NodeID: "n",
  Slot: 1,
  DesiredState: "running",
  Status: { Timestamp: "2026-01-01T00:00:00Z", State: "running" },
  Spec: {},
};

/** Answers for a stack with one service, whose only task is this one. */
function deployed(task: object): Script {
  const web = service("shop_web", "web:latest", "web");
  return {
    ...nothing,
    "GET /services": [web],
    "GET /services/id-shop_web": web,
    [`GET /services?filters=${label}`]: [web],
    [`GET /tasks?filters=${upToDate}`]: [task],
    "GET /nodes": [{ ID: "n", Description: { Hostname: "host1" }, Status: { State: "ready" } }],
    "POST /services/id-shop_web/update?version=7": {},
  };
}

/** An io whose clock moves only while the command waits. */
function waiting(io: CommandIo, interrupt = false): CommandIo {
  let nowMs = 0;
  let onInterrupt = (): void => undefined;
  return {
    ...io,
    nowMs: () => nowMs,
    pause: async (ms) => {
      nowMs += ms;
      if (interrupt) onInterrupt();
    },
    onInterrupt: (call) => {
      onInterrupt = call;
      return () => undefined;
    },
  };
}

test("stack deploy waits until all tasks have run for some time", async (context) => {
  writeFileSync(join(folder, "shop.yml"), "services:\n  web: {image: web}\n");
  const { client, io, printed, agent } = await stage(context, deployed(running));
  assert.equal(await deploy(client, waiting(io), { ...options, detach: false }), true);
  assert.deepEqual(printed, [
    "Creating network shop_default",
    "Updating service shop_web (id: id-shop_web)",
    "shop_web: 1/1, all tasks run",
    "Stack shop runs: 1 service converged",
  ]);
  const rounds = agent.heard.filter(({ call }) => call === "GET /nodes").length;
  assert.ok(rounds > 15, `looked ${rounds} times in 5 s`);
});

test("stack deploy fails when a service does not run and never will", async (context) => {
  writeFileSync(join(folder, "shop.yml"), "services:\n  web: {image: web}\n");
  const Status = { ...running.Status, State: "failed", Err: "exit code 1" };
  const ended = { ...running, DesiredState: "shutdown", Status };
  const { client, io, complained } = await stage(context, deployed(ended));
  await assert.rejects(deploy(client, waiting(io), { ...options, detach: false }), {
    message: '1 of 1 services of stack "shop" do not run. Run "gam stack ps shop" to see why',
  });
  assert.equal(complained.at(-1), "Failed: shop_web: 0/1, exit code 1");
});

test("stack deploy fails when somebody removes a service meanwhile", async (context) => {
  writeFileSync(join(folder, "shop.yml"), "services:\n  web: {image: web}\n");
  const script = { ...deployed(running), [`GET /services?filters=${label}`]: [] };
  const { client, io, complained } = await stage(context, script);
  await assert.rejects(deploy(client, waiting(io), { ...options, detach: false }));
  assert.equal(complained.at(-1), "Failed: shop_web: 0/0, somebody removed the service");
});

test("stack deploy says on Ctrl-C what is done and what goes on", async (context) => {
  writeFileSync(join(folder, "shop.yml"), "services:\n  web: {image: web}\n");
  const starting = { ...running, Status: { ...running.Status, State: "preparing" } };
  const { client, io, complained } = await stage(context, deployed(starting));
  const isDone = await deploy(client, waiting(io, true), { ...options, detach: false });
  assert.equal(isDone, false);
  assert.deepEqual(complained.slice(-3), [
    "Interrupted. All writes are done; these services go on in the background:",
    "  shop_web: 0/1, 1 preparing",
    'Run "gam stack ps shop" to see how they go on',
  ]);
});

test("stack deploy stops between two writes on Ctrl-C", async (context) => {
  writeFileSync(join(folder, "shop.yml"), "services:\n  web: {image: web}\n");
  const { agent, client, io, complained } = await stage(context, nothing);
  let onInterrupt = (): void => undefined;
  const interrupted: CommandIo = {
    ...io,
    onInterrupt: (call) => {
      onInterrupt = call;
      return () => undefined;
    },
    print: () => onInterrupt(),
  };
  assert.equal(await deploy(client, interrupted, options), false);
  assert.deepEqual(changes(agent), ["POST /networks/create"]);
  assert.deepEqual(complained, [
    "Interrupted. Done: network shop_default. Not done: service shop_web",
    "Run the command again to complete the stack",
  ]);
});

test("stack deploy names what was done before a write that failed", async (context) => {
  writeFileSync(join(folder, "shop.yml"), "services:\n  web: {image: web}\n  db: {image: db}\n");
  const { client, io } = await stage(context, {
    ...nothing,
    "POST /services/create": refusal(503, "no leader"),
  });
  await assert.rejects(deploy(client, io, options), {
    message:
      "Cannot deploy service shop_db: no leader (done before: network shop_default). Correct the cause and deploy again",
  });
});

test("stack deploy creates and updates secrets and configs before the services", async (context) => {
  writeFileSync(join(folder, "key.txt"), "hunter2");
  writeFileSync(
    join(folder, "shop.yml"),
    [
      "services: {web: {image: web, secrets: [key, ext], configs: [conf]}}",
      "secrets: {key: {file: key.txt}, ext: {external: true}}",
      "configs: {conf: {content: abc}}",
    ].join("\n"),
  );
  const { client, io, agent, printed } = await stage(context, {
    ...nothing,
    'GET /secrets?filters={"name":{"shop_key":true,"ext":true}}': [
      { ID: "id-ext", Version: { Index: 3 }, Spec: { Name: "ext" } },
    ],
    'GET /configs?filters={"name":{"shop_conf":true}}': [
      { ID: "id-conf", Version: { Index: 4 }, Spec: { Name: "shop_conf" } },
    ],
    "POST /secrets/create": { ID: "id-key" },
    "POST /configs/id-conf/update?version=4": {},
  });
  await deploy(client, io, options);
  assert.deepEqual(changes(agent), [
    "POST /networks/create",
    "POST /secrets/create",
    "POST /configs/id-conf/update?version=4",
    "POST /services/create",
  ]);
  assert.deepEqual(printed, [
    "Creating network shop_default",
    "Creating secret shop_key",
    "Creating service shop_web",
  ]);
  const bodies = agent.heard.filter(({ call }) => call.startsWith("POST"));
  assert.deepEqual(bodies[1]?.body, { Name: "shop_key", Labels: labels, Data: "aHVudGVyMg==" });
  assert.deepEqual(bodies[2]?.body, { Name: "shop_conf", Labels: labels, Data: "YWJj" });
  const File = { Name: "key", UID: "0", GID: "0", Mode: 0o444 };
  const [web] = sent(agent, "/services/create");
  const { ContainerSpec } = web?.TaskTemplate ?? assert.fail("no service was created");
  assert.deepEqual(ContainerSpec.Secrets, [
    { File: { ...File, Name: "ext" }, SecretID: "id-ext", SecretName: "ext" },
    { File, SecretID: "id-key", SecretName: "shop_key" },
  ]);
  assert.deepEqual(ContainerSpec.Configs, [
    { File: { ...File, Name: "conf" }, ConfigID: "id-conf", ConfigName: "shop_conf" },
  ]);
});

test("stack deploy sends the docker client's credentials when it is asked to", async (context) => {
  writeFileSync(join(folder, "config.json"), '{"auths":{"reg.example:5000":{"auth":"bWU6cHc="}}}');
  writeFileSync(
    join(folder, "shop.yml"),
    "services:\n  web: {image: 'reg.example:5000/web:1'}\n  db: {image: db}\n",
  );
  const { client, io, agent } = await stage(context, nothing);
  const environment = { DOCKER_CONFIG: folder };
  await deploy(client, { ...io, environment }, { ...options, withRegistryAuth: true });
  const sent = agent.heard.filter(({ call }) => call === "POST /services/create");
  const auth = sent.map(({ registryAuth }) =>
    registryAuth === undefined ? undefined : Buffer.from(registryAuth, "base64url").toString(),
  );
  assert.deepEqual(auth, [
    undefined,
    '{"username":"me","password":"pw","serveraddress":"reg.example:5000"}',
  ]);
});

test("stack config prints one file of all", async (context) => {
  writeFileSync(
    join(folder, "a.yml"),
    "services: {web: {image: 'web:${TAG}', ports: ['80:80']}}\n",
  );
  writeFileSync(
    join(folder, "b.yml"),
    "services: {web: {environment: [A=$$5], deploy: {update_config: {delay: 90s}}}}\n",
  );
  const { io, printed } = await stage(context, {});
  config(io, { composeFile: ["a.yml", "b.yml"], profile: [] });
  assert.deepEqual(printed.join("\n").split("\n"), [
    "services:",
    "  web:",
    "    deploy:",
    "      update_config:",
    "        delay: 1m30s",
    "    environment:",
    "      A: $$5",
    "    image: web:2",
    "    ports:",
    "      - mode: ingress",
    "        protocol: tcp",
    "        published: 80",
    "        target: 80",
    'version: "3.13"',
  ]);
});

test("stack services shows replicas and ports", async (context) => {
  const port = (PublishedPort: number, TargetPort: number): object => ({
    ...{ Protocol: "tcp", PublishMode: "ingress", PublishedPort, TargetPort },
  });
  const Mode = { Replicated: { Replicas: 3 } };
  const web = service("shop_web", "web:1@sha256:00", "web") as { Spec: object };
  const { client, io, printed } = await stage(context, {
    [`GET /services?status=true&filters=${label}`]: [
      {
        ...web,
        Spec: { ...web.Spec, Mode },
        Endpoint: { Ports: [port(81, 91), port(80, 90), port(7000, 70)] },
        ServiceStatus: { RunningTasks: 2, DesiredTasks: 3 },
      },
    ],
  });
  await services(client, io, { name: "shop", filter: [] });
  assert.deepEqual(printed, [
    "ID           NAME      MODE        REPLICAS  IMAGE  PORTS",
    "id-shop_web  shop_web  replicated  2/3       web:1  *:80-81->90-91/tcp, *:7000->70/tcp",
  ]);
});

test("stack ls counts services by stack", async (context) => {
  const all = '{"label":{"com.docker.stack.namespace":true}}';
  const { client, io, printed } = await stage(context, {
    [`GET /services?filters=${all}`]: [service("a", "x", "x"), service("b", "x", "x")],
  });
  await list(client, io);
  assert.deepEqual(printed, ["NAME  SERVICES", "shop  2"]);
});

test("stack ps shows tasks by slot, older ones below the newest", async (context) => {
  const task = (id: string, slot: number, state: string, at: string, error?: string): object => ({
    ID: id,
    ServiceID: "id-shop_web",
    NodeID: "n1",
    Slot: slot,
    DesiredState: state === "running" ? "running" : "shutdown",
    Status: { Timestamp: `2026-01-01T00:0${at}Z`, State: state, Err: error },
    Spec: { ContainerSpec: { Image: "web:1@sha256:00" } },
  });
  const { client, io, printed } = await stage(context, {
    [`GET /tasks?filters=${label}`]: [
      task("t1", 1, "failed", "1:00", "exit code 1"),
      task("t10", 10, "running", "9:58"),
      task("t2", 2, "running", "9:00"),
      task("t3", 1, "running", "7:00"),
    ],
    "GET /services": [service("shop_web", "x", "x")],
    "GET /nodes": [{ ID: "n1", Description: { Hostname: "host1" } }],
  });
  const plain = { name: "shop", filter: [], trunc: true, resolve: true };
  await tasks(client, io, plain);
  assert.deepEqual(printed, [
    "ID   NAME            IMAGE  NODE   DESIRED STATE  CURRENT STATE          ERROR          PORTS",
    "t3   shop_web.1      web:1  host1  Running        Running 3 minutes ago",
    't1    \\_ shop_web.1  web:1  host1  Shutdown       Failed 9 minutes ago   "exit code 1"',
    "t2   shop_web.2      web:1  host1  Running        Running 1 minute ago",
    "t10  shop_web.10     web:1  host1  Running        Running 2 seconds ago",
  ]);
  printed.length = 0;
  await tasks(client, io, { ...plain, quiet: true });
  assert.deepEqual(printed, ["t3", "t1", "t2", "t10"]);
});

test("stack rm removes services, secrets, configs and networks, and accepts an empty stack", async (context) => {
  const none = '{"label":{"com.docker.stack.namespace=none":true}}';
  const object = (id: string): object => ({ ID: id, Version: { Index: 1 }, Spec: { Name: id } });
  const { agent, client, io, complained } = await stage(context, {
    [`GET /services?filters=${label}`]: [service("shop_web", "x", "x")],
    [`GET /networks?filters=${label}`]: [{ Id: "net", Name: "shop_default" }],
    [`GET /secrets?filters=${label}`]: [object("s1"), object("gone")],
    [`GET /configs?filters=${label}`]: [object("c1")],
    ...Object.fromEntries(
      ["services", "networks", "secrets", "configs"].map((kind) => [
        `GET /${kind}?filters=${none}`,
        [],
      ]),
    ),
    "DELETE /services/id-shop_web": {},
    "DELETE /secrets/s1": refusal(400, "secret 's1' is in use"),
    "DELETE /configs/c1": {},
    "DELETE /networks/net": {},
  });
  await assert.rejects(remove(client, io, ["shop", "none"]), {
    message: 'Cannot remove 1 of 5 objects of stack "shop". Run the command again',
  });
  assert.deepEqual(changes(agent), [
    "DELETE /services/id-shop_web",
    "DELETE /secrets/s1",
    "DELETE /secrets/gone",
    "DELETE /configs/c1",
    "DELETE /networks/net",
  ]);
  assert.deepEqual(complained, [
    "Cannot remove secret s1: secret 's1' is in use",
    "Nothing found in stack: none",
  ]);
});
