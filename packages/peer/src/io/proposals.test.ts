import assert from "node:assert/strict";
import { test } from "node:test";
import type { ProposalId } from "@gam/core";
import type { Outcome } from "@gam/state";
import { type ProposalOutcome, Proposals } from "./proposals.ts";

const one = "p1" as ProposalId;
const two = "p2" as ProposalId;
const applied: Outcome = { kind: "applied", index: 7 };

class World {
  readonly sent: string[] = [];
  readonly answers: ProposalOutcome[] = [];
  /** Whether there is a leader to send to. */
  taken = true;
  readonly proposals = new Proposals(({ id }) => {
    this.sent.push(id);
    return this.taken;
  });

  add(id: ProposalId): void {
    this.proposals.add({ id, atMs: 0, changes: [] }, (answer) => this.answers.push(answer));
  }

  tick(count: number): void {
    for (let n = 0; n < count; n += 1) this.proposals.tick();
  }

  /** Proposals sent since the last call. */
  news(): string {
    return this.sent.splice(0).join(" ");
  }
}

test("Proposals sends at once, and again after a second without an outcome", () => {
  const world = new World();
  world.add(one);
  assert.equal(world.news(), "p1");
  world.tick(19);
  assert.equal(world.news(), "");
  world.tick(1);
  assert.equal(world.news(), "p1");
});

test("Proposals retries soon while there is no leader, and after a decline", () => {
  const world = new World();
  world.taken = false;
  world.add(one);
  world.tick(4);
  assert.equal(world.news(), "p1 p1 p1");
  world.taken = true;
  world.tick(2);
  world.news();
  world.proposals.decline(one);
  world.tick(2);
  assert.equal(world.news(), "p1");
});

test("Proposals sends all waiting proposals to a new leader", () => {
  const world = new World();
  world.add(one);
  world.add(two);
  world.proposals.settle(one, applied);
  world.news();
  world.proposals.lead();
  assert.equal(world.news(), "p2");
});

test("Proposals answers once, with the outcome", () => {
  const world = new World();
  world.add(one);
  world.proposals.settle(one, applied);
  world.proposals.settle(one, applied);
  world.proposals.settleAll(() => applied);
  world.tick(300);
  assert.deepEqual(world.answers, [applied]);
});

test("Proposals gives a proposal up as lost after 10 s", () => {
  const world = new World();
  world.add(one);
  world.tick(199);
  assert.deepEqual(world.answers, []);
  world.tick(1);
  assert.deepEqual(world.answers, [
    { kind: "lost", message: "no leader took the write within 10 s" },
  ]);
  world.news();
  world.tick(100);
  assert.equal(world.news(), "");
});

test("Proposals settles what a snapshot contains, and retries the rest", () => {
  const world = new World();
  world.add(one);
  world.add(two);
  world.news();
  world.proposals.settleAll((id) => (id === one ? applied : undefined));
  world.tick(20);
  assert.deepEqual(world.answers, [applied]);
  assert.equal(world.news(), "p2");
});

test("Proposals keeps a limited number of proposals", () => {
  const world = new World();
  for (let n = 0; n < 5000; n += 1) world.add(`p${n}` as ProposalId);
  assert.equal(world.answers.length, 5000 - 4096);
  assert.ok(world.answers.every(({ kind }) => kind === "lost"));
});

test("Proposals takes a proposal that an answer adds during a tick", () => {
  const world = new World();
  world.proposals.add({ id: one, atMs: 0, changes: [] }, () => world.add(two));
  world.tick(200);
  assert.equal(world.news().split(" ").at(-1), two);
  world.tick(200);
  assert.equal(world.answers.length, 1);
});
