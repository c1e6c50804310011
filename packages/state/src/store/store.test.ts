import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type ConfigId,
  decode,
  encode,
  type NetworkId,
  type NodeId,
  type ProposalId,
  type ServiceId,
  type TaskId,
} from "@gam/core";
import { seededRandom } from "@gam/core/testing";
import fc from "fast-check";
import { nodesWithoutNextRoot } from "../changes/root-rotation.ts";
import { mergeStatus } from "../changes/task-change.ts";
import type { Change, Outcome, RefusalCode } from "../log/change.ts";
import { clusterSpecDefault, dataPathDefault } from "../objects/cluster.ts";
import type { Sealed } from "../objects/content.ts";
import { hostOf } from "../objects/host-of.ts";
import type { ServiceSpec } from "../objects/service.ts";
import { compareStates, isTerminal, type TaskStatus, taskStates } from "../objects/task.ts";
import {
  aCluster,
  aNetwork,
  aNode,
  aNodeNetwork,
  aSeal,
  aSealingKey,
  aService,
  aTask,
  aToken,
  TestLog,
} from "../testing/index.ts";
import type { Dump } from "./dump.ts";
import { Store } from "./store.ts";

const web = "web" as ServiceId;
const a = "a" as NodeId;
const t1 = "t1" as TaskId;
const published = (PublishedPort: number, PublishMode: "ingress" | "host" = "ingress") => ({
  endpoint: { Ports: [{ TargetPort: 80, PublishedPort, PublishMode }] },
});

/** A cluster, one node, one service, one waiting task. */
function logOfOne(): TestLog {
  const log = new TestLog();
  log.write(cluster);
  log.write({ kind: "joinNode", node: aNode("a") }, aService("web"));
  log.write({ kind: "createTask", task: aTask("web", "t1", { slot: 1 }) });
  return log;
}

function status(State: TaskStatus["State"], more: Partial<TaskStatus> = {}): TaskStatus {
  return { Timestamp: "2026-01-01T00:00:00.000Z", State, ...more };
}

function update(
  log: TestLog,
  change: { image?: string; basedOn?: number; back?: boolean; registryAuth?: Sealed } = {},
) {
  const service = log.store.service(web);
  assert.ok(service);
  const Image = change.image ?? service.Spec.TaskTemplate.ContainerSpec.Image;
  return log.write({
    kind: "updateService",
    id: web,
    spec: change.back
      ? "previous"
      : { ...service.Spec, TaskTemplate: { ContainerSpec: { Image } } },
    registryAuth: change.registryAuth,
    basedOn: change.basedOn ?? service.Version.Index,
  });
}

const cluster: Change = {
  kind: "createCluster",
  cluster: {
    ID: "c",
    Spec: clusterSpecDefault,
    Tokens: { Worker: aToken("w"), Manager: aToken("m") },
    RootPublicKey: "",
    SealingKeys: [aSealingKey("key")],
    ...dataPathDefault,
  },
};
const network = (name: string): Change => ({ kind: "createNetwork", network: aNetwork(name) });
const onNetwork = { template: { Networks: [{ Target: "net" }] } };

