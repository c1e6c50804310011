import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId, TaskId } from "@gam/core";
import type { Usage } from "@gam/state";
import { Loads } from "./loads.ts";

const [a, b] = ["a", "b"] as NodeId[] as [NodeId, NodeId];
const task = (ID: string) => ({ ID: ID as TaskId });

function says(...tasks: readonly string[]): Usage {
  return {
    ...{ cpu: 0, memoryBytes: 0, memoryTotalBytes: 1, load: 0, containers: 0, images: [] },
    ...{ diskFreeBytes: 0, atMs: 0 },
    tasks: tasks.map((id) => ({ id: id as TaskId, cpu: 0.5, memoryBytes: 1 })),
  };
}

test("a host that is silent for four looks does not count", () => {
  const loads = new Loads();
  const silent = says("one");
  for (let look = 0; look < 4; look += 1) {
    loads.look(
      new Map([
        [a, silent],
        [b, says("two")],
      ]),
    );
    assert.deepEqual([loads.of(task("one"))?.cpu, loads.of(task("two"))?.cpu], [0.5, 0.5]);
  }
  loads.look(
    new Map([
      [a, silent],
      [b, says("two")],
    ]),
  );
  assert.deepEqual([loads.of(task("one"))?.cpu, loads.of(task("two"))?.cpu], [undefined, 0.5]);
  loads.look(new Map([[a, says("one")]]));
  assert.deepEqual([loads.of(task("one"))?.cpu, loads.of(task("two"))?.cpu], [0.5, undefined]);
});
