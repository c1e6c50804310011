import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId, TaskId, VolumeName } from "@gam/core";
import { seededRandom } from "@gam/core/testing";
import type { AskedChange, Change } from "../../log/change.ts";
import { tables } from "../../store/tables.ts";
import { aNode, aService, aTask, TestLog } from "../../testing/index.ts";

const id = "data" as VolumeName;
const [a, b, c] = ["a", "b", "c"] as [NodeId, NodeId, NodeId];
const digest = "0".repeat(64);
const template = {
  ContainerSpec: {
    Image: "db:1",
    Mounts: [{ Type: "volume" as const, Source: "data", Target: "/data" }],
  },
};
const assign = (task: string, node: NodeId): Change => ({
  kind: "assignTask",
  id: task as TaskId,
  node,
  status: { Timestamp: "2026-01-01T00:00:00.000Z", State: "assigned" },
});
const begin = (move: string, from = a, to = b): Change => {
  return { kind: "moveVolume", id, move, from, to };
};
const copy = (move: string, name = "c1"): Change => {
  return { kind: "beginVolumeCopy", id, move, copy: name };
};
const end = (move: string, name = "c1"): Change => {
  return { kind: "endVolumeMove", id, move, copy: name, digest };
};
const stop = (move: string): Change => ({ kind: "stopVolumeMove", id, move, error: "full" });
const abandon = (move: string): Change => {
  return { kind: "abandonVolumeMove", id, move, error: "host-b is down" };
};
const drop = (move: string, node: NodeId): Change => {
  return { kind: "dropVolumeLeftover", id, move, node };
};
const remove = (node: NodeId): Change => ({ kind: "removeNode", id: node });

/** Three nodes, and a volume with its task on the first. */
function grown(): TestLog {
  const log = new TestLog();
  for (const node of [a, b, c]) log.write({ kind: "joinNode", node: aNode(node) });
  log.write(aService("db", { template }));
  log.write({ kind: "createTask", task: aTask("db", "t1", { slot: 1, template }) });
  log.write(assign("t1", a));
  log.write({ kind: "createTask", task: aTask("db", "t2", { slot: 1, template }) });
  return log;
}

/** The homes, then "from>to" of a move, then the leftovers. */
function shown(log: TestLog): string {
  const volume = log.store.volume(id);
  if (volume === undefined) return "none";
  const { Homes, Move, Leftovers = [] } = volume;
  const move = Move === undefined ? [] : [`${Move.from}>${Move.to}`];
  const left = Leftovers.map(({ node, was }) => `${was} on ${node}`);
  return [Homes.map(({ node }) => node).join(",") || "nowhere", ...move, ...left].join(" ");
}

const cases: readonly (readonly [string, readonly Change[], string])[] = [
  ["a move begins", [begin("m1")], "a a>b"],
  ["a move ends", [begin("m1"), copy("m1"), end("m1")], "b source on a"],
  ["what a move left is removed", [begin("m1"), copy("m1"), end("m1"), drop("m1", a)], "b"],
  ["a copy that was begun again", [begin("m1"), copy("m1"), copy("m1", "c2"), end("m1")], "a a>b"],
  ["a move without a copy cannot end", [begin("m1"), end("m1")], "a a>b"],
  ["a move is given up", [begin("m1"), abandon("m1")], "a copy on b"],
  ["a move is stopped", [begin("m1"), stop("m1")], "a copy on b"],
  ["a copy is removed", [begin("m1"), stop("m1"), drop("m1", b)], "a"],
  [
    "a move that was stopped cannot end",
    [begin("m1"), copy("m1"), stop("m1"), end("m1")],
    "a copy on b",
  ],
  [
    "a move that ended cannot be stopped",
    [begin("m1"), copy("m1"), end("m1"), stop("m1")],
    "b source on a",
  ],
  ["the end of another move is void", [begin("m1"), copy("m1"), end("m2")], "a a>b"],
  ["another node's leftover stays", [begin("m1"), stop("m1"), drop("m1", c)], "a copy on b"],
  ["the new node is removed", [begin("m1"), remove(b)], "a"],
  ["the old node is removed", [begin("m1"), remove(a)], "nowhere copy on b"],
  ["a node with a leftover is removed", [begin("m1"), stop("m1"), remove(b)], "a"],
  ["a task cannot use it on the old node", [begin("m1"), assign("t2", a)], "a a>b"],
];

for (const [name, changes, want] of cases) {
  test(`moves of volumes: ${name}`, () => {
    const log = grown();
    for (const change of changes) log.write(change);
    assert.equal(shown(log), want);
  });
}

