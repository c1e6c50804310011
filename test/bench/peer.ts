/**
 * Peer: what leading a large cluster costs a peer, without network, disk and engines.
 *
 *   node test/bench/peer.ts [--services 2000] [--tasks 20000] [--nodes 50] [--check]
 *
 * Processor time, one line per figure. All calls of a kind together are compared with the fixed loops of
 * JavaScript in test/lab/load/bare.ts, in processor time too.
 */
import { decode, type NodeId, type ProposalId, type ServiceId, type TaskId } from "@gam/core";
import { counterMint, seededRandom } from "@gam/core/testing";
import { type Effect, type Input, Peer } from "@gam/peer";
import type { AskedChange, Change, Dump, View } from "@gam/state";
import { aService, TestLog } from "@gam/state/testing";
import { fixedLoopMs } from "../lab/load/bare.ts";
import { print, printRatio, type Target } from "./support/figures.ts";
import { diskOf, grownState, idOf } from "./support/grown-state.ts";
import { benchOptions } from "./support/options.ts";
import { cpuMsOf } from "./usage.ts";

const { services, tasks, nodes } = benchOptions({ services: 2000, tasks: 20_000, nodes: 50 });
const ids = Array.from({ length: nodes }, (_, n) => idOf<NodeId>("n", n));
const self = ids[0] as NodeId;
const others = ids.filter((id) => id !== self);

const sender = { role: "manager", asOf: 0, hosts: new Set<string>() } as const;

class Leader {
  readonly peer: Peer;
  nowMs: number;
  #queue: Input[] = [];
  #proposals = 0;

  constructor(log: TestLog) {
    this.nowMs = log.nowMs;
    this.peer = new Peer({
      config: { self, votersMax: 1, voteSilenceMs: 300_000, logEntriesMax: 8192 },
      recovered: diskOf(log, [self]),
      random: seededRandom(1),
      mint: counterMint("m"),
    });
  }

  /** Gives the peer a message from each other member, so that it hears all of them. Not part of the figures. */
  hearAll(): void {
    const round = 1;
    const body = { kind: "ping", round, incarnation: 0 } as const;
    for (const from of others)
      this.#step({ kind: "received", from, sender, message: { channel: "member", body } });
  }

  tick(): number {
    this.nowMs += 50;
    this.hearAll();
    return this.give({ kind: "tick", lateTicks: 0 });
  }

  /** Gives an input. Returns the processor time until all its effects are handled. Units: milliseconds. */
  give(input: Input): number {
    return cpuMsOf(() => {
      this.#step(input);
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        this.#step(next);
      }
    });
  }

  report(changes: readonly Change[], from: NodeId): number {
    this.#proposals += 1;
    const id = idOf<ProposalId>("q", this.#proposals);
    const proposal = { id, atMs: this.nowMs, changes };
    const { id: life } = this.peer.lives;
    const message = { channel: "peer", life, body: { kind: "propose", proposal } } as const;
    return this.give({ kind: "received", from, sender, message });
  }

  ask(change: AskedChange): number {
    this.#proposals += 1;
    return this.give({ kind: "propose", request: this.#proposals, changes: [change] });
  }

  #step(input: Input): void {
    for (const effect of this.peer.step(input, this.nowMs)) this.#perform(effect);
  }

  #perform(effect: Effect): void {
    if (effect.kind === "disk") this.#queue.push({ kind: "persisted" });
  }
}

function repeat(count: number, run: (n: number) => number): number[] {
  return Array.from({ length: count }, (_, n) => run(n));
}

/** Prints the time of one call, and the ratio of all to the fixed loops, which run right after. */
function show(name: string, tookMs: readonly number[], target?: Target): void {
  print(`one of the ${name}`, tookMs, "ms of CPU");
  const sumMs = tookMs.reduce((sum, ms) => sum + ms, 0);
  printRatio(
    `${tookMs.length} ${name}, to the fixed loops`,
    [sumMs],
    [cpuMsOf(fixedLoopMs)],
    target,
  );
}

function report(view: View, n: number): { change: Change; from: NodeId } {
  const task = view.task(idOf<TaskId>("t", n));
  if (task?.NodeID === undefined) throw new Error(`task t${n} is on a node`);
  const status = { ...task.Status, Message: `started ${n}` };
  return { change: { kind: "reportTask", id: task.ID, status }, from: task.NodeID };
}

const leader = new Leader(grownState({ services, tasks, nodes: ids }));
const { view } = leader.peer;
const first: number[] = [];
while (leader.peer.leader !== self || first.length < 10) first.push(leader.tick());
show("ticks until a new leader has looked at everything", first);
print("a new leader's first look, longest step", [Math.max(...first)], "ms");
repeat(200, () => leader.tick());
show(
  "idle ticks",
  repeat(400, () => leader.tick()),
);
const commit = (n: number): number => {
  const { change, from } = report(view, n);
  return leader.report([change], from);
};
show("commits of one report each", repeat(200, commit));
const scale = (n: number): number => {
  const service = view.service(idOf<ServiceId>("s", n));
  if (service === undefined) throw new Error(`service s${n} is there`);
  const { Replicated } = service.Spec.Mode;
  const Mode = { Replicated: { Replicas: (Replicated?.Replicas ?? 0) + 1 } };
  return leader.ask({
    kind: "updateService",
    id: service.ID,
    spec: { ...service.Spec, Mode },
    basedOn: service.Version.Index,
  });
};
show("scalings of a service by one, until the task has its node", repeat(50, scale));
const nowhere = { Placement: { Constraints: ["node.id==nowhere"] } };
leader.ask(aService(idOf("nowhere", 0).slice(0, 25), { replicas: 10, template: nowhere }) as never);
repeat(20, () => leader.tick());
show(
  "idle ticks with ten tasks that fit nowhere",
  repeat(400, () => leader.tick()),
);
show(
  "commits of one report with them",
  repeat(200, (n) => commit(n + 1000)),
);
show(
  "snapshots made and taken",
  repeat(3, () =>
    cpuMsOf(() => new TestLog().store.restore(decode((view as TestLog["store"]).dump()) as Dump)),
  ),
);
