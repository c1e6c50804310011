import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "@gam/core";
import type { Event, Task } from "@gam/state";
import { aTask } from "@gam/state/testing";
import { VolumeHistory } from "./volumes.ts";

const Mounts = [{ Type: "volume", Source: "data", Target: "/data" }] as const;
const template = { ContainerSpec: { Image: "db:1", Mounts } };

function assigned(id: string, node: string, slot = 1): Event {
  const after = aTask("db", id, { node, slot, template }) as Task;
  return { table: "task", after };
}

test("a place that begins on another node is found", () => {
  const history = new VolumeHistory();
  history.take(assigned("t1", "a"));
  history.take(assigned("t2", "b", 2));
  history.take(assigned("t3", "a"));
  assert.throws(() => history.take(assigned("t4", "b")), /db.1 with volume data has its data on a/);
});

test("a place whose node was removed may begin anywhere", () => {
  const history = new VolumeHistory();
  history.take(assigned("t1", "a"));
  history.take({ table: "node", before: { ID: "a" as NodeId } as never });
  history.take(assigned("t2", "b"));
});
