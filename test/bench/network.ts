/**
 * What the networks of a node cost: `node test/bench/network.ts [--check]`. Plans the node of a cluster
 * with 200 services of 5 tasks on 20 networks and 5 nodes; then, as root, loads its packet filter in a
 * network namespace of its own, whole and one endpoint at a time, at 10, 100 and 1,000 services.
 */
import { spawnSync } from "node:child_process";
import type { NodeId } from "@gam/core";
import { hostTable, type NodePlan, planNode, tableChange, wholeTable } from "@gam/network";
import { TestCluster } from "@gam/network/testing";
import { print } from "./figures.ts";

const nodes = ["a", "b", "c", "d", "e"];
const self = "a" as NodeId;
const tasksPerService = 5;

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

/** Milliseconds that `nft -f -` took, its start included. */
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
  const cluster = clusterOf(200, 20);
  measured(20, () => planOf(cluster));
  const plans = measured(50, () => planOf(cluster));
  print("plan of a node, 200 services on 20 networks", plans, "ms", { most: 20 });
}

function benchFilter(): void {
  const endpointMs = new Map<number, number>();
  for (const services of [10, 100, 200, 1000]) {
    const cluster = clusterOf(services, 20);
    const before = planOf(cluster);
    cluster.report("s7t0", "complete");
    const after = planOf(cluster);
    const of = `${services} services on 20 networks`;
    const texts = measured(20, () => tableChange(hostTable(before), hostTable(after)));
    print(`text of one changed endpoint among ${of}`, texts, "ms");
    const whole = Array.from({ length: 5 }, () => {
      load("table ip gam {\n}\ndelete table ip gam\n");
      return load(wholeTable(hostTable(before)));
    });
    const [there, back] = [
      tableChange(hostTable(before), hostTable(after)),
      tableChange(hostTable(after), hostTable(before)),
    ];
    const steps = Array.from({ length: 20 }, (_, n) => load(n % 2 === 0 ? there : back));
    const promised = services === 200;
    print(
      `packet filter of ${of} from nothing`,
      whole,
      "ms",
      promised ? { most: 1000 } : undefined,
    );
    print(`one changed endpoint among ${of}`, steps, "ms", promised ? { most: 50 } : undefined);
    endpointMs.set(services, median(steps));
  }
  const least = endpointMs.get(10) ?? Number.NaN;
  for (const services of [100, 1000]) {
    const ratio = (endpointMs.get(services) ?? Number.NaN) / least;
    print(`one changed endpoint among ${services} services, to that among 10`, [ratio], "times");
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

const apart = "--apart";
if (process.argv.includes(apart)) {
  benchFilter();
} else {
  benchPlan();
  const again = [...process.execArgv, ...process.argv.slice(1), apart];
  // The machine's own packet filter is never touched.
  const { status } = spawnSync("unshare", ["--net", process.execPath, ...again], {
    stdio: "inherit",
  });
  if (status !== 0) process.exitCode = 1;
}
