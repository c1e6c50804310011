import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId, ProposalId, TaskId } from "@gam/core";
import { counterMint, testId } from "@gam/core/testing";
import type { Change } from "@gam/state";
import {
  aCluster,
  aNetwork,
  aNode,
  aNodeNetwork,
  aSealingKey,
  aService,
  aToken,
  TestLog,
} from "@gam/state/testing";
import { type LeaderFacts, Leading, losers } from "./leading.ts";

const [a, b, c, d] = ["a", "b", "c", "d"] as NodeId[] as [NodeId, NodeId, NodeId, NodeId];
const first = "p1" as ProposalId;

/** A leader `a` over nodes that all answer. */
class World {
  readonly log = new TestLog();
  readonly leading = new Leading(counterMint("t"));
  facts: LeaderFacts = {
    self: a,
    nowMs: this.log.nowMs,
    usage: new Map(),
    verdictOf: () => ({ verdict: "alive", reason: "" }),
    configuration: { voters: [a, b, c], votersOutgoing: [], learners: [], standbys: [] },
    answers: () => true,
    trust: () => true,
    caughtUp: () => true,
    votersMax: 5,
    voteSilenceTicks: 6000,
  };

  constructor(nodes: readonly NodeId[] = [a, b, c]) {
    this.write(
      ...nodes.map((id) => ({ kind: "joinNode" as const, node: aNode(id) })),
      aService("web", { replicas: 2 }),
    );
  }

  write(...changes: readonly Change[]): void {
    this.leading.notice(this.log.write(...changes).events);
  }

  plan(): readonly Change[] {
    const { isDue } = this.leading;
    const planned = this.leading.plan(this.log.store, this.facts);
    assert.ok(isDue || planned.length === 0, "who has something to plan says so");
    return planned;
  }

  tick(count: number): void {
    for (let n = 0; n < count; n += 1) this.leading.tick();
  }

  /** The wanted voters after so many ticks, asked in each; undefined as long as they are the present ones. */
  voters(ticks = 24): string | undefined {
    for (let n = 0; n < ticks; n += 1) {
      this.tick(1);
      const { isDue } = this.leading;
      const planned = this.leading.planVoters(this.log.store, this.facts);
      assert.ok(isDue || planned === undefined, "who has something to plan says so");
      if (planned !== undefined) return planned.voters.join("");
    }
    return undefined;
  }
}

function kinds(changes: readonly Change[]): string {
  return changes.map(({ kind }) => kind).join(" ");
}

test("Leading ends the rotation of the root key when every node has the next one", () => {
  const world = new World([a]);
  world.write({
    kind: "createCluster",
    cluster: aCluster({ RootPublicKey: "old", SealingKeys: [aSealingKey("key", ["old"])] }),
  });
  const next = { PublicKey: "new", Signature: "s" };
  const token = aToken("t", ["new"]);
  const tokens = { Worker: token, Manager: token };
  const keys = [aSealingKey("key", ["old", "new"]), aSealingKey("key2", ["new"])];
  world.write({ kind: "rotateRoot", root: "old", next, tokens, keys });
  assert.ok(!kinds(world.plan()).includes("endRootRotation"));
  const { Description: description, Gam } = aNode("a");
  const { addresses, engine } = Gam;
  const said = { description, addresses, engine, network: aNodeNetwork(), root: "new" };
  world.write({ kind: "describeNode", id: a, ...said });
  assert.deepEqual(world.plan(), [{ kind: "endRootRotation", publicKey: "new" }]);
});

test("Leading removes a member that never arrived, once it has no vote", () => {
  const world = new World([a, b]);
  const description = { Hostname: "", Resources: { NanoCPUs: 0, MemoryBytes: 0 } };
  world.write({ kind: "joinNode", node: aNode(c, { description, state: "unknown" }) });
  const alive = { verdict: "alive", reason: "" } as const;
  world.facts = { ...world.facts, verdictOf: (id) => (id === c ? undefined : alive) };
  world.plan();
  world.tick(10 * 60 * 20);
  assert.ok(!kinds(world.plan()).includes("removeNode"), "it votes");
  world.facts = { ...world.facts, configuration: { ...world.facts.configuration, voters: [a, b] } };
  world.tick(2);
  assert.deepEqual(world.plan(), [{ kind: "removeNode", id: c, onlyIf: "undescribed" }]);
});