const refusals: readonly {
  name: string;
  before: readonly Change[];
  change: Change;
  code: RefusalCode;
  message: string;
}[] = [
  {
    name: "a second cluster",
    before: [cluster],
    change: cluster,
    code: "IN_USE",
    message: "there is a cluster already",
  },
  {
    name: "a name that is taken",
    before: [aService("web")],
    change: { ...aService("web"), id: "other" as ServiceId },
    code: "NAME_IN_USE",
    message: "name conflicts with an existing object: service web already exists",
  },
  {
    name: "a published port that is taken",
    before: [aService("web", published(80))],
    change: aService("two", published(80)),
    code: "BAD_REQUEST",
    message: "port '80' is already in use by service 'web' (web) as an ingress port",
  },
  {
    name: "a published port that another service binds on its hosts",
    before: [aService("web", published(80, "host"))],
    change: aService("two", published(80)),
    code: "BAD_REQUEST",
    message: "port '80' is already in use by service 'web' (web) as a host-published port",
  },
  {
    name: "a port to be bound on hosts that another service publishes",
    before: [aService("web", published(80))],
    change: aService("two", published(80, "host")),
    code: "BAD_REQUEST",
    message: "port '80' is already in use by service 'web' (web) as an ingress port",
  },
  {
    name: "a port that another service was given",
    before: [
      aService("web"),
      {
        kind: "setEndpoint",
        id: web,
        endpoint: { Spec: {}, Ports: [{ TargetPort: 80, PublishedPort: 30_000 }] },
      },
    ],
    change: aService("two", published(30_000)),
    code: "BAD_REQUEST",
    message: "port '30000' is already in use by service 'web' (web) as an ingress port",
  },
  {
    name: "an update of a service that has changed",
    before: [aService("web")],
    change: {
      kind: "updateService",
      id: web,
      spec: aService("web").spec,
      basedOn: 0,
    },
    code: "STALE_VERSION",
    message: "update out of sequence",
  },
  {
    name: "an update of a missing service",
    before: [],
    change: { kind: "updateNode", id: a, spec: aNode("a").Spec, basedOn: 1 },
    code: "NOT_FOUND",
    message: "node a not found",
  },
  {
    name: "removing a node that is back",
    before: [{ kind: "joinNode", node: aNode("a") }],
    change: { kind: "removeNode", id: a, onlyIf: "down" },
    code: "IN_USE",
    message: "node a is not down and can't be removed",
  },
  {
    name: "removing a newcomer that has arrived",
    before: [{ kind: "joinNode", node: aNode("a") }],
    change: { kind: "removeNode", id: a, onlyIf: "undescribed" },
    code: "IN_USE",
    message: "node a has arrived and can't be removed",
  },
  {
    name: "removing a missing object",
    before: [],
    change: { kind: "removeService", id: web },
    code: "NOT_FOUND",
    message: "service web not found",
  },
  {
    name: "a second network with the same name",
    before: [network("net")],
    change: network("net"),
    code: "NAME_IN_USE",
    message: "network with name net already exists",
  },
  {
    name: "removing a network that a service uses",
    before: [network("net"), aService("web", onNetwork)],
    change: { kind: "removeNetwork", id: "net" as NetworkId },
    code: "IN_USE",
    message: "network net is in use by service web",
  },
];

for (const { name, before, change, code, message } of refusals) {
  test(`the store refuses ${name}, with the whole proposal`, () => {
    const log = new TestLog();
    for (const one of before) log.write(one);
    const { outcome, events } = log.write({ kind: "joinNode", node: aNode("z") }, change);
    assert.deepEqual(outcome, { kind: "refused", code, message });
    assert.deepEqual(events, []);
    assert.equal(log.store.node("z" as NodeId), undefined);
  });
}

test("a repeated proposal is applied once, and answered twice", () => {
  const store = new Store();
  const proposal = { id: "p" as ProposalId, atMs: 0, changes: [aService("web")] };
  const first = store.apply(1, proposal);
  const second = store.apply(2, proposal);
  assert.deepEqual(second, { outcome: first.outcome, events: [] });
  assert.deepEqual(store.outcomeOf(proposal.id), { kind: "applied", index: 1 });
  assert.equal(store.index, 2);
});

test("entries are applied in order", () => {
  const store = new Store();
  store.skip(3);
  assert.throws(() => store.skip(3), { name: "BrokenInvariant" });
});

