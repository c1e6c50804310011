import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "@gam/core";
import { type StandbyDisk, Standbys } from "./standbys.ts";

const [a, b, c] = ["a", "b", "c"] as NodeId[] as [NodeId, NodeId, NodeId];
const patienceTicks = 10;

/** A leader `a` that votes alone, before standbys `b` and `c`. */
class World {
  readonly disks = new Map<NodeId, StandbyDisk>();
  readonly standbys = new Standbys(patienceTicks);
  nowTick = 0;
  commit = 0;
  lastIndex = 0;

  constructor(...standbys: readonly NodeId[]) {
    this.standbys.follow({ voters: [a], votersOutgoing: [], learners: [b, c], standbys });
    for (const id of standbys) this.disks.set(id, { match: 0, heardTick: 0 });
  }

  /** Passes ticks; the leader hears these peers in each. */
  tick(count: number, ...heard: readonly NodeId[]): void {
    for (let n = 0; n < count; n += 1) {
      this.nowTick += 1;
      for (const id of heard) this.hear(id, this.disks.get(id)?.match ?? 0);
      this.settle();
    }
  }

  hear(id: NodeId, match: number): void {
    this.disks.set(id, { match, heardTick: this.nowTick });
  }

  /** Returns: what is committed when the leader's own disk has everything. */
  settle(): number {
    const { nowTick, commit, lastIndex } = this;
    const diskOf = (id: NodeId): StandbyDisk => this.disks.get(id) ?? { match: 0, heardTick: 0 };
    const backed = this.standbys.backed(lastIndex, { nowTick, commit, lastIndex, diskOf });
    this.commit = Math.max(commit, backed);
    return this.commit;
  }

  write(): number {
    this.lastIndex += 1;
    return this.settle();
  }
}

test("Standbys: one of several is enough, and the fastest decides", () => {
  const world = new World(b, c);
  assert.equal(world.write(), 0);
  world.hear(c, 1);
  assert.equal(world.settle(), 1);
  world.write();
  world.hear(b, 2);
  assert.equal(world.settle(), 2);
});

test("Standbys: a commit waits for patienceTicks and no longer, heard or not", () => {
  for (const heard of [[], [b]]) {
    const world = new World(b);
    world.write();
    world.tick(patienceTicks - 1, ...heard);
    assert.equal(world.commit, 0, `heard: ${heard}`);
    world.tick(1, ...heard);
    assert.equal(world.commit, 1, `heard: ${heard}`);
    assert.equal(world.write(), 2, "it goes on alone");
  }
});

test("Standbys: commits wait once for a silent standby, which counts again as soon as it is heard", () => {
  const world = new World(b);
  world.tick(1, b);
  world.write();
  // Heard for the last time when the commit already waited.
  world.tick(2, b);
  world.tick(patienceTicks - 2);
  assert.equal(world.commit, 1);
  world.tick(3);
  assert.equal(world.write(), 2);
  world.tick(1, b);
  assert.equal(world.write(), 2, "it lacks two entries, and is heard");
  world.hear(b, 3);
  assert.equal(world.settle(), 3);
});

test("Standbys: a slow standby counts again when it keeps up, also under steady writes", () => {
  const world = new World(b);
  world.write();
  world.tick(patienceTicks, b);
  assert.equal(world.commit, 1);
  world.tick(2 * patienceTicks, b);
  assert.equal(world.write(), 2, "heard, and not waited for");
  // One entry behind from now on: the first round took too long, the next one is short.
  for (let n = 0; n < 3; n += 1) {
    world.tick(1);
    world.hear(b, world.lastIndex);
    world.write();
  }
  world.hear(b, world.lastIndex);
  world.settle();
  assert.equal(world.write(), world.lastIndex - 1, "it counts");
});

test("Standbys: progress begins a new wait, and only named standbys are waited for", () => {
  const world = new World(b);
  for (let n = 0; n < 5; n += 1) world.write();
  for (let match = 1; match <= 4; match += 1) {
    world.tick(patienceTicks - 1, b);
    world.hear(b, match);
    assert.equal(world.settle(), match);
  }
  const configuration = { votersOutgoing: [], learners: [b], standbys: [] };
  world.standbys.follow({ voters: [a], ...configuration });
  assert.equal(world.settle(), 5);
});

test("Standbys: a commit does not wait when a quorum has two disks", () => {
  const world = new World(b);
  const configuration = { learners: [], standbys: [b] };
  world.standbys.follow({ voters: [a, b], votersOutgoing: [], ...configuration });
  assert.equal(world.write(), 1);
  world.standbys.follow({ voters: [a], votersOutgoing: [c], ...configuration });
  assert.equal(world.write(), 2);
});
