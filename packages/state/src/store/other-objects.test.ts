import assert from "node:assert/strict";
import { test } from "node:test";
import type { NetworkId, NodeId, TaskId } from "@gam/core";
import type { Change, ChangeOf } from "../log/change.ts";
import type { Event } from "../log/view.ts";
import { aCluster, aNetwork, aNode, aService, aTask, TestLog } from "../testing/index.ts";
import { tables } from "./tables.ts";

const a = "a" as NodeId;
const net = "net" as NetworkId;
const atMs = Date.UTC(2026, 5, 1);
const at = new Date(atMs).toISOString();
const Mounts = [{ Type: "volume" as const, Source: "data", Target: "/data" }];
const template = { ContainerSpec: { Image: "db:1", Mounts } };
const attach: Change = { kind: "attachContainer", network: net, key: "key", node: a, name: "sh" };
const placed: readonly Change[] = [
  { kind: "createTask", task: aTask("web", "t9", { slot: 1, template }) },
  {
    kind: "assignTask",
    id: "t9" as TaskId,
    node: a,
    status: { Timestamp: at, State: "assigned" },
  },
];

/** Two nodes, one of them down, a service and a network. */
function grown(more: readonly Change[]): TestLog {
  const log = new TestLog();
  const first: readonly Change[] = [
    { kind: "createCluster", cluster: aCluster() },
    { kind: "joinNode", node: aNode("a") },
    { kind: "joinNode", node: aNode("b", { state: "down" }) },
    aService("web"),
    { kind: "createNetwork", network: aNetwork("net", { Attachable: true }) },
  ];
  for (const change of [...first, ...more]) {
    assert.equal(log.write(change).outcome.kind, "applied", JSON.stringify(change));
  }
  return log;
}

const removal: ChangeOf<"node"> = { kind: "removeNode", id: a };
const others: readonly (readonly [
  name: string,
  before: readonly Change[],
  change: ChangeOf<"node">,
  moved: readonly string[],
])[] = [
  ["a node that has no part in any network is removed", [], removal, []],
  ["a node with a container in a network is removed", [attach], removal, ["network net"]],
  ["a node with a task's volume is removed", placed, removal, ["volume data"]],
  [
    "a node takes the address of a node that is down",
    [],
    { kind: "joinNode", node: { ...aNode("c"), Gam: aNode("b").Gam } },
    ["node b"],
  ],
  ["a node is judged", [], { kind: "judgeNode", id: a, status: { State: "ready" } }, []],
];

for (const [name, before, change, moved] of others) {
  test(`other objects change: ${name}`, () => {
    const log = grown(before);
    const row = log.store.node(tables.node.idIn(change) as NodeId);
    const events =
      tables.node.others?.(row, change, { view: log.store, index: 1000, at, atMs }) ?? [];
    const named = ({ table, before }: Event): string => {
      const idOf = tables[table].idOf as (row: unknown) => string;
      return `${table} ${idOf(before)}`;
    };
    assert.deepEqual(events.map(named), moved);
  });
}
