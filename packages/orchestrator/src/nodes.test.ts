import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "@gam/core";
import type { EngineHealth, NodeState } from "@gam/state";
import { aNode, aNodeNetwork, TestLog } from "@gam/state/testing";
import { type PeerHealth, planNodes } from "./nodes.ts";

const a = "a" as NodeId;
const there = { ready: true, reason: "" };
const missing = { ready: false, reason: "engine does not answer" };
const alive: PeerHealth = { verdict: "alive", reason: "" };
const lost: PeerHealth = { verdict: "lost", reason: "silent to b, c" };
const refused: PeerHealth = { verdict: "refused", reason: "refused" };

const cases: readonly {
  name: string;
  state: NodeState;
  engine: EngineHealth;
  health: PeerHealth | undefined;
  /** Seconds since the node was first judged without its engine. */
  lostS?: number;
  want: string | undefined;
}[] = [
  {
    name: "is ready when it answers",
    state: "unknown",
    engine: there,
    health: alive,
    want: "ready",
  },
  {
    name: "is down when it is lost",
    state: "ready",
    engine: there,
    health: lost,
    want: "down: silent to b, c",
  },
  {
    name: "is back at its first answer",
    state: "down",
    engine: there,
    health: alive,
    want: "ready",
  },
  {
    name: "keeps its state when its agent is gone",
    state: "ready",
    engine: there,
    health: refused,
    want: undefined,
  },
  {
    name: "keeps its state without a verdict",
    state: "ready",
    engine: there,
    health: undefined,
    want: undefined,
  },
  {
    name: "is disconnected without its engine",
    state: "ready",
    engine: missing,
    health: alive,
    want: "disconnected: engine does not answer",
  },
  {
    name: "stays so for 15 s",
    state: "ready",
    engine: missing,
    health: alive,
    lostS: 14.9,
    want: undefined,
  },
  {
    name: "is down after that",
    state: "ready",
    engine: missing,
    health: alive,
    lostS: 15,
    want: "down: engine does not answer",
  },
  {
    name: "waits longer when the clock of the leader before was ahead",
    state: "ready",
    engine: missing,
    health: alive,
    lostS: -5,
    want: undefined,
  },
];

for (const { name, state, engine, health, lostS, want } of cases) {
  test(`a node ${name}`, () => {
    const log = new TestLog();
    const { Description } = aNode("a");
    log.write({ kind: "joinNode", node: aNode("a", { state }) });
    log.write({
      kind: "describeNode",
      id: a,
      description: Description,
      addresses: [],
      engine,
      network: aNodeNetwork(),
    });
    const verdicts = new Map(health === undefined ? [] : [[a, health]]);
    if (lostS !== undefined) {
      log.write(...planNodes(log.store, { verdicts, nowMs: log.nowMs }));
      log.nowMs += lostS * 1000;
    }
    const changes = planNodes(log.store, { verdicts, nowMs: log.nowMs });
    const shown = changes.map((change) => {
      assert.ok(change.kind === "judgeNode");
      const { State, Message } = change.status;
      return Message ? `${State}: ${Message}` : State;
    });
    assert.deepEqual(shown, want === undefined ? [] : [want]);
    log.write(...changes);
    assert.deepEqual(planNodes(log.store, { verdicts, nowMs: log.nowMs }), [], "judged again");
  });
}

test("a node without a description stays unknown", () => {
  const log = new TestLog();
  const Resources = { NanoCPUs: 0, MemoryBytes: 0 };
  const node = aNode("a", { state: "unknown", description: { Resources } });
  log.write({ kind: "joinNode", node });
  assert.deepEqual(planNodes(log.store, { verdicts: new Map([[a, alive]]), nowMs: log.nowMs }), []);
});

test("a lost node is ready only after its own report", () => {
  const log = new TestLog();
  const { Description } = aNode("a");
  log.write({ kind: "joinNode", node: aNode("a") });
  const judge = (health: PeerHealth): string | undefined => {
    log.write(...planNodes(log.store, { verdicts: new Map([[a, health]]), nowMs: log.nowMs }));
    return log.store.node(a)?.Status.State;
  };
  const say = (engine: EngineHealth): void => {
    const rest = { description: Description, addresses: [], network: aNodeNetwork() };
    log.write({ kind: "describeNode", id: a, engine, ...rest });
  };
  say(there);
  assert.equal(judge(alive), "ready");
  assert.equal(judge(lost), "down");
  assert.equal(judge(alive), "down", "its engine was there before it was lost");
  say(missing);
  assert.equal(judge(alive), "down", "its engine is not there yet");
  say(there);
  assert.equal(judge(alive), "ready");
});
