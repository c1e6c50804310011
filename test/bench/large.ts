/**
 * Large: what leading a mesh of a thousand hosts costs a peer, without network, disk and engines.
 *
 *   node test/bench/large.ts [--nodes 1000] [--tasks 10000] [--services 1000] [--seconds 20] [--check]
 *
 * One real peer leads, and five vote. The others only answer (stand-ins.ts) and report their hosts' usage. Frames
 * are not encoded. Time is virtual. Figures are processor time, and ratios to the fixed loops of JavaScript in
 * test/lab/load/bare.ts.
 */
import type { NodeId, ProposalId, TaskId } from "@gam/core";
import { counterMint, seededRandom } from "@gam/core/testing";
import { type Effect, type Input, Peer, tickMs } from "@gam/peer";
import type { Usage } from "@gam/state";
import type { TestLog } from "@gam/state/testing";
import { fixedLoopMs } from "../lab/load/bare.ts";
import { print, printRatio, type Target } from "./support/figures.ts";
import { diskOf, grownState, idOf } from "./support/grown-state.ts";
import { benchOptions } from "./support/options.ts";
import { receivedFrom, StandIns } from "./support/stand-ins.ts";
import { cpuMsOf } from "./usage.ts";

const { nodes, tasks, services, seconds } = benchOptions({
  nodes: 1000,
  tasks: 10_000,
  services: 1000,
  seconds: 20,
});
const ids = Array.from({ length: nodes }, (_, n) => idOf<NodeId>("n", n));
const self = ids[0] as NodeId;
const others = ids.filter((id) => id !== self);
/** Usage reports of all hosts together in a second, at most (packages/peer). */
const usagesPerSecond = 100;
const ticksPerSecond = 1000 / tickMs;

class Mesh {
  readonly peer: Peer;
  #nowMs: number;
  #queue: Input[] = [];
  #proposals = 0;
  #usages = 0;
  readonly #others = new StandIns();

  constructor(log: TestLog) {
    this.#nowMs = log.nowMs;
    this.peer = new Peer({
      config: { self, votersMax: 5, voteSilenceMs: 300_000, logEntriesMax: 8192 },
      recovered: diskOf(log, ids.slice(0, 5)),
      random: seededRandom(1),
      mint: counterMint("m"),
    });
  }

  tick(): void {
    this.#nowMs += tickMs;
    for (let n = 0; n < usagesPerSecond / ticksPerSecond; n += 1) this.#sayUsage();
    this.#give({ kind: "tick", lateTicks: 0 });
  }

  /** Reports a new status for task n, from its node. */
  report(n: number): void {
    const task = this.peer.view.task(idOf<TaskId>("t", n));
    if (task?.NodeID === undefined) throw new Error(`task t${n} is on a node`);
    this.#proposals += 1;
    const id = idOf<ProposalId>("q", this.#proposals);
    const status = { ...task.Status, Message: `started ${this.#proposals}` };
    const changes = [{ kind: "reportTask", id: task.ID, status }] as const;
    const proposal = { id, atMs: this.#nowMs, changes };
    const body = { kind: "propose", proposal } as const;
    this.#give(receivedFrom(task.NodeID, { channel: "peer", life: this.peer.lives.id, body }));
  }

  #sayUsage(): void {
    const from = others[this.#usages % others.length] as NodeId;
    this.#usages += 1;
    const body: Usage = {
      cpu: (this.#usages % 100) / 100,
      memoryBytes: 2 ** 30,
      memoryTotalBytes: 2 ** 33,
      load: 1,
      containers: 10,
      images: ["tiny:1"],
      diskFreeBytes: 2 ** 36,
      atMs: this.#nowMs,
    };
    this.#give({ kind: "gossiped", from, gossip: { topic: "usage", body } });
  }

  /** Gives an input, and handles its effects until none is left. */
  #give(input: Input): void {
    this.#queue.push(input);
    for (let at = 0; at < this.#queue.length; at += 1) {
      const effects = this.peer.step(this.#queue[at] as Input, this.#nowMs);
      for (const effect of effects) this.#perform(effect);
    }
    this.#queue = [];
  }

  #perform(effect: Effect): void {
    switch (effect.kind) {
      case "disk":
        this.#queue.push({ kind: "persisted" });
        break;
      case "arrange":
        this.#queue.push({ kind: "arranged", index: effect.index });
        break;
      case "send": {
        const answer = this.#others.answer(effect.to, effect.message);
        if (answer !== undefined) this.#queue.push(receivedFrom(effect.to, answer));
        break;
      }
      default:
        break; // Notes, and this host's own containers.
    }
  }

  /** Processor time of `ticks` ticks, in milliseconds. Calls `during` after each of them. */
  run(ticks: number, during: (tick: number) => void = () => undefined): number {
    return cpuMsOf(() => {
      for (let tick = 0; tick < ticks; tick += 1) {
        this.tick();
        during(tick);
      }
    });
  }
}

/** Prints the share of one core, and the ratio to the fixed loops, which run right after. */
function showShare(name: string, tookMs: number, target?: Target): void {
  print(`${name}, share of a core`, [tookMs / (seconds * 10)], "%");
  const ours = [tookMs / seconds];
  printRatio(`${name}, a second, to the fixed loops`, ours, [cpuMsOf(fixedLoopMs)], target);
}

const mesh = new Mesh(grownState({ services, tasks, nodes: ids }));
const ticks = seconds * ticksPerSecond;
let began = 0;
while (mesh.peer.leader !== self) {
  mesh.tick();
  began += 1;
  if (began > 100) throw new Error("the peer leads after five seconds");
}
mesh.run(10 * ticksPerSecond);
const idleMs = mesh.run(ticks);
showShare("idle", idleMs, { most: 1 });
const before = mesh.peer.view.index;
const writingMs = mesh.run(ticks, (tick) => mesh.report(tick));
const entries = mesh.peer.view.index - before;
if (entries < ticks) throw new Error(`${ticks} reports became entries of the log: ${entries}`);
showShare(`${ticksPerSecond} reports a second`, writingMs);
const entryMs = (writingMs - idleMs) / entries;
print("an entry of one report, beside what is idle", [entryMs], "ms of CPU");
printRatio("100 such entries, to the fixed loops", [100 * entryMs], [cpuMsOf(fixedLoopMs)]);
const { votersOutgoing, voters, learners } = mesh.peer.raft.configuration;
if (votersOutgoing.length + voters.length + learners.length !== nodes) {
  throw new Error("all members are in the configuration");
}
