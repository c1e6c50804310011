import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "@gam/core";
import { Rations } from "./rations.ts";

const [a, b] = ["a", "b"] as NodeId[] as [NodeId, NodeId];

function count(rations: Rations, id: NodeId): number {
  let allowed = 0;
  while (rations.allows(id)) allowed += 1;
  return allowed;
}

test("a worker may write a hundred times at once, and ten times a second after that", () => {
  const rations = new Rations();
  assert.equal(count(rations, a), 100);
  assert.equal(count(rations, b), 100, "each has its own");
  for (let tick = 0; tick < 20; tick += 1) rations.tick();
  assert.equal(count(rations, a), 10);
  for (let tick = 0; tick < 1000; tick += 1) rations.tick();
  assert.equal(count(rations, a), 100, "and an idle worker saves up no more than that");
});
