import assert from "node:assert/strict";
import { test } from "node:test";
import { bootstrap } from "@gam/consensus";
import { encode, type NodeId } from "@gam/core";
import { counterMint, seededRandom, testId } from "@gam/core/testing";
import type { Change } from "@gam/state";
import { aCluster, aNode, aService } from "@gam/state/testing";
import type { Effect } from "../io/effect.ts";
import type { Input } from "../io/input.ts";
import { Journal, type JournalFile, recoverJournal } from "../journal/journal.ts";
import { firstLife } from "../journal/life.ts";
import { Peer } from "../peer.ts";
import { salvaged } from "./salvage.ts";

const [self, other] = ["a", "b"].map((name) => testId<NodeId>(name)) as [NodeId, NodeId];
const sender = { role: "manager", asOf: 0, hosts: new Set<string>() } as const;
const nowMs = Date.UTC(2030, 0, 1);

const service = (id: string): Change => ({
  kind: "createService",
  id: testId(id),
  spec: aService(id).spec,
});
const changes: readonly Change[] = [
  { kind: "createCluster", cluster: aCluster() },
  { kind: "joinNode", node: aNode(self) },
  { kind: "joinNode", node: aNode(other) },
  service("first"),
  service("second"),
];

/** One record for each change, then one with `last`, and the offset of each. */
function written(last?: Uint8Array): {
  readonly bytes: Uint8Array;
  readonly places: readonly number[];
} {
  const journal = new Journal();
  journal.adoptLife(firstLife(self));
  const pieces: Uint8Array[] = [];
  const datas = changes.map((one, at) =>
    encode({ id: testId(`p${at}`), atMs: nowMs, changes: [one] }),
  );
  for (const [at, data] of [...datas, ...(last === undefined ? [] : [last])].entries()) {
    const entries = at === 0 ? [...bootstrap(self).entries] : [];
    const hardState = { term: 1, votedFor: self, commit: at + 1 };
    journal.request({
      write: at,
      hardState,
      entries: [...entries, { index: at + 2, term: 1, kind: "data", data }],
    });
    const step = journal.take();
    journal.persisted();
    if (step !== undefined) pieces.push(step.bytes);
  }
  const places = pieces.map((_, at) =>
    pieces.slice(0, at).reduce((sum, { length }) => sum + length, 0),
  );
  return { bytes: Buffer.concat(pieces), places };
}

/** The same file with one record broken. */
function brokenAt(record: number): JournalFile[] {
  const { bytes, places } = written();
  const copy = Uint8Array.from(bytes);
  const at = (places[record] ?? 0) + 20;
  copy[at] = (copy[at] ?? 0) ^ 0xff;
  return [{ name: "journal-0000000001", bytes: copy }];
}

function start(files: readonly JournalFile[], isMute: boolean): Peer {
  const found = recoverJournal(files, isMute);
  const recovered = isMute ? salvaged(found, self) : found;
  const config = { self, votersMax: 5, voteSilenceMs: 300_000, logEntriesMax: 100, isMute };
  return new Peer({ config, recovered, random: seededRandom(1), mint: counterMint("m") });
}

const names = (peer: Peer): string[] => peer.view.services().map(({ ID }) => ID);

test("everything before the broken record is salvaged, and nothing is cut off", () => {
  for (const [record, want] of [
    [3, []],
    [4, [testId("first")]],
  ] as const) {
    assert.equal(recoverJournal(brokenAt(record), true).cut, undefined);
    assert.deepEqual(names(start(brokenAt(record), true)), want);
  }
  assert.throws(() => start(brokenAt(3), false), { code: "CORRUPT_FILE", message: /--salvage on/ });
});

test("a journal without an intact state is refused even so", () => {
  assert.throws(() => start(brokenAt(0), true), { code: "CORRUPT_FILE" });
  assert.throws(() => start(brokenAt(1), true), {
    code: "CORRUPT_FILE",
    message: /no intact state/,
  });
});

test("a log with an entry that cannot be applied is salvaged without it", () => {
  const poison = encode({ id: testId("poison"), atMs: Number.NaN, changes: [service("half")] });
  const { bytes } = written(poison);
  const peer = start([{ name: "journal-0000000001", bytes }], true);
  assert.deepEqual(
    names(peer),
    ["first", "second"].map((name) => testId(name)),
  );
  assert.deepEqual(
    peer.lives.recovery()?.skipped.map(({ index }) => index),
    [2 + changes.length],
  );
});

test("a salvaged peer sends no Raft message, writes nothing and orders nothing", () => {
  const peer = start(brokenAt(4), true);
  const life = peer.lives.id;
  const vote = { kind: "vote", term: 9, lastIndex: 2 ** 40, lastTerm: 9, transfer: true } as const;
  const append = {
    kind: "append",
    ...{ term: 9, previousIndex: 0, previousTerm: 0, commit: 0 },
    entries: bootstrap(other).entries,
  } as const;
  const inputs: Input[] = [
    ...[vote, append].map((body): Input => {
      return { kind: "received", from: other, sender, message: { channel: "raft", life, body } };
    }),
    ...Array.from({ length: 400 }, (): Input => ({ kind: "tick", lateTicks: 0 })),
  ];
  const effects = inputs.flatMap((input) => peer.step(input, nowMs));
  const isPromise = (effect: Effect): boolean =>
    effect.kind === "disk" ||
    effect.kind === "engine" ||
    effect.kind === "arrange" ||
    (effect.kind === "send" && effect.message.channel === "raft");
  assert.deepEqual(effects.filter(isPromise), []);
  assert.equal(peer.leader, undefined);
  assert.equal(peer.raft.role, "follower");
});

test("a salvaged peer that recovers takes part again", () => {
  const peer = start(brokenAt(4), true);
  const steps = peer.step({ kind: "recover", id: "again", gone: [] }, nowMs);
  const disk = steps.find((effect) => effect.kind === "disk");
  assert.ok(disk?.kind === "disk" && disk.step.kind === "begin");
  assert.deepEqual(
    peer.step({ kind: "persisted" }, nowMs).map(({ kind }) => kind),
    ["reborn"],
  );
  const { file, bytes } = disk.step;
  const next = start([{ name: file, bytes }], false);
  assert.deepEqual(names(next), [testId("first")]);
  assert.deepEqual(next.lives.own, [self.slice(0, 10), "again"]);
  for (let ticks = 0; ticks < 3; ticks += 1) {
    for (const effect of next.step({ kind: "tick", lateTicks: 0 }, nowMs)) {
      if (effect.kind === "disk") next.step({ kind: "persisted" }, nowMs);
    }
  }
  assert.equal(next.leader, self);
});
