import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "@gam/core";
import { seededRandom } from "@gam/core/testing";
import type { Effect } from "./effect.ts";
import { bootstrap } from "./log/durable.ts";
import { termMax, termsPerWindowMax, termWindowTicks } from "./log/limits.ts";
import type { Message } from "./log/message.ts";
import type { Acceptance } from "./log/raft-config.ts";
import { Raft } from "./raft.ts";

const [a, b] = ["a", "b"] as NodeId[] as [NodeId, NodeId];
const timing = { heartbeatTicks: 1, electionTicksMin: 3, electionTicksMax: 6 };

function raftOf(accepts?: Acceptance): Raft {
  const config = { self: a, ...timing, ...(accepts && { accepts }) };
  const raft = new Raft(config, bootstrap(b), seededRandom(1));
  raft.step({ kind: "tick" }); // Hands out what its disk has.
  return raft;
}

function hear(raft: Raft, message: Message): Effect[] {
  return raft.step({ kind: "received", from: b, message });
}

function heartbeat(term: number): Message {
  return { kind: "heartbeat", term, index: 0, indexTerm: 0, round: 1 };
}

test("one message of a far term changes nothing, and is reported", () => {
  const raft = raftOf();
  const effects = hear(raft, heartbeat(termMax));
  assert.deepEqual(effects, [
    { kind: "ignored", from: b, message: "heartbeat", reason: "far term", term: termMax },
  ]);
  assert.equal(raft.term, 1);
  hear(raft, heartbeat(2));
  assert.equal(raft.leader, b);
});

const messages: readonly ((term: number) => Message)[] = [
  (term) => ({ kind: "vote", term, lastIndex: 9, lastTerm: 1, transfer: true }),
  (term) => ({ kind: "preVote", term, lastIndex: 9, lastTerm: 1 }),
  (term) => ({ kind: "preVoteReply", term, granted: false }),
  (term) => ({ kind: "preVoteReply", term, granted: true }),
  (term) => ({ kind: "appendReply", term, match: 1 }),
  (term) => ({ kind: "standNow", term }),
  (term) => ({ kind: "readReply", term, id: "x", index: 1 }),
];
for (const message of messages) {
  test(`a ${message(1).kind} of a far term is ignored as well`, () => {
    const raft = raftOf();
    const effects = hear(raft, message(termMax));
    assert.ok(effects.every(({ kind }) => kind === "ignored"));
    assert.equal(raft.term, 1);
  });
}

test("a peer that missed millions of elections follows at once", () => {
  const raft = raftOf();
  hear(raft, heartbeat(16_000_000));
  assert.equal(raft.term, 16_000_000);
});

test("terms rise by a bounded number in each window, however often they are raised", () => {
  const raft = raftOf();
  for (let step = 1; step <= 100; step += 1) hear(raft, heartbeat(raft.term + 2 ** 23));
  assert.ok(raft.term <= 1 + termsPerWindowMax);
  for (let tick = 0; tick < termWindowTicks; tick += 1) raft.step({ kind: "tick" });
  hear(raft, heartbeat(raft.term + 2 ** 23));
  assert.ok(raft.term > termsPerWindowMax);
  const yearsToTheEnd = termMax / termsPerWindowMax / (60 * 24 * 365);
  assert.ok(yearsToTheEnd > 500);
});

const append = (...data: string[]): Message => ({
  kind: "append",
  term: 2,
  previousIndex: 1,
  previousTerm: 1,
  commit: 1,
  entries: data.map((text, at) => ({
    index: 2 + at,
    term: 2,
    kind: "data",
    data: new TextEncoder().encode(text),
  })),
});

test("an entry that the caller does not accept never enters the log", () => {
  const accepts: Acceptance = {
    entry: (data) => !new TextDecoder().decode(data).includes("poison"),
    snapshot: () => true,
  };
  const raft = raftOf(accepts);
  const effects = hear(raft, append("good", "poison"));
  assert.equal(effects.find(({ kind }) => kind === "ignored")?.kind, "ignored");
  assert.equal(raft.lastIndex, 1);
  hear(raft, append("good"));
  assert.equal(raft.lastIndex, 2);
});

test("a snapshot that the caller does not accept is not installed, a good one is", () => {
  let good = false;
  const raft = raftOf({ entry: () => true, snapshot: () => good });
  const chunk: Message = {
    kind: "snapshotChunk",
    term: 2,
    index: 9,
    indexTerm: 2,
    configuration: { voters: [b], votersOutgoing: [], learners: [a], standbys: [] },
    totalBytes: 1,
    offset: 0,
    data: Uint8Array.of(1),
  };
  const kinds = (): string[] => hear(raft, chunk).map(({ kind }) => kind);
  assert.ok(kinds().includes("ignored"));
  assert.equal(raft.lastIndex, 1);
  good = true;
  assert.ok(kinds().includes("install"));
  assert.equal(raft.lastIndex, 9);
});

test("after a whole compaction, a peer that lacks an entry gets the snapshot", () => {
  const raft = new Raft({ self: a, ...timing }, bootstrap(a), seededRandom(1));
  const sent: Message[] = [];
  const step = (input: Parameters<Raft["step"]>[0]): void => {
    for (const effect of raft.step(input)) {
      if (effect.kind === "persist") step({ kind: "persisted", write: effect.write });
      if (effect.kind === "send") sent.push(effect.message);
    }
  };
  for (let tick = 0; tick < 9; tick += 1) step({ kind: "tick" });
  const poison = new TextEncoder().encode("poison");
  step({ kind: "propose", data: [poison] });
  step({ kind: "compact", index: raft.commitIndex, data: Uint8Array.of(1), whole: true });
  step({ kind: "reconfigure", voters: [a], learners: [b], standbys: [] });
  const { term } = raft;
  const conflict = { previousIndex: raft.lastIndex - 1, hintIndex: 0, hintTerm: 0 };
  hear(raft, { kind: "appendConflict", term, ...conflict }).forEach((effect) => {
    if (effect.kind === "send") sent.push(effect.message);
  });
  assert.ok(sent.some(({ kind }) => kind === "snapshotChunk"));
  const entries = sent.flatMap((message) => (message.kind === "append" ? message.entries : []));
  assert.ok(!entries.some(({ data }) => new TextDecoder().decode(data) === "poison"));
});
