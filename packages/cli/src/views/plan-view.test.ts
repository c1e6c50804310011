import assert from "node:assert/strict";
import { test } from "node:test";
import type { PlanReport } from "@gam/state/answers";
import { changesView, planView } from "./plan-view.ts";
import type { Paint } from "./status-view.ts";

const plain = (text: string): string => text;
const paint: Paint = { bold: plain, dim: plain, green: plain, yellow: plain, red: plain };
const report: PlanReport = {
  objects: [
    { kind: "network", name: "shop_net", action: "create", fields: [] },
    {
      ...{ kind: "service", name: "shop_web", action: "update" },
      fields: [
        { path: "Mode.Replicated.Replicas", before: "2", after: "3" },
        { path: "Labels.old", before: '"x"', after: "" },
        { path: "Labels.new", before: "", after: '"y"' },
      ],
    },
    { kind: "service", name: "shop_old", action: "remove", fields: [] },
  ],
  tasks: [
    {
      ...{ service: "shop_web", kept: 1, update: "update completed" },
      stopped: [{ name: "shop_web.2", node: "host2" }],
      started: [
        { name: "shop_web.2", node: "host1" },
        { name: "shop_web.4", node: "host1" },
      ],
      waiting: [{ name: "shop_web.3", node: "", why: "no suitable node" }],
    },
    { service: "shop_old", kept: 0, stopped: [], started: [], waiting: [], update: "" },
  ],
  isComplete: true,
};

test("planView() shows objects with their fields, and where tasks go", () => {
  assert.deepEqual(planView(report, paint), [
    "+ create network shop_net",
    "~ change service shop_web",
    "    Mode.Replicated.Replicas: 2 → 3",
    '    Labels.old: "x" → none',
    '    Labels.new: "y"',
    "- remove service shop_old",
    "",
    "Tasks, if all that is started stays well:",
    "  shop_web: 1 kept, 1 stopped, 2 started, 1 without a node (update completed)",
    "    started on host1 (2)",
    "    stopped on host2",
    "    shop_web.3: no suitable node",
    "  shop_old: no tasks",
  ]);
});

test("planView() of a plan without an end says so, and of nothing that nothing changes", () => {
  const lines = planView({ ...report, isComplete: false }, paint);
  assert.match(lines.at(-1) ?? "", /longer than can be foreseen/);
  const nothing = { objects: [], tasks: [], isComplete: true };
  assert.deepEqual(planView(nothing, paint), ["Nothing would change"]);
  assert.deepEqual(changesView(nothing, paint), ["Nothing is different"]);
});
