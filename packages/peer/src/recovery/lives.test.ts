import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "@gam/core";
import { aNode, TestLog } from "@gam/state/testing";
import type { PeerMessage } from "../io/message.ts";
import { bootstrapJournal, Journal } from "../journal/journal.ts";
import type { Life } from "../journal/life.ts";
import { Lives } from "./lives.ts";

const [self, manager, worker, stranger] = ["a", "m", "w", "s"] as NodeId[] as [
  NodeId,
  NodeId,
  NodeId,
  NodeId,
];

interface Rig {
  readonly lives: Lives;
  readonly told: (readonly [NodeId, PeerMessage])[];
  readonly notes: string[];
}

/** A peer of life "a", with a state that knows a manager and a worker; or one without any log. */
function rig(hasLog = true): Rig {
  const log = new TestLog();
  const { store } = log;
  const told: (readonly [NodeId, PeerMessage])[] = [];
  const notes: string[] = [];
  if (hasLog) {
    log.write({ kind: "joinNode", node: aNode(manager) });
    const { Spec, ...rest } = aNode(worker);
    log.write({ kind: "joinNode", node: { ...rest, Spec: { ...Spec, Role: "worker" } } });
  }
  const lives = new Lives({
    self,
    journal: hasLog ? bootstrapJournal(self).journal : new Journal(),
    view: store,
    isMute: false,
    lastIndex: () => (hasLog ? store.index : 0),
    tell: (to, body) => told.push([to, body]),
    note: (text) => notes.push(text),
  });
  return { lives, told, notes };
}

const cases: readonly {
  readonly name: string;
  readonly from: NodeId;
  readonly life: Life;
  readonly index?: number;
  readonly hasLog?: boolean;
  readonly want: Partial<Record<"isOver" | "tells" | "rivals", boolean>> & { readonly own?: Life };
}[] = [
  { name: "the same life", from: manager, life: ["a"], want: {} },
  { name: "a later life, of a manager", from: manager, life: ["a", "x"], want: { isOver: true } },
  { name: "a later life, of a worker", from: worker, life: ["a", "x"], want: {} },
  { name: "a later life, of an unknown peer", from: stranger, life: ["a", "x"], want: {} },
  { name: "an earlier life", from: worker, life: [], want: { tells: true } },
  {
    name: "a rival, of a manager",
    from: manager,
    life: ["b"],
    want: { rivals: true, tells: true },
  },
  { name: "a rival, of a worker", from: worker, life: ["b", "c"], want: {} },
  { name: "a rival without a log", from: manager, life: ["b"], index: 0, want: { tells: true } },
  {
    name: "any life, and has no log itself",
    from: stranger,
    life: ["b"],
    hasLog: false,
    want: { own: ["b"] },
  },
  {
    name: "no life, and has no log itself",
    from: stranger,
    life: [],
    index: 0,
    hasLog: false,
    want: { own: [] },
  },
];
for (const { name, from, life, index = 7, hasLog = true, want } of cases) {
  test(`a peer hears of ${name}`, () => {
    const { lives, told } = rig(hasLog);
    lives.hear(from, life, index);
    assert.deepEqual(
      {
        isOver: lives.isOver,
        tells: told.length > 0,
        rivals: lives.rivals.length > 0,
        own: lives.own,
      },
      { isOver: false, tells: false, rivals: false, own: hasLog ? ["a"] : [], ...want },
    );
  });
}

test("a message of another life is ignored, and its sender gets this life at most once a second", () => {
  const { lives, told } = rig();
  assert.equal(lives.isOwn(manager, "a"), true);
  assert.deepEqual(told, []);
  for (let ticks = 0; ticks < 60; ticks += 1) {
    assert.equal(lives.isOwn(manager, "x"), false);
    lives.tick();
  }
  assert.equal(told.length, 3);
  assert.deepEqual(told[0], [manager, { kind: "life", life: ["a"], index: 2 }]);
});

test("a rival that takes over this life is a rival no more", () => {
  const { lives, notes } = rig();
  for (let times = 0; times < 3; times += 1) lives.hear(manager, ["a", "x"].toReversed(), 7);
  assert.deepEqual([lives.rivals.length, notes.length], [1, 1]);
  lives.hear(manager, ["a"], 7);
  assert.deepEqual(lives.rivals, []);
});