test("the last home that was lost says whose it was, also after a move from there", () => {
  const log = grown();
  log.write(begin("m1"));
  log.write(remove(a));
  assert.equal(log.store.volume(id)?.LostWith, "host-a");
});

const refused: readonly (readonly [string, readonly Change[], Change, RegExp])[] = [
  ["of an unknown volume", [], { ...begin("m"), id: "x" as VolumeName } as Change, /not found/],
  ["from a node without it", [], begin("m", b, c), /no service has used volume data on host-b$/],
  ["to an unknown node", [], begin("m", a, "x" as NodeId), /node x not found/],
  ["to where it is", [], begin("m", a, a), /has data on host-a already/],
  ["while another is under way", [begin("m1")], begin("m2", a, c), /is being moved/],
  ["to a node with leftovers", [begin("m1"), stop("m1")], begin("m2"), /not removed yet/],
  [
    "to a node that is down",
    [{ kind: "judgeNode", id: b, status: { State: "down" } }],
    begin("m"),
    /both hosts of the move of volume data must be ready/,
  ],
  [
    "to nothing: a removal while it is moved",
    [begin("m1")],
    { kind: "removeVolume", id, node: a },
    /is being moved/,
  ],
];

for (const [name, before, change, want] of refused) {
  test(`a move is refused: ${name}`, () => {
    const log = grown();
    for (const one of before) log.write(one);
    const { outcome } = log.write(change);
    assert.match(outcome.kind === "refused" ? outcome.message : "applied", want);
  });
}

test("one owner at every moment: agents of a move that crash, lie late and come back, in 300 storms", () => {
  for (let seed = 1; seed <= 300; seed += 1) {
    const random = seededRandom(seed);
    const log = grown();
    /** What the disks have: for each node, whose copy it is, and whether it is whole. */
    const disks = new Map<NodeId, { readonly whole: boolean }>([[a, { whole: true }]]);
    const late: Change[] = [];
    for (let step = 0; step < 80; step += 1) {
      const nodes = [a, b, c];
      const node = nodes[random.below(3)] as NodeId;
      const { Move, Leftovers = [] } = log.store.volume(id) ?? {};
      switch (random.below(7)) {
        case 0:
          log.write(begin(`m${step}`, nodes[random.below(3)], node));
          break;
        case 1: // The new node begins, for the first time or again after it was killed.
          if (Move === undefined) break;
          log.write(copy(Move.id, `c${step}`));
          disks.set(Move.to, { whole: false });
          break;
        case 2: // It has copied and verified; what it says may come late, or never.
          if (Move?.copy !== undefined && disks.get(Move.from)?.whole) {
            disks.set(Move.to, { whole: true });
            late.push(end(Move.id, Move.copy));
          }
          break;
        case 3: {
          const said = late.splice(random.below(late.length + 1), 1)[0];
          if (said !== undefined) log.write(said);
          break;
        }
        case 4:
          if (Move !== undefined && random.below(2) === 0) log.write(stop(Move.id));
          break;
        case 5: // A node removes what the state calls a leftover, and reports it.
          for (const left of Leftovers.filter((one) => one.node === node)) {
            disks.delete(node);
            log.write(drop(left.move, node));
          }
          break;
        default:
          log.write(assign("t2", node));
      }
      const homes = log.store.volume(id)?.Homes ?? [];
      assert.equal(homes.length, 1, `seed ${seed}: ${shown(log)}`);
      const home = homes[0]?.node as NodeId;
      assert.ok(disks.get(home)?.whole, `seed ${seed}: ${home} does not have the data`);
    }
  }
});

/** Tested in backup-change.test.ts. */
const ofBackups = [
  "backupVolume",
  "endBackup",
  "handleBackupDue",
  "restoreVolume",
  "endVolumeRestore",
];

test("each kind of change is tested", () => {
  const tried = new Set<string>(cases.flatMap(([, changes]) => changes.map(({ kind }) => kind)));
  for (const kind of ["removeVolume", "reportVolumeMove", ...ofBackups]) tried.add(kind);
  const kinds = Object.keys(tables.volume.fields);
  assert.deepEqual(
    kinds.filter((kind) => !tried.has(kind)),
    [],
  );
});

test("the changes of a move are read as they are written", () => {
  const log = grown();
  const sizes = { copy: "c1", bytes: 5, totalBytes: 9 };
  const report = { kind: "reportVolumeMove", id, move: "m1", ...sizes } as const;
  log.write(begin("m1"));
  log.write(copy("m1"));
  log.write(report satisfies AskedChange);
  const { bytes, totalBytes } = log.store.volume(id)?.Move ?? {};
  assert.deepEqual([bytes, totalBytes], [5, 9]);
});
