/**
 * Scheduler: how long placing many tasks takes, beside fixed loops of JavaScript.
 *
 *   node test/bench/scheduler.ts [--rounds 3] [--tasks 100000] [--nodes 5000] [--check]
 *
 * The tasks are of 100 services, the nodes in three zones. Each round places them all in a new cluster,
 * and then runs the loops of test/lab/load/bare.ts. Then 40,000 tasks of one service are placed as a leader does it, plan
 * by plan. Times are processor time.
 */
import type { NodeId, ServiceId } from "@gam/core";
import { planPlacement } from "@gam/scheduler";
import type { Change, Usage } from "@gam/state";
import { aNode, aService, aTask, TestLog } from "@gam/state/testing";
import { fixedLoopMs } from "../lab/load/bare.ts";
import { print, printCount, printRatio } from "./support/figures.ts";
import { benchOptions } from "./support/options.ts";
import { cpuMsOf } from "./usage.ts";

const options = { rounds: 3, tasks: 100_000, nodes: 5_000 };
const { rounds, tasks, nodes } = benchOptions(options);
const services = 100;
const ofOneService = 40_000;

const gib = 2 ** 30;

function unplaced(tasks: number, services: number): TestLog {
  const log = new TestLog();
  log.write(
    ...Array.from({ length: nodes }, (_, n): Change => {
      const Labels = { zone: `z${n % 3}` };
      return { kind: "joinNode", node: aNode(`n${n}`, { spec: { Labels } }) };
    }),
    ...Array.from({ length: services }, (_, n) => aService(`s${n}`)),
  );
  const template = {
    Placement: {
      Constraints: ["node.platform.os == linux"],
      Preferences: [{ Spread: { SpreadDescriptor: "node.labels.zone" } }],
    },
    Resources: { Reservations: { NanoCPUs: 1e6, MemoryBytes: gib / 1024 } },
  };
  log.write(
    ...Array.from({ length: tasks }, (_, n): Change => {
      const service = `s${n % services}`;
      return { kind: "createTask", task: aTask(service, `t${n}`, { slot: n, template }) };
    }),
  );
  return log;
}

function usageAt(atMs: number): Map<NodeId, Usage> {
  const usage = (n: number): Usage => ({
    cpu: (n % 10) / 10,
    memoryBytes: gib,
    memoryTotalBytes: 8 * gib,
    load: 1,
    containers: 0,
    images: [],
    diskFreeBytes: 100 * gib,
    atMs,
  });
  return new Map(Array.from({ length: nodes }, (_, n) => [`n${n}` as NodeId, usage(n)]));
}

const placeMs: number[] = [];
const loopMs: number[] = [];
let log = unplaced(0, 0);
let placed = 0;
for (let round = 0; round < rounds; round += 1) {
  log = unplaced(tasks, services);
  const { store, nowMs } = log;
  const usage = usageAt(nowMs);
  let changes: readonly Change[] = [];
  const place = (): void => {
    changes = planPlacement(store, { usage, nowMs, changesMax: Number.POSITIVE_INFINITY });
  };
  placeMs.push(cpuMsOf(place));
  placed = changes.filter(({ kind }) => kind === "assignTask").length;
  log.write(...changes);
  loopMs.push(cpuMsOf(fixedLoopMs));
}
const counts = log.store.nodes().map(({ ID }) => log.store.tasksOn(ID).length);
print("tasks of a service", [log.store.tasksOf("s0" as ServiceId).length], "in all");
print("tasks on the fullest node", [Math.max(...counts)], "in all");
print("tasks on the emptiest node", [Math.min(...counts)], "in all");
print(`${tasks} tasks placed on ${nodes} nodes`, placeMs, "ms of CPU");
print("fixed loops", loopMs, "ms of CPU");
printCount("tasks placed", placed, tasks, { least: tasks });
printRatio("placing all tasks, to the fixed loops", placeMs, loopMs, { most: 15 });

const large = unplaced(ofOneService, 1);
const facts = { usage: usageAt(large.nowMs), nowMs: large.nowMs };
let planned: readonly Change[] = [];
const planMs: number[] = [];
do {
  planMs.push(
    cpuMsOf(() => {
      planned = planPlacement(large.store, facts);
    }),
  );
  if (planned.length > 0) large.write(...planned);
} while (planned.length > 0);
const allMs = planMs.reduce((sum, ms) => sum + ms, 0);
print(`one of the plans that place ${ofOneService} tasks of one service`, planMs, "ms of CPU");
printRatio("all of them, to the fixed loops", [allMs], [cpuMsOf(fixedLoopMs)]);
