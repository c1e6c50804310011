/**
 * Write cost: the processor time of a write at the leader and at one follower, without network, disk and engines.
 *
 *   node test/bench/write-cost.ts [--writes 2000] [--services 200] [--tasks 1000] [--check]
 *
 * Two of five voters are real peers; the other three only answer (stand-ins.ts). Each write is sent to the follower,
 * and is done when the follower has applied it. All messages of the two are encoded and decoded. `leader` and
 * `follower` are each one's share of the time, with frames.
 */
import type { NodeId, ServiceId, TaskId } from "@gam/core";
import { counterMint, seededRandom } from "@gam/core/testing";
import { decodeMessage, type Effect, encodeMessage, type Input, Peer, tickMs } from "@gam/peer";
import type { AskedChange, TaskSpec } from "@gam/state";
import { aService, type TestLog } from "@gam/state/testing";
import { fixedLoopMs } from "../lab/load/bare.ts";
import { print, printRatio } from "./support/figures.ts";
import { diskOf, grownState, idOf } from "./support/grown-state.ts";
import { benchOptions } from "./support/options.ts";
import { receivedFrom, StandIns } from "./support/stand-ins.ts";
import { cpuMsOf } from "./usage.ts";

const { writes, services, tasks } = benchOptions({ writes: 2000, services: 200, tasks: 1000 });
const ids = Array.from({ length: 5 }, (_, n) => idOf<NodeId>("n", n));
const [leading, following] = ids as [NodeId, NodeId];
/** 200 writes a second. */
const writesPerTick = 10;

interface Letter {
  readonly to: NodeId;
  readonly input: Input;
}

class Pair {
  readonly #peers = new Map<NodeId, Peer>();
  readonly #others = new StandIns();
  /** Milliseconds spent in each peer, by its id. */
  readonly tookMs = new Map<NodeId, number>();
  #nowMs: number;
  #queue: Letter[] = [];
  #requests = 0;
  done = 0;

  constructor(log: TestLog) {
    this.#nowMs = log.nowMs;
    for (const [n, self] of [leading, following].entries()) {
      const peer = new Peer({
        config: { self, votersMax: 5, voteSilenceMs: 300_000, logEntriesMax: 8192 },
        recovered: diskOf(log, ids),
        random: seededRandom(n + 1),
        mint: counterMint(`m${n}`),
      });
      this.#peers.set(self, peer);
    }
  }

  peer(id: NodeId): Peer {
    const peer = this.#peers.get(id);
    if (peer === undefined) throw new Error(`${id} is a peer`);
    return peer;
  }

