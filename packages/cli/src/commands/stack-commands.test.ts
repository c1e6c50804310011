// biome-ignore-all lint/suspicious/noTemplateCurlyInString: stack files hold variables.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { AgentClient } from "../agent/agent-client.ts";
import type { CommandIo } from "../agent/command-io.ts";
import { type FakeAgent, fakeAgent, refusal, type Script } from "../testing/fake-agent.ts";
import { type DeployOptions, deploy, list, remove, tasks } from "./stack-commands.ts";

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
    readonly ContainerSpec: { readonly Image: string };
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
  await assert.rejects(deploy(client, io, { ...options, composeFile: ["none.yml"] }), {
    message: /^Cannot read stack file: ENOENT.*none\.yml/,
  });
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
