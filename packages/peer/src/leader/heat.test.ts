import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "@gam/core";
import type { Usage } from "@gam/state";
import { Heat } from "./heat.ts";

const a = "a" as NodeId;

function usage(cpu: number): ReadonlyMap<NodeId, Usage> {
  const rest = { memoryBytes: 0, memoryTotalBytes: 1, load: 0, containers: 0, images: [] };
  return new Map([[a, { cpu, ...rest, diskFreeBytes: 0, atMs: 0 }]]);
}

test("a host is hot after a minute without a rest", () => {
  const heat = new Heat();
  const looks = [0.9, 0.9, 0.9, 0.5, 0.9, 0.9, 0.9, 0.86, 0.99, 0.8];
  const hot = looks.map((cpu) => {
    heat.look(usage(cpu));
    return heat.hot.has(a);
  });
  assert.deepEqual(hot, [...Array(7).fill(false), true, true, false]);
});
