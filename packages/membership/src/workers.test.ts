/** What the opinions of workers can and cannot do. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "@gam/core";
import { calm, MembershipWorld } from "./testing/membership-world.ts";

const warmUpMs = 7000;
const seeds = [1, 2, 3, 4, 5];

/** The first hosts are managers. */
function world(seed: number, managers: number, workers: number): MembershipWorld {
  const made = new MembershipWorld(seed, managers + workers, calm);
  made.setMembers(made.ids, made.ids.slice(managers));
  made.run(warmUpMs);
  return made;
}

const meshes = [
  { managers: 1, workers: 2 },
  { managers: 1, workers: 6 },
  { managers: 2, workers: 5 },
  { managers: 3, workers: 4 },
  { managers: 3, workers: 20 },
];
for (const { managers, workers } of meshes) {
  test(`${workers} lying workers make none of ${managers} managers call anybody lost`, () => {
    for (const seed of seeds) {
      const made = world(seed, managers, workers);
      const { ids } = made;
      const liars = ids.slice(managers + 1);
      const victims = ids.slice(0, managers + 1);
      for (const liar of liars) made.slander(liar, victims, () => 2 ** 20);
      made.run(30_000);
      const judged = made.judgements.filter(({ by }) => ids.indexOf(by) < managers);
      assert.deepEqual(judged, [], `seed ${seed}`);
    }
  });

  test(`a worker that dies beside ${managers} managers and ${workers - 1} workers is lost soon`, () => {
    for (const seed of seeds) {
      const made = world(seed, managers, workers);
      const [leader] = made.ids;
      const dead = made.ids.at(-1) as NodeId;
      const { nowMs } = made;
      made.powerOff(dead);
      made.run(3_000);
      assert.ok(leader !== undefined);
      assert.equal(made.verdict(leader, dead), "lost", `seed ${seed}`);
      const atMs =
        made.judgements.find(({ by, peer }) => by === leader && peer === dead)?.atMs ?? 0;
      assert.ok(atMs - nowMs <= 2_500, `seed ${seed}: ${atMs - nowMs} ms`);
      made.startAgent(dead);
      made.run(3_000);
      assert.equal(made.verdict(leader, dead), "alive", `seed ${seed}`);
    }
  });
}

test("a manager and a worker that die in one moment are lost, one a little later", () => {
  for (const seed of seeds) {
    const made = world(seed, 3, 6);
    const [leader, manager] = made.ids as [NodeId, NodeId];
    const worker = made.ids.at(-1) as NodeId;
    made.powerOff(manager);
    made.powerOff(worker);
    made.run(6_000);
    for (const dead of [manager, worker]) {
      assert.equal(made.verdict(leader, dead), "lost", `seed ${seed}`);
    }
  }
});

test("workers without any manager left still see who is there", () => {
  const made = world(1, 1, 4);
  const [manager, worker] = made.ids as [NodeId, NodeId];
  made.powerOff(manager);
  made.run(6_000);
  assert.equal(made.verdict(worker, manager), "lost");
});

test("no message of others moves an incarnation out of its range", () => {
  const made = world(1, 2, 3);
  const [leader, victim] = made.ids as [NodeId, NodeId];
  const liar = made.ids.at(-1) as NodeId;
  made.slander(liar, [leader, victim], () => 2 ** 48);
  made.run(10_000);
  made.powerOff(victim);
  made.run(6_000);
  assert.equal(made.verdict(leader, victim), "lost", "what is true of it is still heard");
});
