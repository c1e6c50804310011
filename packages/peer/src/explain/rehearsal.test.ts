/**
 * What a rehearsal foresees, against what then happens: 500 deployments, each with hosts, services and changes of its
 * own. What happens is decided by a leader as peers run it, with hosts that take different times for each step of each
 * task.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId, ProposalId, ServiceId } from "@gam/core";
import { counterMint } from "@gam/core/testing";
import { type Change, isTerminal, isWanted, type Task, type TaskState } from "@gam/state";
import type { PlanReport } from "@gam/state/answers";
import { aCluster, aNetwork, aNode, aService, type ServiceWish, TestLog } from "@gam/state/testing";
import fc from "fast-check";
import { Leading } from "../leader/leading.ts";
import { changedServices, objectChanges, planStateOf, taskChanges } from "./plan-changes.ts";
import { Rehearsal } from "./rehearsal.ts";

const gib = 2 ** 30;
const tickMs = 50;
/** Longer than all delays of the updates below. */
const quietTicks = 200;

/** A real leader over hosts that need some ticks for each step. */
class World {
  readonly log = new TestLog();
  readonly #leading = new Leading(counterMint("t"));
  readonly #pace: (task: Task) => number;
  readonly #due = new Map<string, number>();
  #tick = 0;

  constructor(pace: (task: Task) => number) {
    this.#pace = pace;
  }

  write(...changes: readonly Change[]): void {
    const { outcome, events } = this.log.write(...changes);
    assert.equal(outcome.kind, "applied", JSON.stringify(outcome));
    this.#leading.notice(events);
  }

  /** Runs until nothing has changed for a while. */
  settle(): void {
    for (let quiet = 0; quiet < quietTicks; quiet += 1) {
      this.#tick += 1;
      this.log.nowMs += tickMs;
      if (this.#lead() || this.#work()) quiet = 0;
      assert.ok(this.#tick < 200_000, "it comes to rest");
    }
  }

  #lead(): boolean {
    this.#leading.tick();
    const changes = this.#leading.plan(this.log.store, {
      ...{ self: "n0" as NodeId, nowMs: this.log.nowMs, usage: new Map() },
      verdictOf: () => ({ verdict: "alive", reason: "" }),
      configuration: { voters: [], votersOutgoing: [], learners: [], standbys: [] },
      ...{
        trust: () => true,
        answers: () => true,
        caughtUp: () => true,
        votersMax: 5,
        voteSilenceTicks: 6000,
      },
    });
    if (changes.length === 0) return false;
    const id = `p${this.#tick}` as ProposalId;
    this.#leading.proposed(id, changes);
    const { events } = this.log.write(...changes);
    this.#leading.settle(id);
    this.#leading.notice(events, true);
    return true;
  }

  #work(): boolean {
    const changes: Change[] = [];
    for (const task of this.log.store.tasks()) {
      const next = nextState(task);
      if (next === undefined) continue;
      const key = `${task.ID} ${next}`;
      const due = this.#due.get(key) ?? this.#tick + this.#pace(task);
      this.#due.set(key, due);
      if (due > this.#tick) continue;
      const Timestamp = new Date(this.log.nowMs).toISOString();
      changes.push({ kind: "reportTask", id: task.ID, status: { Timestamp, State: next } });
    }
    if (changes.length > 0) this.write(...changes);
    return changes.length > 0 || [...this.#due.values()].some((tick) => tick > this.#tick);
  }
}

function nextState(task: Task): TaskState | undefined {
  const { State } = task.Status;
  if (task.NodeID === undefined || isTerminal(State)) return undefined;
  if (!isWanted(task)) return "shutdown";
  const steps: readonly TaskState[] = [
    "assigned",
    "accepted",
    "preparing",
    "ready",
    "starting",
    "running",
  ];
  const at = steps.indexOf(State);
  if (at < 0) return undefined;
  if (State === "running") return task.DesiredState === "complete" ? "complete" : undefined;
  return State === "ready" && task.DesiredState === "ready" ? undefined : steps[at + 1];
}

const someNode = fc.record({
  cpus: fc.integer({ min: 1, max: 4 }),
  zone: fc.constantFrom("east", "west"),
  availability: fc.constantFrom(
    "active" as const,
    "active" as const,
    "active" as const,
    "drain" as const,
  ),
});

const someService = fc.record({
  image: fc.constantFrom("app:1", "app:2", "app:3"),
  replicas: fc.integer({ min: 0, max: 6 }),
  isGlobal: fc.boolean(),
  isJob: fc.boolean(),
  cpus: fc.constantFrom(0, 0, 0.5, 1, 8),
  zone: fc.constantFrom("", "", "east", "north"),
  replicasMax: fc.constantFrom(0, 0, 1, 2),
  network: fc.boolean(),
  port: fc.constantFrom(0, 0, 8080),
  parallelism: fc.constantFrom(0, 1, 2),
  order: fc.constantFrom("stop-first" as const, "start-first" as const),
  delayS: fc.constantFrom(0, 0, 2),
});

type SomeService = typeof someService extends fc.Arbitrary<infer T> ? T : never;