test("a task gets one node, once, and only while it is wanted", () => {
  const log = logOfOne();
  log.write({ kind: "joinNode", node: aNode("b") });
  const assign = (node: string): Change => ({
    kind: "assignTask",
    id: t1,
    node: node as NodeId,
    status: status("assigned"),
  });
  assert.deepEqual(log.write(assign("gone")).events, [], "a node that was removed");
  assert.equal(log.write(assign("a")).events.length, 1);
  assert.deepEqual(log.write(assign("b")).events, []);
  assert.equal(log.store.task(t1)?.NodeID, "a");
  const explain: Change = { kind: "explainTask", id: t1, status: status("pending") };
  assert.deepEqual(log.write(explain).events, [], "it does not wait any more");

  const global = aTask("web", "t2", { node: "a", state: "pending" });
  log.write({ kind: "createTask", task: global });
  const place = (node: string): Change => ({ ...assign(node), id: global.ID }) as Change;
  assert.deepEqual(log.write(place("b")).events, [], "made for another node");
  assert.equal(log.write(place("a")).events.length, 1);

  log.write({ kind: "createTask", task: aTask("web", "t3", { desired: "shutdown" }) });
  assert.deepEqual(log.write({ ...assign("a"), id: "t3" as TaskId } as Change).events, []);
});

test("a task's desired state only moves forward", () => {
  const log = logOfOne();
  const desire = (desired: "ready" | "running" | "shutdown" | "remove"): number =>
    log.write({ kind: "desireTask", id: t1, desired }).events.length;
  assert.deepEqual(
    [desire("ready"), desire("shutdown"), desire("running"), desire("remove"), desire("remove")],
    [0, 1, 0, 1, 0],
  );
});

test("planned changes that no longer hold are void, and the rest of the proposal is applied", () => {
  const log = logOfOne();
  log.write({ kind: "removeService", id: web });
  const { outcome, events } = log.write(
    { kind: "createTask", task: aTask("web", "t2") },
    { kind: "reportTask", id: "gone" as TaskId, status: status("running") },
    { kind: "removeTask", id: t1 },
  );
  assert.equal(outcome.kind, "applied");
  assert.deepEqual(
    events.map(({ table, before }) => [table, before && "ID" in before && before.ID]),
    [["task", t1]],
  );
});

test("a task keeps the time when it first ran", () => {
  const log = logOfOne();
  const report = (State: TaskStatus["State"], Timestamp: string): void => {
    log.write({ kind: "reportTask", id: t1, status: { Timestamp, State } });
  };
  report("starting", "2026-01-01T00:00:01.000Z");
  assert.equal(log.store.task(t1)?.Gam.startedAtMs, undefined);
  report("running", "2026-01-01T00:00:02.000Z");
  report("failed", "2026-01-01T00:00:09.000Z");
  assert.equal(log.store.task(t1)?.Gam.startedAtMs, Date.UTC(2026, 0, 1, 0, 0, 2));
});

test("only a change of tasks changes the template version, and each update clears the last one's status", () => {
  const log = logOfOne();
  const version = (): number => log.store.service(web)?.Gam.templateVersion ?? 0;
  const first = version();
  update(log);
  assert.equal(version(), first);
  update(log, { image: "tiny:2" });
  assert.equal(version(), log.store.index);
  const started = { State: "updating" as const, StartedAt: "", Message: "" };
  const progress = (basedOn: number): Change => ({
    kind: "progressUpdate",
    id: web,
    basedOn,
    status: started,
    waveAtMs: 5,
    updated: ["1"],
  });
  assert.deepEqual(log.write(progress(first)).events, [], "the version has changed");
  const indexBefore = log.store.service(web)?.Version.Index ?? 0;
  log.write(progress(indexBefore));
  assert.deepEqual(log.store.service(web)?.UpdateStatus, started);
  assert.equal(
    log.store.service(web)?.Version.Index,
    indexBefore,
    "progress is not a client's write",
  );
  update(log);
  const after = log.store.service(web);
  assert.equal(after?.UpdateStatus, undefined);
  assert.deepEqual([after?.Gam.waveAtMs, after?.Gam.updated], [0, []]);
});

