import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, encode, type NodeId } from "@gam/core";
import { seededRandom, testId } from "@gam/core/testing";
import fc from "fast-check";
import type { Input } from "../input.ts";
import { Raft } from "../raft.ts";
import { writeConfiguration } from "./configuration.ts";
import { bootstrap, type Entry } from "./durable.ts";
import { entryBytesMax } from "./limits.ts";
import { checkMessage, type Message } from "./message.ts";

const [a, b, c] = ["a", "b", "c"].map((name) => testId<NodeId>(name)) as [NodeId, NodeId, NodeId];
const names = [a, b, c];
const small = fc.nat(6);
const configuration = fc
  .record({
    voters: fc.subarray(names, { minLength: 1 }),
    votersOutgoing: fc.subarray(names),
    learners: fc.subarray(names),
    standbys: fc.subarray(names),
  })
  .map((one) => {
    const learners = one.learners.filter((id) => !one.voters.includes(id));
    return { ...one, learners, standbys: one.standbys.filter((id) => learners.includes(id)) };
  });
const entries: fc.Arbitrary<Entry> = fc.oneof(
  fc.record({
    index: fc.integer({ min: 1, max: 7 }),
    term: small,
    kind: fc.constant("data" as const),
    data: fc.uint8Array({ maxLength: 3 }),
  }),
  fc.record({
    index: fc.integer({ min: 1, max: 7 }),
    term: small,
    kind: fc.constant("noop" as const),
    data: fc.constant(new Uint8Array()),
  }),
  fc.record({
    index: fc.integer({ min: 1, max: 7 }),
    term: small,
    kind: fc.constant("configuration" as const),
    data: configuration.map(writeConfiguration),
  }),
);
/** Entries that follow each other; a peer ignores all others. */
const runs = fc.tuple(fc.nat(4), fc.array(entries, { maxLength: 4 })).map(([from, list]) => ({
  previousIndex: from,
  entries: list.map((entry, at) => ({ ...entry, index: from + 1 + at })),
}));
const kind = <K extends Message["kind"]>(name: K): fc.Arbitrary<K> => fc.constant(name);
/** The last entry of a candidate is of an earlier term than it stands in. */
const ballot = fc
  .record({ term: small, lastIndex: small, before: small })
  .map(({ term, lastIndex, before }) => ({ term, lastIndex, lastTerm: Math.min(term, before) }));
const messages: fc.Arbitrary<Message> = fc.oneof(
  ballot.map((numbers) => ({ kind: "preVote" as const, ...numbers })),
  fc.record({ kind: kind("preVoteReply"), term: small, granted: fc.boolean() }),
  fc
    .tuple(ballot, fc.boolean())
    .map(([numbers, transfer]) => ({ kind: "vote" as const, ...numbers, transfer })),
  fc.record({ kind: kind("voteReply"), term: small, granted: fc.boolean() }),
  fc
    .tuple(fc.record({ term: small, previousTerm: small, commit: small }), runs)
    .map(([numbers, run]) => ({ kind: "append" as const, ...numbers, ...run })),
  fc.record({ kind: kind("appendReply"), term: small, match: small }),
  fc.record({
    kind: kind("appendConflict"),
    term: small,
    previousIndex: small,
    hintIndex: small,
    hintTerm: small,
  }),
  fc.record({ kind: kind("commit"), term: small, index: small, indexTerm: small }),
  fc.record({ kind: kind("heartbeat"), term: small, index: small, indexTerm: small, round: small }),
  fc.record({ kind: kind("heartbeatReply"), term: small, round: small }),
  fc.record({
    kind: kind("snapshotChunk"),
    term: small,
    index: fc.integer({ min: 1, max: 7 }),
    indexTerm: small,
    configuration,
    totalBytes: small,
    offset: small,
    data: fc.uint8Array({ maxLength: 6 }),
  }),
  fc.record({ kind: kind("snapshotReply"), term: small, index: small, offset: small }),
  fc.record({ kind: kind("standNow"), term: small }),
  fc.record({ kind: kind("readRequest"), term: small, id: fc.string({ maxLength: 3 }) }),
  fc.record({
    kind: kind("readReply"),
    term: small,
    id: fc.string({ maxLength: 3 }),
    index: small,
  }),
);