test("Leading plans nothing while its last plan is under way", () => {
  const world = new World();
  const changes = world.plan();
  assert.equal(kinds(changes), "createTask createTask");
  world.leading.proposed(first, []);
  world.tick(10);
  assert.deepEqual(world.plan(), []);
  world.write(...changes);
  world.leading.settle("another" as ProposalId);
  assert.deepEqual(world.plan(), []);
  world.leading.settle(first);
  assert.equal(kinds(world.plan()), "assignTask assignTask");
});

test("Leading gives a task its addresses, then its node with a bridge on it", () => {
  const world = new World();
  world.write({ kind: "createCluster", cluster: aCluster() });
  world.write({ kind: "createNetwork", network: aNetwork("net") });
  world.write(aService("api", { template: { Networks: [{ Target: "net" }] } }));
  const entries: string[] = [];
  for (let changes = world.plan(); changes.length > 0; changes = world.plan()) {
    entries.push(kinds(changes));
    world.write(...changes);
  }
  assert.deepEqual(entries, [
    "createTask createTask createTask",
    "allocateNetwork",
    "setEndpoint attachTask",
    "setGateways assignTask assignTask assignTask",
  ]);
});

test("Leading plans again what did not get into the log, at the next look and not before", () => {
  const world = new World();
  assert.equal(kinds(world.plan()), "createTask createTask");
  assert.deepEqual(world.plan(), []);
  world.tick(2);
  assert.equal(kinds(world.plan()), "createTask createTask");
});

test("Leading makes plans smaller until one fits into an entry", () => {
  const world = new World();
  world.write(aService("big", { replicas: 3000 }));
  const sizes: number[] = [];
  for (let n = 0; n < 4; n += 1) {
    sizes.push(world.plan().length);
    world.leading.tooLarge([]);
  }
  assert.deepEqual(sizes, [2000, 1000, 500, 250]);
});

test("Leading looks for voters at its pace, and at once when one is to be removed", () => {
  const world = new World();
  assert.equal(world.leading.planVoters(world.log.store, world.facts), undefined);
  world.tick(4);
  assert.equal(world.leading.planVoters(world.log.store, world.facts), undefined);
  assert.equal(world.leading.mustStay("d" as NodeId, world.facts.configuration, first), false);
  assert.equal(world.leading.mustStay(c, world.facts.configuration, first), true);
  const { voters } = world.leading.planVoters(world.log.store, world.facts) ?? {};
  assert.ok(voters !== undefined && !voters.includes(c));
  // No removal was asked for in the last two seconds: it may vote again.
  world.tick(40);
  assert.equal(world.leading.planVoters(world.log.store, world.facts), undefined);
});

test("Leading judges a voter by its log and not by its engine", () => {
  const world = new World([a, b, c, d]);
  const down = { State: "down", Message: "connect ECONNREFUSED" } as const;
  world.write({ kind: "judgeNode", id: c, status: down });
  const configuration = { voters: [a, b, c], votersOutgoing: [], learners: [d], standbys: [] };
  world.facts = { ...world.facts, configuration };
  assert.equal(world.voters(), undefined);
  // It answers, but its disk does not keep up.
  world.facts = { ...world.facts, caughtUp: (id) => id !== c };
  assert.equal(world.voters(), "abd");
});

test("Leading keeps the vote of a silent voter for the configured time", () => {
  const world = new World();
  world.facts = { ...world.facts, answers: (id) => id !== c, caughtUp: (id) => id !== c };
  world.facts = { ...world.facts, voteSilenceTicks: 400 };
  assert.equal(world.voters(360), undefined);
  assert.equal(world.voters(60), "a");
});

test("Leading replaces a voter whose agent refuses connections, as it does a lost one", () => {
  for (const verdict of ["refused", "lost"] as const) {
    const world = new World([a, b, c, d]);
    const configuration = { voters: [a, b, c], votersOutgoing: [], learners: [d], standbys: [] };
    const verdictOf = (id: NodeId) =>
      ({ verdict: id === c ? verdict : "alive", reason: "" }) as const;
    world.facts = { ...world.facts, configuration, verdictOf };
    assert.equal(world.voters(), "abd", verdict);
  }
});

test("Leading gives no vote to a node whose removal may be in the log", () => {
  const world = new World([a, b, c]);
  const configuration = { voters: [a], votersOutgoing: [], learners: [b, c], standbys: [] };
  world.facts = { ...world.facts, configuration };
  assert.equal(world.leading.mustStay(b, configuration, first), false);
  world.tick(400);
  assert.equal(world.leading.mustStay(a, configuration, first), true);
  assert.deepEqual(world.leading.planVoters(world.log.store, world.facts)?.voters, [c]);
  world.write({ kind: "removeNode", id: b });
  world.write({ kind: "joinNode", node: aNode(b) });
  assert.equal(world.leading.mustStay(a, configuration, first), true);
  assert.deepEqual(world.leading.planVoters(world.log.store, world.facts)?.voters, [b]);
});