test("a rollback restores the previous spec, and leaves none before it", () => {
  const log = logOfOne();
  update(log, { image: "tiny:2" });
  const basedOn = log.store.service(web)?.Version.Index ?? 0;
  log.write({ kind: "rollbackService", id: web, basedOn, message: "because" });
  const service = log.store.service(web);
  assert.equal(service?.Spec.TaskTemplate.ContainerSpec.Image, "tiny:1");
  assert.equal(service?.PreviousSpec, undefined);
  assert.equal(service?.UpdateStatus?.State, "rollback_started");
  assert.equal(service?.UpdateStatus?.Message, "because");
});

test("a client's rollbacks alternate between two specs", () => {
  const log = logOfOne();
  const none = update(log, { back: true }).outcome;
  const message = "service web does not have a previous spec";
  assert.deepEqual(none, { kind: "refused", code: "REFUSED", message });
  update(log, { image: "tiny:2", registryAuth: aSeal("second") });
  const images = (): unknown => {
    const { Spec, PreviousSpec, Gam } = log.store.service(web) ?? {};
    const image = (spec: ServiceSpec | undefined) => spec?.TaskTemplate.ContainerSpec.Image;
    return [image(Spec), image(PreviousSpec), Gam?.registryAuth, Gam?.registryAuthPrevious];
  };
  assert.deepEqual(images(), ["tiny:2", "tiny:1", aSeal("second"), undefined]);
  update(log, { back: true });
  assert.equal(log.store.service(web)?.UpdateStatus?.Message, "manually requested rollback");
  assert.deepEqual(images(), ["tiny:1", "tiny:2", undefined, aSeal("second")]);
  update(log, { back: true });
  assert.deepEqual(images(), ["tiny:2", "tiny:1", aSeal("second"), undefined]);
});

test("an endpoint is void when another service got its port", () => {
  const log = logOfOne();
  log.write(aService("two", published(30_000)));
  const endpoint = { Spec: {}, Ports: [{ TargetPort: 1, PublishedPort: 30_000 }] };
  assert.deepEqual(log.write({ kind: "setEndpoint", id: web, endpoint }).events, []);
});

test("a node that joins again keeps its spec and its creation time, and loses its tombstone", () => {
  const log = logOfOne();
  const born = log.store.node(a)?.CreatedAt;
  const Version = log.store.node(a)?.Version.Index ?? 0;
  const drained = { ...aNode("a").Spec, Availability: "drain" as const };
  log.write({ kind: "updateNode", id: a, spec: drained, basedOn: Version });
  log.nowMs += 1000;
  log.write({ kind: "joinNode", node: aNode("a", { address: "10.0.0.9" }) });
  const node = log.store.node(a);
  assert.equal(node?.Spec.Availability, "drain");
  assert.equal(node?.CreatedAt, born);
  assert.equal(node?.Status.Addr, "10.0.0.9");
  log.write({ kind: "removeNode", id: a });
  assert.ok(log.store.isRemoved(a));
  log.write({ kind: "joinNode", node: aNode("a") });
  assert.ok(!log.store.isRemoved(a));
  assert.equal(log.store.node(a)?.Spec.Availability, "active");
});

test("tokens are sealed under the newest root key alone", () => {
  const log = new TestLog();
  const made = { Worker: aToken("w1", ["old"]), Manager: aToken("m1", ["old"]) };
  const key = aSealingKey("key", ["old"]);
  log.write({
    kind: "createCluster",
    cluster: aCluster({ RootPublicKey: "old", Tokens: made, SealingKeys: [key] }),
  });
  const rotate = (manager: string, ...under: readonly string[]): string =>
    log.write({ kind: "rotateTokens", worker: undefined, manager: aToken(manager, under) }).outcome
      .kind;
  assert.equal(rotate("m2", "older"), "refused");
  assert.equal(rotate("m2", "old"), "applied");
  assert.deepEqual(log.store.cluster?.Tokens, { ...made, Manager: aToken("m2", ["old"]) });
  const next = { PublicKey: "new", Signature: "s" };
  const keys = [aSealingKey("key", ["old", "new"]), aSealingKey("key2", ["new"])];
  const begin = (...under: readonly string[]): string => {
    const tokens = { Worker: aToken("w3", ["new"]), Manager: aToken("m3", under) };
    return log.write({ kind: "rotateRoot", root: "old", next, tokens, keys }).outcome.kind;
  };
  assert.equal(begin("old"), "refused");
  assert.equal(begin("old", "new"), "refused", "who knows the old key could read it");
  assert.equal(begin("new"), "applied");
  assert.equal(rotate("m4", "old"), "refused", "nobody could unseal it afterwards");
  assert.equal(rotate("m4", "new"), "applied");
  log.write({ kind: "endRootRotation", publicKey: "new" });
  assert.equal(log.store.cluster?.RootPublicKey, "new");
  const tokens = { Worker: aToken("w3", ["new"]), Manager: aToken("m4", ["new"]) };
  assert.deepEqual(log.store.cluster?.Tokens, tokens);
});

