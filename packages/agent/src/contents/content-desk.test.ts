import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type ConfigId,
  encode,
  GamError,
  type NodeId,
  type SecretId,
  type TaskId,
} from "@gam/core";
import { testId } from "@gam/core/testing";
import type { Store } from "@gam/state";
import {
  aCluster,
  aConfig,
  aNode,
  aSecret,
  aService,
  aTask,
  TestLog,
  withFiles,
} from "@gam/state/testing";
import { ContentDesk, type ContentDeskParts, type Withheld } from "./content-desk.ts";

type Files = Parameters<ContentDesk["files"]>[1];
type RequestHandler = Parameters<ContentDeskParts["mesh"]["handle"]>[1];

const [boss, spare, hand, other] = ["boss", "spare", "hand", "other"].map((name) =>
  testId<NodeId>(name),
) as [NodeId, NodeId, NodeId, NodeId];
const [used, unused] = [testId<SecretId>("used"), testId<SecretId>("unused")];
const [plain, template] = [testId<ConfigId>("plain"), testId<ConfigId>("template")];
const templateText =
  '{{.Node.Hostname}} {{.Service.Name}} {{env "LEVEL"}} {{secret "used000000000000000000000"}}';
const [task, managersTask] = [testId<TaskId>("task"), testId<TaskId>("managers task")];

/** What the template and the used secret hold. */
interface Held {
  readonly text?: string;
  readonly data?: string;
}

/** Two managers and two workers; one of each has a task with a secret, a config and registry credentials. */
function aState({ text = templateText, data = `data of ${used}` }: Held): Store {
  const log = new TestLog();
  log.write({ kind: "createCluster", cluster: aCluster() });
  for (const id of [boss, spare, hand, other]) {
    const Role = id === boss || id === spare ? "manager" : "worker";
    log.write({ kind: "joinNode", node: aNode(id, { spec: { Role } }) });
  }
  log.write(aSecret(used, data), aSecret(unused, `data of ${unused}`));
  log.write(aConfig(plain, "data of a config"));
  const made = aConfig(template, text);
  log.write({ ...made, spec: { ...made.spec, Templating: { Name: "golang" } } });
  const named = withFiles("tiny:1", { secrets: [used], configs: [plain, template] });
  const ContainerSpec = { ...named, Env: ["LEVEL=debug"] };
  log.write(aService("web", { template: { ContainerSpec } }));
  const extra = { contents: { [used]: 1, [plain]: 1, [template]: 1 }, credentials: true };
  for (const [id, node] of [
    [task, hand],
    [managersTask, boss],
  ] as const) {
    const made = aTask("web", id, { node, template: { ContainerSpec }, extra });
    log.write({ kind: "createTask", task: made });
  }
  return log.store;
}

/** The desks of all nodes. What a manager opens is the sealed text itself. */
class World {
  readonly store: Store;
  readonly withheld: Withheld[] = [];
  /** The nodes that were asked, in order. */
  readonly asked: NodeId[] = [];
  /** How long the last question waits for its answer. */
  waitedMs = 0;
  /** Nodes whose connections are gone. */
  readonly silent = new Set<NodeId>();
  /** Managers without the newest root key. */
  readonly keyless = new Set<NodeId>();
  /** Nodes whose state is older than this entry. */
  readonly behind = new Set<NodeId>();
  readonly #handlers = new Map<NodeId, RequestHandler>();
  readonly #desks = new Map<NodeId, ContentDesk>();

  constructor(held: Held = {}) {
    this.store = aState(held);
    for (const id of [boss, spare, hand, other])
      this.#desks.set(id, new ContentDesk(this.#parts(id)));
  }

  desk(id: NodeId): ContentDesk {
    const desk = this.#desks.get(id);
    assert.ok(desk !== undefined);
    return desk;
  }

  /** Asks as a node that runs other code than ours. */
  async ask(from: NodeId, question: unknown): Promise<unknown> {
    return await this.#handlers.get(boss)?.(from, encode(question));
  }

  #parts(self: NodeId): ContentDeskParts {
    const isManager = self === boss || self === spare;
    const open = (): void => {
      if (!isManager) throw new GamError("NOT_SUPPORTED", "Cannot open it: this host is a worker");
      if (this.keyless.has(self)) throw new GamError("IN_USE", "the root key is being replaced");
    };
    const nobody = (): void => undefined;
    return {
      self,
      mesh: {
        handle: (_, handler) => {
          this.#handlers.set(self, handler);
          return nobody;
        },
        sender: (id) => {
          const role = id === boss || id === spare ? "manager" : "worker";
          return this.silent.has(id) ? undefined : { role, asOf: 0, hosts: new Set() };
        },
        request: async (to, { body, timeoutMs }) => {
          this.asked.push(to);
          this.waitedMs = timeoutMs;
          const answer = await this.#handlers.get(to)?.(self, body);
          assert.ok(answer !== undefined);
          return answer;
        },
      },
      view: () => (this.behind.has(self) ? new TestLog().store : this.store),
      leader: () => spare,
      sealer: {
        openSecret: ({ Gam }, version) => {
          open();
          const found = Gam.contents.find((one) => one.version === version);
          assert.ok(found !== undefined);
          return Buffer.from(found.sealed);
        },
        openCredentials: ({ ID }) => {
          open();
          return `credentials of ${ID}`;
        },
      },
      withheld: (refusal) => this.withheld.push(refusal),
      log: { debug: nobody },
    };
  }
}

