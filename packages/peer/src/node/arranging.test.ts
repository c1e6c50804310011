import assert from "node:assert/strict";
import { test } from "node:test";
import type { NetworkId, TaskId } from "@gam/core";
import type { Change } from "@gam/state";
import { aNetwork, aNode, aService, aTask, TestLog } from "@gam/state/testing";
import { Arranging } from "./arranging.ts";

const attachments = [{ network: "front" as NetworkId, address: "10.0.1.7" }];
const patienceTicks = 100;

/** A cluster of one node that has been planned once. */
class World {
  readonly arranging = new Arranging();
  readonly #log = new TestLog();

  constructor() {
    this.write({ kind: "joinNode", node: aNode("a") });
    this.write({ kind: "createNetwork", network: aNetwork("front") });
    this.write(aService("web"));
    assert.ok(this.plans());
    this.arranging.tick();
  }

  write(change: Change): void {
    this.arranging.notice(this.#log.write(change).events);
  }

  plans(caughtUp = true): boolean {
    return this.arranging.isDue(caughtUp);
  }
}

test("a plan is computed when something that it depends on has changed, and not otherwise", () => {
  const world = new World();
  assert.ok(!world.plans());
  world.write({ kind: "createTask", task: aTask("web", "t1") });
  assert.ok(!world.plans(), "a task without an address is in no network");
  world.write({ kind: "createTask", task: aTask("web", "t2", { extra: { attachments } }) });
  assert.ok(world.plans());
  world.arranging.tick();
  world.write({ kind: "removeTask", id: "t2" as TaskId });
  assert.ok(world.plans(), "a task that had an address is gone");
});

test("there is at most one plan in a tick, and the last change is not left out", () => {
  const world = new World();
  world.write({ kind: "createTask", task: aTask("web", "t1", { extra: { attachments } }) });
  assert.ok(world.plans());
  world.write({ kind: "removeTask", id: "t1" as TaskId });
  assert.ok(!world.plans());
  world.arranging.tick();
  assert.ok(world.plans());
});

test("an old copy of the state is used only after 5 s without news", () => {
  const world = new World();
  world.write({ kind: "createTask", task: aTask("web", "t1", { extra: { attachments } }) });
  // One tick has passed already.
  for (let tick = 2; tick < patienceTicks; tick += 1) {
    world.arranging.tick();
    assert.ok(!world.plans(false));
  }
  world.arranging.tick();
  assert.ok(world.plans(false));
});