/** Without what may differ between equal messages: the order of fields, and the type of byte array. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value];
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return new Map(
    Object.entries(value)
      .map(([key, one]) => [key, plain(one)] as const)
      .sort(([one], [other]) => (one < other ? -1 : 1)),
  );
}

test("checkMessage() accepts every message, unchanged", () => {
  fc.assert(
    fc.property(messages, (message) => {
      const arrived = checkMessage(decode(encode(message)), "message");
      assert.deepEqual(plain(arrived), plain(message));
    }),
  );
});

const data = { index: 1, term: 1, kind: "data", data: new Uint8Array() };
const append = { kind: "append", term: 1, previousIndex: 0, previousTerm: 0, commit: 0 };
const nobody = { voters: [], votersOutgoing: [], learners: [] };
const chunk = {
  kind: "snapshotChunk",
  term: 1,
  index: 1,
  indexTerm: 1,
  configuration: { ...nobody, voters: [a] },
  totalBytes: 0,
  offset: 0,
  data: new Uint8Array(),
};
const wrong = [
  { name: "another kind", value: { kind: "hello", term: 1 } },
  { name: "no term", value: { kind: "standNow" } },
  { name: "a term below 0", value: { kind: "standNow", term: -1 } },
  { name: "a term that cannot grow", value: { kind: "standNow", term: Number.MAX_SAFE_INTEGER } },
  { name: "an entry number 0", value: { ...append, entries: [{ ...data, index: 0 }] } },
  {
    name: "an entry that is too large",
    value: { ...append, entries: [{ ...data, data: new Uint8Array(entryBytesMax + 1) }] },
  },
  { name: "too many entries", value: { ...append, entries: Array(1_025).fill(data) } },
  {
    name: "entries that are nothing and have data",
    value: { ...append, entries: [{ ...data, kind: "noop", data: Uint8Array.of(1) }] },
  },
  {
    name: "a candidate with entries of later terms",
    value: { kind: "vote", term: 3, lastIndex: 1, lastTerm: 4, transfer: false },
  },
  { name: "a snapshot so far on that nothing fits behind it", value: { ...chunk, index: 2 ** 52 } },
  {
    name: "a snapshot of a state that nobody votes in",
    value: { ...chunk, configuration: nobody },
  },
  ...[
    { ...nobody, voters: [a, a, b] },
    { ...nobody, voters: ["a"] },
    { ...nobody, voters: [a], learners: [a] },
    nobody,
  ].map((members) => ({
    name: `members ${JSON.stringify(members)}`,
    value: {
      ...append,
      entries: [{ ...data, kind: "configuration", data: writeConfiguration(members as never) }],
    },
  })),
  {
    name: "a configuration that cannot be read",
    value: { ...append, entries: [{ ...data, kind: "configuration" }] },
  },
];

for (const { name, value } of wrong) {
  test(`checkMessage() refuses ${name}`, () => {
    assert.throws(() => checkMessage(value, "message"), { code: "BAD_FRAME" });
  });
}

/** With a disk that takes no time. */
function perform(raft: Raft, input: Input): void {
  for (const effect of raft.step(input)) {
    if (effect.kind === "persist") perform(raft, { kind: "persisted", write: effect.write });
  }
}

test("no sequence of well-formed nonsense breaks an invariant", () => {
  const inputs: fc.Arbitrary<Input> = fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("tick" as const) }) },
    {
      weight: 20,
      arbitrary: fc.record({
        kind: fc.constant("received" as const),
        from: fc.constantFrom(...names),
        message: messages,
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant("propose" as const),
        data: fc.constant([Uint8Array.of(1)]),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant("reconfigure" as const),
        voters: fc.subarray(names),
        learners: fc.subarray(names),
        standbys: fc.subarray(names),
      }),
    },
  );
  fc.assert(
    fc.property(
      fc.array(inputs, { maxLength: 120, size: "max" }),
      fc.nat(1_000),
      (sequence, seed) => {
        const config = {
          self: a,
          heartbeatTicks: 1,
          electionTicksMin: 3,
          electionTicksMax: 6,
          limits: { trailingEntries: 1, snapshotChunkBytes: 2 },
        };
        const raft = new Raft(config, bootstrap(a), seededRandom(seed + 1));
        for (const input of sequence) {
          perform(raft, input);
          if (raft.commitIndex > 2) {
            perform(raft, {
              kind: "compact",
              index: raft.commitIndex,
              data: Uint8Array.of(1, 2, 3),
            });
          }
        }
      },
    ),
    { numRuns: 400 },
  );
});