  tick(): void {
    this.#nowMs += tickMs;
    for (const to of this.#peers.keys()) this.give(to, { kind: "tick", lateTicks: 0 });
  }

  ask(to: NodeId, change: AskedChange): void {
    this.#requests += 1;
    this.give(to, { kind: "propose", request: this.#requests, changes: [change] });
  }

  /** Gives an input, and handles its effects until none is left. */
  give(to: NodeId, input: Input): void {
    this.#queue.push({ to, input });
    for (let at = 0; at < this.#queue.length; at += 1) this.#step(this.#queue[at] as Letter);
    this.#queue = [];
  }

  #step({ to, input }: Letter): void {
    const beganMs = performance.now();
    for (const effect of this.peer(to).step(input, this.#nowMs)) this.#perform(to, effect);
    this.#spend(to, beganMs);
  }

  #spend(id: NodeId, beganMs: number): void {
    this.tookMs.set(id, (this.tookMs.get(id) ?? 0) + performance.now() - beganMs);
  }

  #perform(self: NodeId, effect: Effect): void {
    switch (effect.kind) {
      case "disk":
        this.#queue.push({ to: self, input: { kind: "persisted" } });
        break;
      case "arrange":
        this.#queue.push({ to: self, input: { kind: "arranged", index: effect.index } });
        break;
      case "proposed":
        if (effect.answer.kind !== "applied") throw new Error(effect.answer.message);
        this.done += 1;
        break;
      case "send":
        this.#send(self, effect);
        break;
      default:
        break; // Notes, and this host's own containers.
    }
  }

  #send(self: NodeId, { to, message }: Extract<Effect, { kind: "send" }>): void {
    const bytes = encodeMessage(message);
    const { channel } = message;
    if (this.#peers.has(to)) {
      const beganMs = performance.now();
      const input = receivedFrom(self, decodeMessage(channel, bytes));
      this.#spend(to, beganMs);
      this.tookMs.set(self, (this.tookMs.get(self) ?? 0) - (performance.now() - beganMs));
      this.#queue.push({ to, input });
      return;
    }
    const answer = this.#others.answer(to, message);
    if (answer === undefined) return;
    const said = decodeMessage(answer.channel, encodeMessage(answer));
    this.#queue.push({ to: self, input: receivedFrom(to, said) });
  }
}

function show(name: string, write: (n: number) => AskedChange): void {
  pair.done = 0;
  pair.tookMs.clear();
  const tookMs = cpuMsOf(() => {
    for (let n = 0; n < writes; n += 1) {
      if (n % writesPerTick === 0) pair.tick();
      pair.ask(following, write(n));
    }
  });
  if (pair.done < writes) throw new Error(`${writes} writes are done: ${pair.done}`);
  print(`one of ${writes} ${name}`, [tookMs / writes], "ms of CPU");
  for (const [who, id] of [
    ["leader", leading],
    ["follower", following],
  ] as const) {
    print(`  ${who}`, [(pair.tookMs.get(id) ?? 0) / writes], "ms");
  }
  printRatio(`${writes} ${name}, to the fixed loops`, [tookMs], [cpuMsOf(fixedLoopMs)]);
}

const idle = 32;
const log = grownState({ services, tasks, nodes: ids });
for (let n = 0; n < idle; n += 1) {
  // With the fields that a stack file usually has.
  const template: Partial<TaskSpec> = {
    ContainerSpec: {
      Image: "registry.example/shop/web:1.2.3",
      Env: ["MODE=production", "LEVEL=info"],
      Labels: { "com.docker.stack.namespace": "shop" },
    },
    RestartPolicy: { Condition: "any", Delay: 5e9, MaxAttempts: 0 },
    Resources: { Limits: { MemoryBytes: 2 ** 28 }, Reservations: { NanoCPUs: 1e7 } },
  };
  const Labels = { "com.docker.stack.namespace": "shop", written: "" };
  log.write(aService(idOf("i", n), { replicas: 0, template, spec: { Labels } }));
}
const pair = new Pair(log);
const { view } = pair.peer(following);

/** As `docker service update --label-add`, of a service without tasks. */
function relabel(n: number): AskedChange {
  const service = view.service(idOf<ServiceId>("i", n % idle));
  if (service === undefined) throw new Error("the service is there");
  return {
    kind: "updateService",
    id: service.ID,
    spec: { ...service.Spec, Labels: { ...service.Spec.Labels, written: String(n) } },
    basedOn: service.Version.Index,
  };
}

const own = view.tasksOn(following);

/** A report of the follower's worker about one of its tasks, which no client may send. */
function report(n: number): AskedChange {
  const task = view.task(own[n % own.length]?.ID as TaskId);
  if (task === undefined) throw new Error("the task is there");
  const status = { ...task.Status, Message: `started ${n}` };
  return { kind: "reportTask", id: task.ID, status } as never;
}

for (let n = 0; pair.peer(following).leader === undefined; n += 1) {
  // The follower gets no ticks, so that the other one becomes a candidate.
  pair.give(leading, { kind: "tick", lateTicks: 0 });
  if (n > 100) throw new Error("the first peer leads after five seconds");
}
for (let n = 0; n < 200; n += 1) pair.tick();
show("updates of a service's label", relabel);
show("reports of a task", report);