test("an unlock key is sealed under every present root key, and follows the root key", () => {
  const log = new TestLog();
  log.write({ kind: "createCluster", cluster: aCluster({ RootPublicKey: "old" }) });
  const update = (
    AutoLockManagers: boolean,
    unlockKey: Readonly<Record<string, string>> | undefined,
  ): Outcome => {
    const spec = { ...aCluster().Spec, EncryptionConfig: { AutoLockManagers } };
    const basedOn = log.store.cluster?.Version.Index ?? 0;
    return log.write({ kind: "updateCluster", spec, basedOn, unlockKey }).outcome;
  };
  const key = (): unknown => log.store.cluster?.UnlockKey;
  assert.deepEqual(update(true, undefined), {
    kind: "refused",
    code: "BAD_REQUEST",
    message: "managers cannot be locked without an unlock key",
  });
  assert.equal(update(true, { other: "k" }).kind, "refused");
  assert.equal(update(true, { old: "k" }).kind, "applied");
  assert.equal(update(true, undefined).kind, "applied");
  assert.deepEqual(key(), { old: "k" });

  const next = { PublicKey: "new", Signature: "s", SelfSignature: "self" };
  const token = aToken("t", ["new"]);
  const tokens = { Worker: token, Manager: token };
  const keys = [aSealingKey("key", ["old", "new"]), aSealingKey("key2", ["new"])];
  const rotate = (unlockKey: Readonly<Record<string, string>> | undefined): string =>
    log.write({ kind: "rotateRoot", root: "old", next, tokens, keys, unlockKey }).outcome.kind;
  assert.equal(rotate(undefined), "refused", "nobody could unlock a manager afterwards");
  assert.equal(rotate({ old: "k" }), "refused");
  assert.equal(rotate({ old: "k", new: "k'" }), "applied");
  assert.equal(update(true, { old: "k2" }).kind, "refused");
  assert.equal(update(true, { old: "k2", new: "k2'" }).kind, "applied");
  log.write({ kind: "endRootRotation", publicKey: "new" });
  assert.deepEqual(key(), { new: "k2'" });
  assert.equal(log.store.cluster?.RootSelfSignature, "self");
  assert.equal(update(false, undefined).kind, "applied");
  assert.equal(key(), undefined);
});

