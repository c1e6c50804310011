import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "@gam/core";
import { type LogPlace, mayRecover, type RecoverFacts } from "./may-recover.ts";

const [a, b, c, d, e] = ["a", "b", "c", "d", "e"] as NodeId[] as [
  NodeId,
  NodeId,
  NodeId,
  NodeId,
  NodeId,
];
const place: LogPlace = { life: ["one"], lastIndex: 10, lastTerm: 3, isLed: false, isMute: false };
const facts: RecoverFacts = {
  self: a,
  own: place,
  leaderlessMs: 600_000,
  voters: [a, b, c],
  votersOutgoing: [],
  answers: new Map(),
  hasState: true,
  isManager: true,
  nameOf: (id) => `host-${id}`,
};
const answers = (...list: readonly (readonly [NodeId, Partial<LogPlace>])[]) =>
  new Map(list.map(([id, changed]) => [id, { ...place, ...changed }]));

const table: readonly {
  readonly name: string;
  readonly facts: Partial<RecoverFacts>;
  readonly refusal?: RegExp;
  readonly doubts?: readonly RegExp[];
}[] = [
  { name: "nobody else answers", facts: {} },
  { name: "one of five answers", facts: { voters: [a, b, c, d, e], answers: answers([b, {}]) } },
  { name: "only standbys answer", facts: { answers: answers([d, {}], [e, {}]) } },
  {
    name: "a standby, and no voter answers",
    facts: { voters: [b, c, d], answers: answers([e, {}]) },
  },
  {
    name: "there is a leader",
    facts: { own: { ...place, isLed: true } },
    refusal: /there is a leader/,
  },
  {
    name: "there is no state",
    facts: { hasState: false },
    refusal: /no copy of the cluster's state/,
  },
  { name: "this is a worker", facts: { isManager: false }, refusal: /this host is a worker/ },
  {
    name: "another peer hears a leader",
    facts: { answers: answers([b, { isLed: true }]) },
    refusal: /host-b hears a leader/,
  },
  {
    name: "another peer hears a leader, and this one's journal is damaged",
    facts: { own: { ...place, isMute: true }, answers: answers([b, { isLed: true }]) },
    refusal: /host-b hears a leader; move the data directory .* "gam join TOKEN"/,
  },
  {
    name: "this is the only voter, and its journal is damaged",
    facts: { own: { ...place, isMute: true }, voters: [a], leaderlessMs: 0 },
  },
  {
    name: "a voter answers whose journal is damaged",
    facts: { answers: answers([b, { isMute: true }]), leaderlessMs: 0 },
  },
  {
    name: "another peer is in a later life",
    facts: { answers: answers([d, { life: ["one", "two"] }]) },
    refusal: /host-d is already in a later life/,
  },
  {
    name: "a majority answers, and has just lost its leader",
    facts: { answers: answers([b, {}]), leaderlessMs: 20_000 },
    refusal: /a majority of the voters answers .* again in 40 s/,
  },
  {
    name: "a majority answers for a minute, and elects no leader",
    facts: { answers: answers([b, {}]) },
    doubts: [/2 of 3 voters answer, which is a majority/],
  },
  {
    name: "a majority of the old voters only, while they change",
    facts: { votersOutgoing: [a, d, e], answers: answers([b, {}]) },
  },
  {
    name: "majorities of both sets, while they change",
    facts: { votersOutgoing: [a, d, e], answers: answers([b, {}], [d, {}]) },
    doubts: [/2 of 3 voters answer/],
  },
  {
    name: "voters of an earlier life answer, and do not count",
    facts: {
      own: { ...place, life: ["one", "two"] },
      answers: answers([b, {}], [c, {}]),
    },
  },
  {
    name: "another survivor has a longer log",
    facts: { answers: answers([d, { lastIndex: 11 }]) },
    doubts: [/host-d has more of the log/],
  },
  {
    name: "another survivor has a shorter log of a later term",
    facts: { answers: answers([d, { lastIndex: 2, lastTerm: 4 }]) },
    doubts: [/host-d has more of the log/],
  },
  {
    name: "another survivor has a longer log of an earlier term",
    facts: { answers: answers([d, { lastIndex: 99, lastTerm: 2 }]) },
  },
];
for (const { name, facts: changed, refusal, doubts = [] } of table) {
  test(`recover: ${name}`, () => {
    const verdict = mayRecover({ ...facts, ...changed });
    if (refusal === undefined) assert.equal(verdict.refusal, undefined);
    else assert.match(verdict.refusal ?? "allowed", refusal);
    assert.equal(verdict.doubts.length, doubts.length, verdict.doubts.join("; "));
    for (const [at, want] of doubts.entries()) assert.match(verdict.doubts[at] ?? "", want);
  });
}
