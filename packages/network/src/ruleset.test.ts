import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import type { NodeId } from "@gam/core";
import fc from "fast-check";
import type { NodePlan } from "./node-plan.ts";
import { planNode } from "./plan-node.ts";
import { ruleset, rulesetChange } from "./ruleset.ts";
import { anyPlans, TestCluster } from "./testing/index.ts";

const anyPlan = anyPlans.map(([plan]) => {
  assert.ok(plan !== undefined);
  return plan;
});

/** Runs shell lines in a network namespace of their own. */
function run(lines: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  const input = ["set -e", ...lines].join("\n");
  return spawnSync("unshare", ["--net", "sh"], { input, encoding: "utf8" });
}

const load = (transaction: string): string => `nft -f - <<'END'\n${transaction}END`;

const skip =
  run([load("table ip gam {\n}\n")]).status === 0
    ? false
    : "needs root, nft(8) and a kernel with nftables";

/** The table after these transactions, without what tells only how it came about. */
function tableAfter(...transactions: readonly string[]): string[] {
  const { status, stdout, stderr } = run([
    ...transactions.map(load),
    "nft --json list table ip gam",
  ]);
  assert.equal(status, 0, `${stderr}\n${transactions.join("\n")}`);
  const bare = JSON.stringify(JSON.parse(stdout), (key, value: unknown) => {
    if (key === "handle") return undefined;
    if (key !== "elem" || !Array.isArray(value)) return value;
    return value.map((one) => JSON.stringify(one)).sort();
  });
  const { nftables } = JSON.parse(bare) as { nftables: readonly Record<string, unknown>[] };
  // The order of rules counts inside of one chain only.
  const lines = nftables.map((one) => JSON.stringify(one));
  const inOrder = new Map<string, string[]>();
  for (const line of lines) {
    const chain = /^{"rule":.*?"chain":"([^"]*)"/.exec(line)?.[1] ?? line;
    inOrder.set(chain, [...(inOrder.get(chain) ?? []), line]);
  }
  return [...inOrder.keys()].sort().flatMap((key) => inOrder.get(key) ?? []);
}

function listingAfter(transaction: string): string {
  const { status, stdout, stderr } = run([load(transaction), "nft list table ip gam"]);
  assert.equal(status, 0, stderr);
  return stdout;
}

test("every ruleset loads", { skip }, () => {
  fc.assert(
    fc.property(anyPlan, (plan) => {
      const { status, stderr } = run([load(ruleset(plan))]);
      assert.equal(status, 0, `${stderr}\n${ruleset(plan)}`);
    }),
    { numRuns: 20 },
  );
});

test("a change makes the same of a table as the whole", { skip }, () => {
  fc.assert(
    fc.property(anyPlan, anyPlan, (before, after) => {
      const change = rulesetChange(before, after);
      const transactions = [ruleset(before), ...(change === "" ? [] : [change])];
      assert.deepEqual(tableAfter(...transactions), tableAfter(ruleset(after)));
      const again = [ruleset(before), ruleset(after, listingAfter(ruleset(before)))];
      assert.deepEqual(tableAfter(...again), tableAfter(ruleset(after)));
    }),
    { numRuns: 15 },
  );
});

test("the comparison of tables sees an address that differs", { skip }, () => {
  const plan = clusterOf(2);
  const other = { ...plan, neighbours: ["192.0.2.77"] };
  assert.notDeepEqual(tableAfter(ruleset(plan)), tableAfter(ruleset(other)));
});

test("rulesetChange() says nothing when nothing moved", () => {
  fc.assert(fc.property(anyPlan, (plan) => assert.equal(rulesetChange(plan, plan), "")));
});

/** One node, one network, that many services of one task each, and what is done to them. */
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

test("one more endpoint costs one rule, whatever else there is", () => {
  for (const services of [10, 200]) {
    const after = clusterOf(services, (cluster) => cluster.task("s3", "new", { node: "a" }));
    const address = `10.1.2.${services + 1}`;
    const [first, second] = ["10.1.2.4", address].sort();
    assert.equal(
      rulesetChange(clusterOf(services), after),
      [
        `add element ip gam hairpin { ${address} . ${address} : 10.1.0.1 }`,
        "flush chain ip gam service_4097xs3",
        `add rule ip gam service_4097xs3 ct timeout set "brief" dnat to numgen random mod 2 map { 0 : ${first}, 1 : ${second} }`,
        "",
      ].join("\n"),
    );
  }
});

test("a service without tasks is refused, and one that gets a task is not any more", () => {
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