test("the root key is replaced once every node has a certificate of the next one", () => {
  const log = new TestLog();
  const SealingKeys = [aSealingKey("key", ["old"])];
  log.write({ kind: "createCluster", cluster: aCluster({ RootPublicKey: "old", SealingKeys }) });
  for (const id of ["a", "b"]) log.write({ kind: "joinNode", node: aNode(id) });
  const rotate = (root: string, PublicKey: string): Outcome => {
    const next = { PublicKey, Signature: "s" };
    const token = aToken(PublicKey, [PublicKey]);
    const tokens = { Worker: token, Manager: token };
    const kept = (log.store.cluster?.SealingKeys ?? []).map(({ ID, Sealed }) => {
      return { ID, Sealed: { ...Sealed, [PublicKey]: "" } };
    });
    const keys = [...kept, aSealingKey(PublicKey, [PublicKey])];
    return log.write({ kind: "rotateRoot", root, next, tokens, keys }).outcome;
  };
  const has = (id: string, root: string): void => {
    const { Description: description, Gam } = aNode(id);
    const { addresses, engine } = Gam;
    const said = { description, addresses, engine, network: aNodeNetwork(), root };
    log.write({ kind: "describeNode", id: id as NodeId, ...said });
  };
  const roots = (): unknown => {
    const { cluster } = log.store;
    const awaited = nodesWithoutNextRoot(log.store).map(({ ID }) => ID);
    return [cluster?.RootPublicKey, cluster?.NextRoot?.PublicKey, awaited.join(" ")];
  };
  const end = (publicKey: string): void => {
    log.write({ kind: "endRootRotation", publicKey });
  };
  end("new");
  assert.deepEqual(roots(), ["old", undefined, ""]);
  assert.equal(rotate("older", "new").kind, "refused");
  rotate("old", "given up");
  has("a", "given up");
  rotate("old", "new");
  assert.deepEqual(roots(), ["old", "new", "a b"]);
  has("a", "new");
  end("new");
  assert.deepEqual(roots(), ["old", "new", "b"]);
  has("b", "new");
  end("given up");
  assert.deepEqual(roots(), ["old", "new", ""]);
  log.write({ kind: "joinNode", node: aNode("c") });
  end("new");
  assert.deepEqual(roots(), ["old", "new", "c"]);
  log.write({ kind: "removeNode", id: "c" as NodeId });
  end("new");
  assert.deepEqual(roots(), ["new", undefined, ""]);
});

test("the time without an engine counts from the verdict, by the leader's clock", () => {
  const log = logOfOne();
  const { Description } = aNode("a");
  const describe = (ready: boolean): void => {
    const engine = { ready, reason: ready ? "" : "gone" };
    log.write({
      kind: "describeNode",
      id: a,
      description: Description,
      addresses: [],
      engine,
      network: aNodeNetwork(),
    });
  };
  const lostAtMs = (): number | undefined => log.store.node(a)?.Gam.engineLostAtMs;
  describe(false);
  assert.equal(lostAtMs(), 0);
  log.nowMs += 5;
  log.write({ kind: "judgeNode", id: a, status: { State: "disconnected" } });
  const firstMs = log.nowMs;
  assert.equal(lostAtMs(), firstMs);
  log.nowMs += 5;
  describe(false);
  log.write({ kind: "judgeNode", id: a, status: { State: "down" } });
  assert.equal(lostAtMs(), firstMs);
  describe(true);
  assert.equal(lostAtMs(), 0);
});

const addresses: readonly (readonly [string, string])[] = [
  ["10.0.0.1:7946", "10.0.0.1"],
  ["10.0.0.1", "10.0.0.1"],
  ["[fd00::1]:7946", "fd00::1"],
  ["[fd00::1]", "fd00::1"],
];
for (const [address, want] of addresses) {
  test(`hostOf("${address}")`, () => assert.equal(hostOf(address), want));
}

const statuses = fc.record(
  {
    Timestamp: fc.constant("2026-01-01T00:00:00.000Z"),
    State: fc.constantFrom(...taskStates),
    Message: fc.constantFrom("", "x"),
    Err: fc.constantFrom("", "y"),
  },
  { requiredKeys: ["Timestamp", "State"] },
);

test("merging observations: a repeated one changes nothing, and a task never goes back", () => {
  fc.assert(
    fc.property(statuses, statuses, (old, next) => {
      assert.equal(mergeStatus(old, old), old);
      const merged = mergeStatus(old, next);
      assert.ok(merged === old || merged === next);
      assert.equal(mergeStatus(merged, next), merged, "a repeated observation changes nothing");
      if (old.State === "orphaned") assert.ok(isTerminal(merged.State));
      else assert.ok(compareStates(merged.State, old.State) >= 0);
      if (isTerminal(old.State) && old.State !== "orphaned") assert.equal(merged.State, old.State);
    }),
  );
});