function wishOf(one: SomeService, mode: SomeService): ServiceWish {
  const { image, replicas, cpus, zone, replicasMax, network, port, parallelism, order, delayS } =
    one;
  const Replicated = { Replicas: replicas };
  const constraints = zone === "" ? [] : [`node.labels.zone == ${zone}`];
  const isJob = mode.isJob && !mode.isGlobal;
  return {
    image,
    mode: mode.isGlobal
      ? { Global: {} }
      : isJob
        ? { ReplicatedJob: { MaxConcurrent: replicas, TotalCompletions: replicas } }
        : { Replicated },
    template: {
      Resources: { Reservations: { NanoCPUs: cpus * 1e9 } },
      Placement: { Constraints: constraints, MaxReplicas: replicasMax },
      ...(network && { Networks: [{ Target: "net" }] }),
      ...(isJob && { RestartPolicy: { Condition: "none" } }),
    },
    ...(port > 0 && {
      endpoint: { Ports: [{ TargetPort: 80, PublishedPort: port, PublishMode: "host" }] },
    }),
    spec: isJob
      ? {}
      : {
          UpdateConfig: {
            Parallelism: parallelism,
            Order: order,
            Delay: delayS * 1e9,
            Monitor: 1e9,
          },
        },
  };
}

const names = ["api", "db", "web"] as const;

const someDeployment = fc.record({
  nodes: fc.array(someNode, { minLength: 1, maxLength: 5 }),
  before: fc.array(someService, { minLength: 3, maxLength: 3 }),
  /** How many services there are before. */
  known: fc.integer({ min: 0, max: 3 }),
  after: fc.array(fc.option(someService), { minLength: 3, maxLength: 3 }),
  /** How long each step takes, in ticks, in turn. */
  paces: fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 7, maxLength: 7 }),
});

type Deployment = typeof someDeployment extends fc.Arbitrary<infer T> ? T : never;

function worldOf({ nodes, before, known, paces }: Deployment): World {
  let turn = 0;
  const world = new World(() => {
    turn += 1;
    return paces[turn % paces.length] ?? 0;
  });
  world.write({ kind: "createCluster", cluster: aCluster() });
  nodes.forEach(({ cpus, zone, availability }, at) => {
    const node = aNode(`n${at}`, { spec: { Labels: { zone }, Availability: availability } });
    const Resources = { NanoCPUs: cpus * 1e9, MemoryBytes: 8 * gib };
    world.write({
      kind: "joinNode",
      node: { ...node, Description: { ...node.Description, Resources } },
    });
  });
  world.write({ kind: "createNetwork", network: aNetwork("net") });
  before.slice(0, known).forEach((one, at) => {
    world.write(aService(names[at] ?? "", wishOf(one, one)));
  });
  world.settle();
  return world;
}

/** Services that are not there yet are created, those without a successor removed, the others updated. */
function changesOf({ before, known, after }: Deployment, world: World): Change[] {
  return after.flatMap((one, at): Change[] => {
    const name = names[at] ?? "";
    const id = name as ServiceId;
    const present = world.log.store.service(id);
    const mode = at < known ? before[at] : one;
    if (one === null) return present === undefined ? [] : [{ kind: "removeService", id }];
    const made = aService(name, wishOf(one, mode ?? one));
    if (present === undefined) return [made];
    return [{ kind: "updateService", id, spec: made.spec, basedOn: present.Version.Index }];
  });
}

/** Nodes are equal but for their names where nothing else decides, so their order must not. */
function comparable({ objects, tasks }: Omit<PlanReport, "isComplete">): unknown {
  const byName = (list: readonly { readonly name: string; readonly node: string }[]): string[] =>
    list.map(({ name, node }) => `${name} on ${node}`).sort();
  return {
    objects,
    tasks: tasks.map((one) => ({
      ...one,
      started: byName(one.started),
      stopped: byName(one.stopped),
      waiting: one.waiting.map(({ name, why }) => `${name}: ${why}`).sort(),
    })),
  };
}

function foreseenAndSeen(deployment: Deployment): { foreseen: unknown; seen: unknown } {
  const world = worldOf(deployment);
  const { store } = world.log;
  const changes = changesOf(deployment, world);
  const rehearsal = new Rehearsal(store, { usage: new Map(), nowMs: world.log.nowMs });
  for (const change of changes) assert.equal(rehearsal.propose([change]).kind, "applied");
  const report = rehearsal.finish();
  assert.ok(report.isComplete, "it ends");
  const before = planStateOf(store);
  for (const change of changes) world.write(change);
  const written = planStateOf(store);
  world.settle();
  const tasks = changedServices(before, written).map((id) => taskChanges(id, before, store));
  return {
    foreseen: comparable(report),
    seen: comparable({ objects: objectChanges(before, written), tasks }),
  };
}

test("what 500 deployments do is what their rehearsals have foreseen", () => {
  fc.assert(
    fc.property(someDeployment, fc.integer({ min: 0, max: 10 }), (deployment, pace) => {
      const { foreseen, seen } = foreseenAndSeen({ ...deployment, paces: [pace] });
      assert.deepEqual(foreseen, seen);
    }),
    { numRuns: 500, seed: 15, endOnFailure: true },
  );
});

