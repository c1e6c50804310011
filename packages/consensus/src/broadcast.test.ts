/** A leader makes one message for all members at the same position. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "@gam/core";
import { seededRandom } from "@gam/core/testing";
import type { Effect } from "./effect.ts";
import type { Input } from "./input.ts";
import { bootstrap } from "./log/durable.ts";
import type { Message } from "./log/message.ts";
import { Raft } from "./raft.ts";

const self = "a" as NodeId;
const learners = ["b", "c", "d"] as NodeId[];
const timing = { heartbeatTicks: 2, electionTicksMin: 10, electionTicksMax: 20 };

/** Steps the input and all steps that follow from it; the disk takes no time. */
function give(raft: Raft, input: Input): Effect[] {
  const effects = raft.step(input);
  for (let at = 0; at < effects.length; at += 1) {
    const effect = effects[at] as Effect;
    if (effect.kind !== "persist") continue;
    effects.push(...raft.step({ kind: "persisted", write: effect.write }));
  }
  return effects;
}

function hear(raft: Raft, from: NodeId, message: Message): Effect[] {
  return give(raft, { kind: "received", from, message });
}

function said(effects: readonly Effect[], kind: Message["kind"]): ReadonlyMap<NodeId, Message> {
  const sends = effects.filter((effect) => effect.kind === "send");
  return new Map(
    sends.filter(({ message }) => message.kind === kind).map(({ to, message }) => [to, message]),
  );
}

function leaderOf(members = learners): Raft {
  const raft = new Raft({ self, ...timing }, bootstrap(self), seededRandom(1));
  while (raft.role !== "leader") give(raft, { kind: "tick" });
  give(raft, { kind: "reconfigure", voters: [self], learners: members, standbys: [] });
  for (const from of members) acknowledge(raft, from);
  return raft;
}

function acknowledge(raft: Raft, from: NodeId): Effect[] {
  return hear(raft, from, { kind: "appendReply", term: raft.term, match: raft.lastIndex });
}

test("members at the same position get the same append object, and the same commit message", () => {
  const raft = leaderOf();
  const effects = give(raft, { kind: "propose", data: [Buffer.from("x")] });
  const appends = said(effects, "append");
  assert.deepEqual([...appends.keys()], learners);
  assert.equal(new Set(appends.values()).size, 1);
  const commits = said(effects, "commit");
  assert.deepEqual([...commits.keys()], learners);
  assert.equal(new Set(commits.values()).size, 1);
});

test("a member that is behind gets an append of its own, with the current commit", () => {
  const raft = leaderOf();
  // The leader's own disk commits this entry, after the append that carried it was sent.
  const [early] = said(
    give(raft, { kind: "propose", data: [Buffer.from("x")] }),
    "append",
  ).values();
  const conflict = { kind: "appendConflict", term: raft.term } as const;
  const previousIndex = raft.lastIndex;
  const lost = { ...conflict, previousIndex, hintIndex: previousIndex - 1, hintTerm: raft.term };
  const [again] = said(hear(raft, "b" as NodeId, lost), "append").values();
  assert.ok(early?.kind === "append" && again?.kind === "append");
  assert.equal(again.previousIndex, early.previousIndex);
  assert.deepEqual(again.entries, early.entries);
  assert.equal(early.commit, early.previousIndex);
  assert.equal(again.commit, raft.commitIndex);
  assert.equal(raft.commitIndex, early.previousIndex + 1);
});

test("a repeated append includes the entries that came meanwhile", () => {
  const raft = leaderOf(["b" as NodeId]);
  const { term, lastIndex: before } = raft;
  give(raft, { kind: "propose", data: [Buffer.from("x")] });
  const lost = { kind: "appendConflict", term, previousIndex: before + 1 } as const;
  const once = hear(raft, "b" as NodeId, { ...lost, hintIndex: before, hintTerm: term });
  assert.deepEqual(texts(said(once, "append")), ["x"]);
  // Its own disk does not have this one for a while, so the commit stays where it is.
  raft.step({ kind: "propose", data: [Buffer.from("y")] });
  for (let tick = 0; tick < 2 * timing.heartbeatTicks; tick += 1) give(raft, { kind: "tick" });
  const again = hear(raft, "b" as NodeId, { kind: "heartbeatReply", term, round: 1 });
  assert.deepEqual(texts(said(again, "append")), ["x", "y"]);
});

function texts(appends: ReadonlyMap<NodeId, Message>): string[] {
  const entries = [...appends.values()].flatMap((message) => {
    return message.kind === "append" ? message.entries : [];
  });
  return entries.map(({ data }) => String(Buffer.from(data)));
}
