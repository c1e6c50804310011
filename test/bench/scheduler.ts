/**
 * How long placing many tasks takes: `node test/bench/scheduler.ts [tasks] [nodes]`, by default 100,000
 * tasks of 100 services on 5,000 nodes in three zones. Prints one line.
 */
import type { NodeId, ServiceId } from "@gam/core";
import { planPlacement } from "@gam/scheduler";
import type { Change, Usage } from "@gam/state";
import { aNode, aService, aTask, TestLog } from "@gam/state/testing";

const [tasks = 100_000, nodes = 5_000] = process.argv.slice(2).map(Number);
const services = 100;

const log = new TestLog();
const gib = 2 ** 30;
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
const usage = new Map(
  Array.from({ length: nodes }, (_, n): [NodeId, Usage] => [
    `n${n}` as NodeId,
    {
      cpu: (n % 10) / 10,
      memoryBytes: gib,
      memoryTotalBytes: 8 * gib,
      load: 1,
      containers: 0,
      images: [],
      diskFreeBytes: 100 * gib,
      atMs: log.nowMs,
    },
  ]),
);

const before = performance.now();
const cpuBefore = process.cpuUsage();
const changes = planPlacement(log.store, {
  usage,
  nowMs: log.nowMs,
  changesMax: Number.POSITIVE_INFINITY,
});
const tookMs = performance.now() - before;
const { user, system } = process.cpuUsage(cpuBefore);
const placed = changes.filter(({ kind }) => kind === "assignTask").length;
log.write(...changes);
const counts = log.store.nodes().map(({ ID }) => log.store.tasksOn(ID).length);
const ofOne = log.store.tasksOf("s0" as ServiceId).length;
console.log(
  `placed ${placed} of ${tasks} tasks (${ofOne} a service) on ${nodes} nodes in ${Math.round(tookMs)} ms ` +
    `(${Math.round((user + system) / 1000)} ms of CPU); ` +
    `fullest node ${Math.max(...counts)}, emptiest ${Math.min(...counts)}`,
);
