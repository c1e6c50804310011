import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "@gam/core";
import type { NodePlan } from "../plan/node-plan.ts";
import { planNode } from "../plan/plan-node.ts";
import { TestCluster } from "../testing/index.ts";
import { hostTable } from "./host-table.ts";
import { tableChange, wholeTable } from "./nft-table.ts";

const ruleset = (plan: NodePlan): string => wholeTable(hostTable(plan));
const rulesetChange = (before: NodePlan, after: NodePlan): string =>
  tableChange(hostTable(before), hostTable(after));

/** The table of one node with one network and that many services of one task each, after `change`. */
function clusterOf(services: number, change?: (cluster: TestCluster) => void): NodePlan {
  const cluster = new TestCluster();
  cluster.node("a");
  cluster.network("front");
  for (let n = 0; n < services; n += 1) {
    cluster.service(`s${n}`, { networks: ["front"] });
    cluster.task(`s${n}`, `t${n}`, { node: "a" });
  }
  change?.(cluster);
  const plan = planNode(cluster.view, "a" as NodeId);
  assert.ok(plan !== undefined);
  return plan;
}

test("one more endpoint changes one chain, whatever the size of the table", () => {
  for (const services of [10, 200]) {
    const after = clusterOf(services, (cluster) => cluster.task("s3", "new", { node: "a" }));
    const address = `10.1.2.${services + 1}`;
    const [first, second] = ["10.1.2.4", address].sort();
    assert.equal(
      rulesetChange(clusterOf(services), after),
      [
        "flush chain ip gam service_4097xs3",
        `add element ip gam hairpin { ${address} . ${address} : 10.1.0.1 }`,
        `add rule ip gam service_4097xs3 ct timeout set "brief" dnat to numgen random mod 2 map { 0 : ${first}, 1 : ${second} }`,
        `add rule ip gam service_4097xs3 ct timeout set "brief" dnat to ${first}`,
        "",
      ].join("\n"),
    );
  }
});

test("a service without tasks refuses, until it gets a task", () => {
  const none = clusterOf(1, (cluster) => cluster.report("t0", "complete"));
  assert.match(ruleset(none), /set vips \{[^}]*10\.1\.1\.1/);
  assert.doesNotMatch(ruleset(none), /chain service_/);
  assert.equal(
    rulesetChange(none, clusterOf(1)),
    [
      "add chain ip gam service_4097xs0",
      "add element ip gam hairpin { 10.1.2.1 . 10.1.2.1 : 10.1.0.1 }",
      "add element ip gam services { 10.1.1.1 : goto service_4097xs0 }",
      'add element ip gam services_from { "gam-4097" . 10.1.1.1 : goto service_4097xs0 }',
      'add rule ip gam service_4097xs0 ct timeout set "brief" dnat to 10.1.2.1',
      "",
    ].join("\n"),
  );
});
