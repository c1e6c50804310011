import assert from "node:assert/strict";
import { test } from "node:test";
import { bootstrap, type Entry } from "@gam/consensus";
import { encode, type NodeId, type ProposalId } from "@gam/core";
import { testId } from "@gam/core/testing";
import { type Change, readDump, Store } from "@gam/state";
import { aCluster, aNode, aService } from "@gam/state/testing";
import { recoverLog, type SurvivorLog } from "./recover.ts";

const [self, other] = ["a", "b"].map((name) => testId<NodeId>(name)) as [NodeId, NodeId];
const atMs = Date.UTC(2030, 0, 1);

const named = (name: string): Change => ({
  kind: "createService",
  id: testId(name),
  spec: { ...aService(name).spec },
});
const changes: readonly Change[] = [
  { kind: "createCluster", cluster: aCluster() },
  { kind: "joinNode", node: aNode(self) },
  { kind: "joinNode", node: aNode(other) },
  named("web"),
  named("api"),
];

let written = 0;

function entry(index: number, data: Uint8Array, term = 2): Entry {
  return { index, term, kind: "data", data };
}

function proposal(...made: readonly Change[]): Uint8Array {
  written += 1;
  return encode({ id: testId<ProposalId>(`p${written}`), atMs, changes: made });
}

/** A log of these entries after the first one, with so many known to be committed. */
function logOf(datas: readonly Uint8Array[], commit: number): SurvivorLog {
  const { entries } = bootstrap(self);
  const behind = datas.map((data, at) => entry(at + 2, data));
  return { hardState: { term: 2, votedFor: other, commit }, entries: [...entries, ...behind] };
}

const whole = changes.map((change) => proposal(change));

function stateOf(log: SurvivorLog): unknown {
  const view = recoverLog(log, self)?.view;
  assert.ok(view !== undefined);
  return [view.index, view.cluster, view.nodes(), view.services()];
}

test("the whole log is kept, even entries that are not known to be committed", () => {
  const recovery = recoverLog(logOf(whole, 3), self);
  assert.ok(recovery !== undefined);
  const { view, unconfirmed, lastIndex, skipped, snapshot, hardState } = recovery;
  assert.deepEqual(
    view.services().map(({ ID }) => ID),
    ["web", "api"].map((name) => testId(name)),
  );
  assert.deepEqual([unconfirmed, lastIndex, skipped], [3, 6, []]);
  assert.deepEqual(snapshot.configuration, {
    voters: [self],
    votersOutgoing: [],
    learners: [],
    standbys: [],
  });
  assert.equal(hardState.votedFor, undefined);
  assert.ok(hardState.term > 2 && snapshot.term === hardState.term);
  assert.ok(snapshot.index > 100_000, "no index is used twice");
  assert.equal(hardState.commit, snapshot.index);
  const restored = new Store();
  restored.restore(readDump(snapshot.data));
  assert.equal(restored.index, snapshot.index);
  assert.deepEqual(restored.services(), view.services());
});

test("a snapshot and the entries after it", () => {
  const first = recoverLog(logOf(whole.slice(0, 4), 5), self);
  assert.ok(first !== undefined);
  const { snapshot, hardState } = first;
  const next = entry(snapshot.index + 1, proposal(named("more")), snapshot.term);
  const second = recoverLog({ hardState, snapshot, entries: [next] }, self);
  assert.deepEqual(
    second?.view.services().map(({ ID }) => ID),
    ["web", "more"].map((name) => testId(name)),
  );
  assert.ok((second?.snapshot.index ?? 0) > snapshot.index + 100_000);
  // A log may still have entries that the snapshot contains.
  const trailing = { hardState, snapshot, entries: [...logOf(whole, 5).entries.slice(0, 3), next] };
  assert.deepEqual(recoverLog(trailing, self)?.view.services(), second?.view.services());
});

const poisons: readonly (readonly [string, Uint8Array])[] = [
  ["bytes that are no value", Uint8Array.of(0xc1)],
  ["a value that is no proposal", encode(null)],
  ["a time that is none", encode({ id: testId("poison"), atMs: Number.NaN, changes: [] })],
  [
    "changes that are none",
    encode({ id: testId("poison"), atMs, changes: [named("half"), { kind: "x" }] }),
  ],
  [
    "half of which can be applied",
    encode({ id: testId("poison"), atMs, changes: [named("half"), null] }),
  ],
];
for (const [name, poison] of poisons) {
  for (const at of [0, 2, whole.length]) {
    test(`a poisoned entry, ${name}, has no effect, at ${at}`, () => {
      const log = logOf(whole.toSpliced(at, 0, poison), 3);
      const entries = log.entries.map((one, place): Entry => {
        return place === at + 1 ? { ...one, kind: "noop", data: new Uint8Array() } : one;
      });
      assert.deepEqual(stateOf(log), stateOf({ ...log, entries }));
    });
  }
}

test("each poisoned entry is named, and several are left out", () => {
  const [, first] = poisons[0] ?? [];
  const [, second] = poisons[2] ?? [];
  assert.ok(first !== undefined && second !== undefined);
  const recovery = recoverLog(logOf([first, ...whole, second, second], 2), self);
  assert.deepEqual(
    recovery?.skipped.map(({ index }) => index),
    [2, 8, 9],
  );
  for (const { reason } of recovery?.skipped ?? []) assert.notEqual(reason, "");
});

test("a peer without a state in which it is a node has nothing to recover", () => {
  assert.equal(recoverLog(logOf([], 1), self), undefined);
  assert.equal(recoverLog(logOf(whole.slice(0, 1), 2), self), undefined);
  assert.equal(recoverLog(logOf(whole, 2), testId<NodeId>("c")), undefined);
});
