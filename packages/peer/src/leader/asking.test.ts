import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServiceId } from "@gam/core";
import type { Service } from "@gam/state";
import { aService, TestLog } from "@gam/state/testing";
import { Asking, type LeaderAsk } from "./asking.ts";

const scaled = {
  "gam.autoscale.max": "9",
  "gam.autoscale.http.url": "http://load/x",
  "gam.autoscale.http.target": "10",
};

class World {
  readonly log = new TestLog();
  readonly asking = new Asking();

  constructor(services: number, Labels: Record<string, string> = scaled) {
    for (let n = 0; n < services; n += 1) this.log.write(aService(`s${n}`, { spec: { Labels } }));
  }

  pass(ticks: number): LeaderAsk[] {
    const asks: LeaderAsk[] = [];
    for (let n = 0; n < ticks; n += 1) {
      this.asking.tick();
      asks.push(...this.asking.take(this.log.store));
    }
    return asks;
  }

  total(n = 0): number | undefined {
    const service = this.log.store.service(`s${n}` as ServiceId) as Service;
    return this.asking.totalOf(service, "http");
  }
}

test("nobody is asked about services without such labels", () => {
  assert.deepEqual(new World(5, {}).pass(1000), []);
});

test("a number is asked for every 15 s, and counts until it is old", () => {
  const world = new World(1);
  const asks = world.pass(100);
  assert.deepEqual(asks, [{ id: 1, url: "http://load/x" }]);
  assert.equal(world.total(), undefined);
  world.asking.heard(1, { status: 200, body: "42" });
  assert.equal(world.total(), 42);
  assert.equal(world.pass(299).length, 0);
  assert.equal(world.pass(1).length, 1);
  // Nothing is asked again before there is an answer, or none is to be expected.
  assert.equal(world.pass(500).length, 0);
  assert.equal(world.total(), 42);
  assert.equal(world.pass(100).length, 1);
  assert.equal(world.total(), undefined);
});

test("an answer that says nothing is no number", () => {
  const world = new World(1);
  world.pass(100);
  world.asking.heard(1, { error: "ECONNREFUSED" });
  assert.equal(world.total(), undefined);
});

test("answers to nobody's question change nothing", () => {
  const world = new World(1);
  world.pass(100);
  world.asking.heard(7, { status: 200, body: "1" });
  world.asking.heard(1, { status: 200, body: "2" });
  world.asking.heard(1, { status: 200, body: "3" });
  assert.equal(world.total(), 2);
});

test("only so many are asked at once, and the others come next", () => {
  const world = new World(50);
  const first = world.pass(100);
  assert.equal(first.length, 32);
  for (const { id } of first) world.asking.heard(id, { status: 200, body: "1" });
  assert.equal(world.pass(1).length, 18);
});

test("those who did not fit come next, also if nobody answers within a round", () => {
  const world = new World(50);
  const asked: number[] = [];
  let open: readonly LeaderAsk[] = [];
  for (let round = 0; round < 2; round += 1) {
    world.pass(99);
    for (const { id } of open) world.asking.heard(id, { error: "no answer within 5 s" });
    open = world.pass(1);
    asked.push(open.length);
  }
  assert.deepEqual(asked, [32, 18]);
});
