import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId, TaskId } from "@gam/core";
import { testId } from "@gam/core/testing";
import { aCluster, aNode, aService, aTask, TestLog, withFiles } from "@gam/state/testing";
import { refusalOfImage } from "./image-authority.ts";

const [boss, hand, stranger] = ["boss", "hand", "stranger"].map((name) => testId<NodeId>(name)) as [
  NodeId,
  NodeId,
  NodeId,
];
const [id, other] = ["a", "b"].map((one) => `sha256:${one.repeat(64)}`) as [string, string];

test("a manager gets every image, a worker those of its own tasks that have not ended", () => {
  const log = new TestLog();
  log.write({ kind: "createCluster", cluster: aCluster() });
  for (const [node, Role] of [
    [boss, "manager"],
    [hand, "worker"],
  ] as const) {
    log.write({ kind: "joinNode", node: aNode(node, { spec: { Role } }) });
  }
  const ContainerSpec = withFiles(`shop:1@${id}`, {});
  log.write(aService("shop", { template: { ContainerSpec } }));
  const task = (name: string, state: "running" | "failed") =>
    aTask("shop", testId<TaskId>(name), { node: hand, template: { ContainerSpec }, state });
  const ask = (node: NodeId, role: "manager" | "worker", names: string[]): string | undefined =>
    refusalOfImage(log.store, { id: node, sender: { role, asOf: 0, hosts: new Set() } }, names);
  assert.equal(ask(boss, "manager", [id]), undefined);
  assert.equal(ask(stranger, "manager", [id]), "it is no member");
  assert.equal(ask(hand, "worker", [id]), "no task of it uses the image");
  log.write({ kind: "createTask", task: task("ended", "failed") });
  assert.equal(ask(hand, "worker", [id]), "no task of it uses the image");
  log.write({ kind: "createTask", task: task("now", "running") });
  assert.equal(ask(hand, "worker", [id]), undefined);
  assert.equal(ask(hand, "worker", ["shop:1"]), undefined);
  assert.equal(ask(hand, "worker", [other, "shop:2"]), "no task of it uses the image");
});