const texts = (all: readonly Uint8Array[]): string[] =>
  all.map((one) => Buffer.from(one).toString().replace(/\.+$/, ""));
const place = { content: 1, target: "/file", uid: 0, gid: 0, mode: 0o444 };
const files: Files = [
  { kind: "secret", id: used, name: used, ...place },
  { kind: "config", id: plain, name: plain, ...place },
];
const wanted = [`data of ${used}`, "data of a config"];

test("a worker gets what its task uses from the leader, a manager opens it itself", async () => {
  const world = new World();
  assert.deepEqual(texts(await world.desk(hand).files(task, files)), wanted);
  assert.equal(await world.desk(hand).credentials(task), "credentials of web");
  assert.deepEqual(world.asked, [spare, spare]);
  assert.deepEqual(texts(await world.desk(boss).files(task, files)), wanted);
  assert.equal(world.asked.length, 2);
  assert.deepEqual(world.withheld, []);
});

test("configs alone need no manager", async () => {
  const world = new World();
  const configs = files.filter(({ kind }) => kind === "config");
  assert.deepEqual(texts(await world.desk(hand).files(task, configs)), [wanted[1]]);
  assert.deepEqual(world.asked, []);
});

test("another manager is asked where one has not the key, is behind or is not connected", async () => {
  for (const kind of ["keyless", "behind", "silent"] as const) {
    const world = new World();
    world[kind].add(spare);
    assert.deepEqual(texts(await world.desk(hand).files(task, files)), wanted, kind);
    assert.equal(world.asked.at(-1), boss);
  }
});

test("a manager without the newest key asks another one", async () => {
  const world = new World();
  world.keyless.add(boss);
  assert.deepEqual(texts(await world.desk(boss).files(managersTask, files)), wanted);
  assert.deepEqual(world.asked, [spare]);
});

test("while no manager answers, the error is always the same", async () => {
  const world = new World();
  world.silent.add(spare).add(boss);
  for (let n = 0; n < 2; n += 1) {
    await assert.rejects(world.desk(hand).files(task, files), {
      code: "UNREACHABLE",
      message: `Cannot get secret "${used}": no manager answers`,
    });
  }
  await assert.rejects(world.desk(hand).credentials(task), {
    code: "UNREACHABLE",
    message: 'Cannot get registry credentials of "web": no manager answers',
  });
});

test("a node that asks for what no task of its own uses is refused, and shown with the object", async () => {
  const world = new World();
  const asOf = world.store.index;
  const secret = (id: SecretId, content = 1) => [{ id, content }];
  const cases = [
    [
      hand,
      { task, secrets: secret(unused), credentials: false },
      `secret "${unused}"`,
      "does not use",
    ],
    [
      hand,
      { task, secrets: secret(used, 2), credentials: false },
      `secret "${used}"`,
      "does not use",
    ],
    [other, { task, secrets: secret(used), credentials: false }, `secret "${used}"`, "not its own"],
    [
      other,
      { task, secrets: [], credentials: true },
      'registry credentials of "web"',
      "not its own",
    ],
  ] as const;
  for (const [from, question, what, reason] of cases) {
    await assert.rejects(world.ask(from, { ...question, asOf }), { code: "REFUSED" });
    const refusal = world.withheld.at(-1);
    assert.deepEqual([refusal?.peer, refusal?.what], [from, what]);
    assert.match(refusal?.reason ?? "", new RegExp(reason));
  }
  assert.equal(world.withheld.length, cases.length);
  await assert.rejects(world.ask(other, { task, asOf, secrets: "all" }), { code: "BAD_FRAME" });
});

const templated: Files = [...files, { kind: "config", id: template, name: template, ...place }];

test("templates are expanded on the node, with what its task uses", async () => {
  const world = new World();
  const found = texts(await world.desk(hand).files(task, templated));
  assert.deepEqual(found, [...wanted, `host-${hand} web debug data of ${used}`]);
});

test("a template that fails is refused in Swarm's words", async () => {
  const world = new World();
  await assert.rejects(world.desk(hand).files(task, templated.slice(2)), {
    code: "BAD_REQUEST",
    message: `unable to get config from config store: failed to expand templated config ${template}: template: expansion:1:55: executing "expansion" at <secret "used000000000000000000000">: error calling secret: secret target used000000000000000000000 not found`,
  });
});

test("why a template that has read a secret fails is not said: the reason may quote it", async () => {
  const world = new World({ text: '{{secret (secret "used000000000000000000000")}}' });
  await assert.rejects(world.desk(hand).files(task, templated), {
    code: "BAD_REQUEST",
    message: `unable to get config from config store: failed to expand templated config ${template}: template: expansion:1:2: the reason is not shown because it may quote a secret`,
  });
});

test("the answer with large secrets has the time that a slow line needs", async () => {
  const waited = async (held: Held): Promise<number> => {
    const world = new World(held);
    await world.desk(hand).files(task, files);
    return world.waitedMs;
  };
  assert.equal(await waited({}), 3001);
  assert.equal(await waited({ data: "x".repeat(500_000) }), 5000);
});

test("a caller may overwrite what it gets", async () => {
  const world = new World();
  for (const data of await world.desk(boss).files(task, [...files, ...files])) data.fill(0);
  assert.deepEqual(texts(await world.desk(boss).files(task, files)), wanted);
});