test("only the real end of a lost task may still replace its state", () => {
  const orphaned = status("orphaned");
  assert.equal(mergeStatus(orphaned, status("running")), orphaned);
  assert.equal(mergeStatus(orphaned, status("failed")).State, "failed");
});

/** Mostly valid changes, so that the store fills. */
function someChange(seed: number, step: number): Change {
  const random = seededRandom(seed * 1000 + step + 1);
  const node = `n${random.below(4)}` as NodeId;
  const service = `s${random.below(4)}` as ServiceId;
  const task = `t${random.below(40)}` as TaskId;
  const State = taskStates[random.below(taskStates.length)] ?? "new";
  const changes: readonly Change[] = [
    cluster,
    { kind: "joinNode", node: aNode(node) },
    { kind: "removeNode", id: node },
    aService(service),
    aService(service),
    { kind: "removeService", id: service },
    { kind: "createTask", task: aTask(service, `t${step % 40}`, { slot: 1 }) },
    { kind: "createTask", task: aTask(service, `t${(step + 7) % 40}`, { slot: 2 }) },
    { kind: "assignTask", id: task, node, status: status("assigned") },
    { kind: "assignTask", id: task, node, status: status("assigned") },
    { kind: "desireTask", id: task, desired: "shutdown" },
    { kind: "reportTask", id: task, status: status(State) },
    { kind: "removeTask", id: task },
    network(service),
    { kind: "removeNetwork", id: service as string as NetworkId },
  ];
  return changes[random.below(changes.length)] ?? cluster;
}

function lists(store: Store): unknown {
  return {
    index: store.index,
    cluster: store.cluster,
    nodes: store.nodes(),
    services: store.services(),
    tasks: store.tasks(),
    networks: store.networks(),
    of: store.services().map(({ ID }) => store.tasksOf(ID)),
    on: store.nodes().map(({ ID }) => store.tasksOn(ID)),
    removed: ["n0", "n1", "n2", "n3"].map((id) => store.isRemoved(id as NodeId)),
  };
}

test("a store restored from a dump is equal, and continues in the same way", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_000_000 }), fc.nat(150), (seed, cut) => {
      const grown = new TestLog();
      let restored: Store | undefined;
      for (let step = 0; step < 200; step += 1) {
        const change = someChange(seed, step);
        const { outcome } = grown.write(change);
        if (restored !== undefined) {
          const id = `p${String(step + 1).padStart(24, "0")}` as ProposalId;
          const again = restored.apply(step + 1, { id, atMs: grown.nowMs, changes: [change] });
          assert.deepEqual(again.outcome, outcome);
        }
        if (step !== cut) continue;
        restored = new Store();
        restored.apply(1, { id: "old" as ProposalId, atMs: 0, changes: [aService("old")] });
        restored.restore(decode(grown.store.dump()) as Dump);
      }
      assert.ok(restored);
      assert.deepEqual(encode(lists(restored)), encode(lists(grown.store)));
      assert.deepEqual(restored.dump(), grown.store.dump());
    }),
    { numRuns: 40 },
  );
});

test("a reader's objects never change", () => {
  const log = logOfOne();
  const held = log.store.task(t1);
  const before = structuredClone(held);
  log.write({ kind: "desireTask", id: t1, desired: "shutdown" });
  assert.deepEqual(held, before);
  assert.notEqual(log.store.task(t1), held);
});

test("an unchecked change whose event cannot be shown is refused as any other", () => {
  const log = logOfOne();
  const config = { kind: "createConfig", id: "conf" as ConfigId, spec: 7 as never } as const;
  const before = log.store.dump().length;
  const content = { version: 1, data: new Uint8Array(1) };
  const { outcome, events } = log.write({ ...config, content });
  assert.equal(outcome.kind, "refused");
  assert.deepEqual([events, log.store.configs()], [[], []]);
  assert.ok(log.store.dump().length > before, "its outcome is kept");
});
