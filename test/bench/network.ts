/**
 * Network: what a node's networks cost, beside the least work of the machine and of `nft`.
 *
 *   node test/bench/network.ts [--rounds 5] [--check]
 *
 * Plans the node of a cluster with 200 services of 5 tasks on 20 networks and 5 nodes, in turns with the
 * fixed loops of JavaScript in test/lab/load/bare.ts, both in processor time. Then, as root, loads its packet
 * filter in a network namespace of its own, whole and one endpoint at a time, at 10, 100, 200 and 1,000 services.
 * In turns with it, `nft -f -` loads a table by hand (one rule per service and port, which chooses among the
 * same tasks), and one element of a set.
 */
import { spawnSync } from "node:child_process";
import type { NodeId } from "@gam/core";
import { hostTable, type NodePlan, planNode, tableChange, wholeTable } from "@gam/network";
import { TestCluster } from "@gam/network/testing";
import { fixedLoopMs, median } from "../lab/load/bare.ts";
import { print, printRatio } from "./support/figures.ts";
import { benchOptions } from "./support/options.ts";
import { cpuMsOf } from "./usage.ts";

// `apart`: set in the process in the network namespace.
const { rounds, apart } = benchOptions({ rounds: 5, apart: "" });
const nodes = ["a", "b", "c", "d", "e"];
const self = "a" as NodeId;
const tasksPerService = 5;
const promisedServices = 200;
const plansPerRound = 20;
const stepsPerRound = 10;

function clusterOf(services: number, networks: number): TestCluster {
  const cluster = new TestCluster();
  for (const node of nodes) cluster.node(node);
  cluster.network("ingress", { Ingress: true });
  for (let n = 0; n < networks; n += 1) cluster.network(`net${n}`);
  for (let n = 0; n < services; n += 1) {
    const ports = [{ Protocol: "tcp", PublishedPort: 10_000 + n, TargetPort: 80 }] as const;
    cluster.service(`s${n}`, { networks: [`net${n % networks}`], ports });
    for (const [slot, node] of nodes.slice(0, tasksPerService).entries()) {
      cluster.task(`s${n}`, `s${n}t${slot}`, { node, slot: slot + 1 });
    }
  }
  return cluster;
}

function planOf(cluster: TestCluster): NodePlan {
  const plan = planNode(cluster.view, self);
  if (plan === undefined) throw new Error("the node has no plan");
  return plan;
}

/** Milliseconds of `nft -f -`, including its start. */
function load(transaction: string): number {
  const before = performance.now();
  const { status, stderr } = spawnSync("nft", ["-f", "-"], {
    input: transaction,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`nft refuses: ${stderr}`);
  return performance.now() - before;
}

function measured(times: number, work: () => void): number[] {
  return Array.from({ length: times }, () => {
    const before = performance.now();
    work();
    return performance.now() - before;
  });
}

function benchPlan(): void {
  const cluster = clusterOf(promisedServices, 20);
  measured(plansPerRound, () => planOf(cluster));
  const plans: number[] = [];
  const loops: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    plans.push(cpuMsOf(() => measured(plansPerRound, () => planOf(cluster))) / plansPerRound);
    loops.push(cpuMsOf(fixedLoopMs));
  }
  print(`plan of a node, ${promisedServices} services on 20 networks`, plans, "ms of CPU");
  print("fixed loops", loops, "ms of CPU");
  printRatio("plan of a node, to the fixed loops", plans, loops, { most: 0.15 });
}

function benchFilter(): void {
  load("table ip bare {\n set one { type ipv4_addr; }\n}\n");
  for (const services of [10, 100, promisedServices, 1000]) benchTable(services);
}

function benchTable(services: number): void {
  const cluster = clusterOf(services, 20);
  const before = planOf(cluster);
  cluster.report("s7t0", "complete");
  const after = planOf(cluster);
  const change = (from: NodePlan, to: NodePlan): string =>
    tableChange(hostTable(from), hostTable(to));
  const texts = measured(20, () => change(before, after));
  const whole: number[] = [];
  const byHand: number[] = [];
  const endpoint: number[] = [];
  const element: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    byHand.push(load(tableByHand(services)));
    load("delete table ip hand\n");
    load("table ip gam {\n}\ndelete table ip gam\n");
    whole.push(load(wholeTable(hostTable(before))));
    const turns = Array.from({ length: stepsPerRound }, (_, n) => ({
      element: load(`${n % 2 === 0 ? "add" : "delete"} element ip bare one { 192.0.2.1 }\n`),
      endpoint: load(n % 2 === 0 ? change(before, after) : change(after, before)),
    }));
    element.push(median(turns.map((turn) => turn.element)));
    endpoint.push(median(turns.map((turn) => turn.endpoint)));
  }
  const of = `${services} services on 20 networks`;
  const promised = (most: number) => (services === promisedServices ? { most } : undefined);
  print(`text of one changed endpoint among ${of}`, texts, "ms");
  print(`packet filter of ${of} from nothing`, whole, "ms");
  print(`table by hand of ${services} services`, byHand, "ms");
  print(`one changed endpoint among ${of}`, endpoint, "ms");
  print(`one element of a set beside ${of}`, element, "ms");
  printRatio(`packet filter of ${of}, to a table by hand`, whole, byHand, promised(1.5));
  printRatio(
    `one changed endpoint among ${of}, to one element of a set`,
    endpoint,
    element,
    promised(1.3),
  );
}

/** The table that a person would write for these services and tasks. */
function tableByHand(services: number): string {
  const tasks = nodes.map((_, n) => `${n} : 10.0.1.${n + 2}`).join(", ");
  const rules = Array.from({ length: services }, (_, n) => {
    const to = `dnat to numgen random mod ${nodes.length} map { ${tasks} }`;
    const vip = `10.1.${n >> 8}.${n & 255}`;
    return `    ip daddr ${vip} ${to}\n    tcp dport ${10_000 + n} ${to}\n`;
  });
  const hook = "type nat hook prerouting priority dstnat;";
  return `table ip hand {\n  chain before {\n    ${hook}\n${rules.join("")}  }\n}\n`;
}

if (apart !== "") {
  benchFilter();
} else {
  benchPlan();
  const again = [...process.execArgv, ...process.argv.slice(1), "--apart", "yes"];
  // In a new network namespace, so that the machine's own packet filter is not changed.
  const { status } = spawnSync("unshare", ["--net", process.execPath, ...again], {
    stdio: "inherit",
  });
  if (status !== 0) process.exitCode = 1;
}