/** The report without the nodes of tasks. */
function withoutNodes(report: unknown): unknown {
  return JSON.parse(JSON.stringify(report).replace(/ on host-n\d/g, ""));
}

test("hosts of different speed change only on which of them tasks run", () => {
  fc.assert(
    fc.property(someDeployment, (deployment) => {
      const { foreseen, seen } = foreseenAndSeen(deployment);
      assert.deepEqual(withoutNodes(foreseen), withoutNodes(seen));
    }),
    { numRuns: 100, seed: 15, endOnFailure: true },
  );
});

const somePods = fc.record({
  nodes: fc.array(someNode, { minLength: 1, maxLength: 4 }),
  replicas: fc.integer({ min: 0, max: 4 }),
  later: fc.integer({ min: 0, max: 4 }),
  cpus: fc.constantFrom(0, 0.5, 1, 2),
  hasInit: fc.boolean(),
  order: fc.constantFrom("stop-first" as const, "start-first" as const),
  changed: fc.constantFrom("web", "log", "gone"),
  pace: fc.integer({ min: 0, max: 10 }),
});

type SomePods = typeof somePods extends fc.Arbitrary<infer T> ? T : never;

function podChanges({ replicas, cpus, hasInit, order }: SomePods, image: string): Change[] {
  const template = { Resources: { Reservations: { NanoCPUs: cpus * 1e9 } } };
  const UpdateConfig = { Parallelism: 1, Order: order, Monitor: 1e9 };
  const part = (name: string, role: string, restart: "any" | "on-failure"): Change => {
    const Labels = { "gam.pod": "web", "gam.pod.role": role };
    const RestartPolicy = { Condition: restart };
    const wish = { template: { ...template, RestartPolicy }, spec: { Labels, UpdateConfig } };
    return aService(name, { image, ...wish });
  };
  return [
    ...(hasInit ? [part("prepare", "init", "on-failure")] : []),
    aService("web", { image, replicas, template, spec: { UpdateConfig } }),
    part("log", "sidecar", "any"),
  ];
}

test("what 100 deployments of pods do is what their rehearsals have foreseen", () => {
  fc.assert(
    fc.property(somePods, (pods) => {
      const one = { before: [], known: 0, after: [], nodes: pods.nodes, paces: [pods.pace] };
      const world = worldOf(one);
      for (const change of podChanges(pods, "app:1")) world.write(change);
      world.settle();
      const { store } = world.log;
      const next = podChanges({ ...pods, replicas: pods.later }, "app:2");
      const changes = next.flatMap((change): Change[] => {
        if (change.kind !== "createService") return [];
        const { id, spec } = change;
        if (pods.changed === "gone") return id === "web" ? [{ kind: "removeService", id }] : [];
        const basedOn = store.service(id)?.Version.Index ?? 0;
        return id === pods.changed ? [{ kind: "updateService", id, spec, basedOn }] : [];
      });
      const rehearsal = new Rehearsal(store, { usage: new Map(), nowMs: world.log.nowMs });
      for (const change of changes) assert.equal(rehearsal.propose([change]).kind, "applied");
      const report = rehearsal.finish();
      const before = planStateOf(store);
      for (const change of changes) world.write(change);
      const written = planStateOf(store);
      world.settle();
      const tasks = changedServices(before, written).map((id) => taskChanges(id, before, store));
      const names = tasks.map(({ service }) => service);
      assert.ok(
        pods.changed === "log" || names.includes("log"),
        "the plan shows the parts as well",
      );
      const seen = comparable({ objects: objectChanges(before, written), tasks });
      assert.deepEqual(withoutNodes(comparable(report)), withoutNodes(seen));
    }),
    { numRuns: 100, seed: 15, endOnFailure: true },
  );
});

test("a canary is foreseen up to the step at which a person is asked", () => {
  const foresee = (steps: string) => {
    const world = new World(() => 0);
    world.write({ kind: "createCluster", cluster: aCluster() });
    world.write({ kind: "joinNode", node: aNode("n0") });
    const Labels = { "gam.rollout": "canary", "gam.rollout.steps": steps };
    const check = { "gam.rollout.check.http": "http://probe/" };
    const service = (image: string) =>
      aService("web", { image, replicas: 4, spec: { Labels: { ...Labels, ...check } } });
    world.write(service("app:1"));
    world.settle();
    const { store, nowMs } = world.log;
    const basedOn = store.service("web" as ServiceId)?.Version.Index ?? 0;
    const rehearsal = new Rehearsal(store, { usage: new Map(), nowMs });
    const { id, spec } = service("app:2");
    rehearsal.propose([{ kind: "updateService", id, spec, basedOn }]);
    const [tasks] = rehearsal.finish().tasks;
    return [tasks?.started.length, tasks?.stopped.length];
  };
  assert.deepEqual(foresee("50%:1h"), [4, 4]);
  assert.deepEqual(foresee("50%"), [2, 0]);
});
