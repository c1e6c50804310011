import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "@gam/core";
import { aNode, TestLog } from "@gam/state/testing";
import { Newcomers } from "./newcomers.ts";

const [here, ghost] = ["here", "ghost"] as NodeId[] as [NodeId, NodeId];
const minuteMs = 60_000;
const minuteTicks = 1200;
const nameless = { Hostname: "", Resources: { NanoCPUs: 0, MemoryBytes: 0 } };
const silent = (): boolean => false;

/** A member with a description and a member without, both just joined. */
function aLog(): TestLog {
  const log = new TestLog();
  log.write({ kind: "joinNode", node: aNode(here) });
  log.write({ kind: "joinNode", node: aNode(ghost, { description: nameless, state: "unknown" }) });
  return log;
}

function tick(newcomers: Newcomers, minutes: number): void {
  for (let n = 0; n < minutes * minuteTicks; n += 1) newcomers.tick();
}

test("a member that never described itself is removed after ten minutes", () => {
  const { store, nowMs } = aLog();
  const newcomers = new Newcomers();
  for (let minute = 0; minute < 10; minute += 1) {
    assert.deepEqual(newcomers.plan(store, nowMs + minute * minuteMs, silent), []);
    tick(newcomers, 1);
  }
  assert.deepEqual(newcomers.plan(store, nowMs + 10 * minuteMs, silent), [ghost]);
  assert.deepEqual(
    newcomers.plan(store, nowMs + 10 * minuteMs, silent),
    [ghost],
    "until it is gone",
  );
});

test("a member that answers is not removed, however long it does not describe itself", () => {
  const { store, nowMs } = aLog();
  const newcomers = new Newcomers();
  newcomers.plan(store, nowMs, silent);
  tick(newcomers, 60);
  assert.deepEqual(
    newcomers.plan(store, nowMs + 60 * minuteMs, () => true),
    [],
  );
  assert.deepEqual(newcomers.plan(store, nowMs + 60 * minuteMs, silent), [], "counted anew");
});

test("a new leader counts from the join, after a minute of its own", () => {
  const { store, nowMs } = aLog();
  const next = new Newcomers();
  assert.deepEqual(next.plan(store, nowMs + 9.5 * minuteMs, silent), []);
  tick(next, 0.5);
  assert.deepEqual(next.plan(store, nowMs + 10 * minuteMs, silent), []);
  tick(next, 0.5);
  assert.deepEqual(next.plan(store, nowMs + 10.5 * minuteMs, silent), [ghost]);
});

test("a manager's wrong clock makes the wait neither too short nor endless", () => {
  const { store, nowMs } = aLog();
  const [ahead, behind] = [new Newcomers(), new Newcomers()];
  for (const one of [ahead, behind]) one.plan(store, nowMs, silent);
  assert.deepEqual(behind.plan(store, nowMs + 1000 * minuteMs, silent), [], "it has just begun");
  tick(ahead, 10);
  assert.deepEqual(ahead.plan(store, nowMs - 1000 * minuteMs, silent), [ghost]);
});