test("Leading lets a node vote again after its demotion failed", () => {
  const world = new World([a, b]);
  const configuration = { voters: [a], votersOutgoing: [], learners: [b], standbys: [] };
  world.facts = { ...world.facts, configuration };
  const spec = { Labels: {}, Role: "worker", Availability: "active" } as const;
  const demote: Change = { kind: "updateNode", id: b, spec, basedOn: 1 };
  assert.deepEqual(losers([demote], world.log.store), [b]);
  const second = "p2" as ProposalId;
  assert.equal(world.leading.mustStay(b, configuration, first), false);
  assert.equal(world.leading.mustStay(a, configuration, second), true);
  assert.equal(world.leading.planVoters(world.log.store, world.facts), undefined, "neither may");
  world.leading.settle(first);
  assert.equal(world.leading.mustStay(a, configuration, second), true);
  assert.deepEqual(world.leading.planVoters(world.log.store, world.facts)?.voters, [b]);
});

test("Leading gives a node a vote after its removal failed", () => {
  const world = new World([a, b, c]);
  const configuration = { voters: [a], votersOutgoing: [], learners: [b, c], standbys: [b, c] };
  world.facts = { ...world.facts, configuration };
  const second = "p2" as ProposalId;
  for (const id of [first, second, first]) {
    assert.equal(world.leading.mustStay(b, configuration, id), false);
  }
  world.leading.settle(first);
  assert.equal(world.voters(400), "a", "the other one may still be committed");
  world.leading.settle(second);
  assert.equal(world.voters(), "abc");
});

test("Leading removes the only voter once another can vote", () => {
  const world = new World([a, b]);
  const configuration = { voters: [a], votersOutgoing: [], learners: [b], standbys: [] };
  world.facts = { ...world.facts, configuration };
  assert.equal(world.leading.mustStay(a, configuration, first), true);
  assert.deepEqual(world.leading.planVoters(world.log.store, world.facts)?.voters, [b]);
  const joint = { voters: [b], votersOutgoing: [a], learners: [], standbys: [] };
  assert.equal(world.leading.mustStay(a, joint, first), true);
  assert.equal(world.leading.mustStay(a, { ...joint, votersOutgoing: [] }, first), false);
});

function rest(world: World): void {
  for (let round = 0; world.leading.isDue; round += 1) {
    assert.ok(round < 100, "a leader stops planning");
    const changes = world.plan();
    world.leading.planVoters(world.log.store, world.facts);
    world.leading.takeHeld();
    if (changes.length === 0) continue;
    const id = `p${round}` as ProposalId;
    world.leading.proposed(id, changes as Parameters<Leading["proposed"]>[1]);
    const { events } = world.log.write(...changes);
    world.leading.settle(id);
    world.leading.notice(events, true);
  }
}

const reasons: readonly (readonly [name: string, give: (world: World) => void])[] = [
  ["something has changed", (world) => world.write(aService("other"))],
  ["a verdict has changed", ({ leading }) => leading.stir()],
  ["a wait may have ended", (world) => world.tick(2)],
  [
    "a voter is to be removed",
    ({ leading, facts }) => leading.mustStay(b, facts.configuration, undefined),
  ],
  [
    "an object begins to be left alone",
    ({ leading }) => {
      const change = { kind: "desireTask", id: testId<TaskId>("t"), desired: "running" } as const;
      for (let n = 0; n < 30; n += 1) {
        leading.proposed(first, [change]);
        leading.settle(first);
      }
    },
  ],
];
for (const [name, give] of reasons) {
  test(`a leader at rest has something to do when ${name}`, () => {
    const world = new World();
    rest(world);
    give(world);
    assert.ok(world.leading.isDue);
  });
}

test("a leader whose plan is under way waits for it", () => {
  const world = new World();
  world.leading.planVoters(world.log.store, world.facts);
  const changes = world.plan();
  world.leading.proposed(first, changes as Parameters<Leading["proposed"]>[1]);
  world.leading.stir();
  assert.ok(!world.leading.isDue);
  world.leading.settle(first);
  assert.ok(world.leading.isDue);
});
