/**
 * Order: random graphs of services that wait for each other, on hosts that all lose power.
 *
 * What really runs is kept beside the state, which shows tasks as running until their host is back. No container may
 * start while nothing runs of a service that it waits for. In the end everything runs.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId, Random, ServiceId, TaskId } from "@gam/core";
import { counterMint, seededRandom } from "@gam/core/testing";
import { planPlacement } from "@gam/scheduler";
import {
  type Change,
  compareStates,
  isTerminal,
  isWanted,
  type Task,
  type TaskState,
} from "@gam/state";
import { aNode, aService, TestLog } from "@gam/state/testing";
import type { PeerHealth } from "../nodes.ts";
import { Orchestrator } from "../orchestrator.ts";
import type { PlanFault } from "./fault.ts";

const tickMs = 500;
/** A silent node counts as lost after this. */
const lostTicks = 6;
const nodes = ["a", "b", "c", "d", "e"] as NodeId[];
/** Each of a chain of services takes some ticks, and twice the delay of a restart. */
const calmTicks = 400;

interface Planted {
  readonly faults?: readonly PlanFault[];
}

class World {
  readonly log = new TestLog();
  readonly needs = new Map<ServiceId, readonly ServiceId[]>();
  readonly #random: Random;
  readonly #mint = counterMint("t");
  readonly #planted: Planted;
  readonly #running = new Set<TaskId>();
  /** When each host is back, and when it says what runs there. */
  readonly #back = new Map<NodeId, { onTick: number; saysTick: number }>();
  #orchestrator: Orchestrator;
  #tick = 0;
  #lossTick = 0;

  constructor(seed: number, planted: Planted) {
    this.#random = seededRandom(seed);
    this.#planted = planted;
    this.#orchestrator = this.#elect();
    for (const id of nodes) this.#write({ kind: "joinNode", node: aNode(id) });
    // Created in any order, and each waits only for those before it in another order.
    const names = Array.from({ length: 2 + this.#random.below(7) }, (_, n) => `s${n}`);
    const specs = names.map((name, at) => {
      const before = names.slice(0, at).filter(() => this.#random.below(100) < 45);
      this.needs.set(name as ServiceId, before as ServiceId[]);
      const label = before.map((one) => `${one}:${this.#isJob(one) ? "completed" : "healthy"}`);
      return aService(name, {
        mode: this.#isJob(name)
          ? { ReplicatedJob: { MaxConcurrent: 1, TotalCompletions: 1 } }
          : { Replicated: { Replicas: 1 + this.#random.below(2) } },
        template: { RestartPolicy: { Condition: "any", Delay: 1e9 * this.#random.below(3) } },
        spec: { Labels: { "gam.depends_on": label.join(",") } },
      });
    });
    for (const spec of specs.sort(() => this.#random.below(3) - 1)) this.#write(spec);
  }

  run(ticks: number): void {
    for (let n = 0; n < ticks; n += 1) {
      this.#tick += 1;
      this.log.nowMs += tickMs;
      this.#lead();
      for (const id of nodes) if (this.#says(id)) this.#work(id);
    }
  }

  losePower(): void {
    this.#running.clear();
    this.#lossTick = this.#tick;
    for (const id of nodes) {
      const onTick = this.#tick + this.#random.below(10);
      this.#back.set(id, { onTick, saysTick: onTick + 1 + this.#random.below(6) });
    }
    this.#orchestrator = this.#elect();
  }

  complaints(): string[] {
    return this.log.store.services().flatMap(({ ID, Spec }): string[] => {
      const tasks = this.log.store.tasksOf(ID);
      if (this.#isJob(ID)) return this.#hasCompleted(ID) ? [] : [`${ID} has not completed`];
      const running = tasks.filter((task) => this.#running.has(task.ID)).length;
      const wanted = Spec.Mode.Replicated?.Replicas;
      return running === wanted ? [] : [`${ID} runs ${running} of ${wanted}`];
    });
  }

  #isJob(name: string): boolean {
    return Number(name.slice(1)) % 4 === 0;
  }

  #elect(): Orchestrator {
    const orchestrator = new Orchestrator(this.#mint, new Set(this.#planted.faults));
    orchestrator.noticeAll();
    return orchestrator;
  }

  #says(id: NodeId): boolean {
    return this.#tick >= (this.#back.get(id)?.saysTick ?? 0);
  }

  #lead(): void {
    const verdicts = new Map<NodeId, PeerHealth>();
    for (const id of nodes) {
      const { onTick = 0 } = this.#back.get(id) ?? {};
      if (this.#tick >= onTick) verdicts.set(id, { verdict: "alive", reason: "" });
      else if (this.#tick - this.#lossTick >= lostTicks) {
        verdicts.set(id, { verdict: "lost", reason: "silent" });
      }
    }
    const trust = (id: NodeId): boolean => {
      // It says so in the tick before.
      return this.#tick > (this.#back.get(id)?.saysTick ?? 0);
    };
    for (let n = 0; n < 8; n += 1) {
      const { store, nowMs } = this.log;
      const planned = this.#orchestrator.plan(store, { nowMs, verdicts, trust });
      const changes =
        planned.length > 0 ? planned : planPlacement(store, { usage: new Map(), nowMs });
      if (changes.length === 0) return;
      this.#write(...changes);
    }
    assert.fail(`not at rest at ${this.#tick}`);
  }

  #work(id: NodeId): void {
    const isFirst = this.#tick === this.#back.get(id)?.saysTick;
    for (const task of this.log.store.tasksOn(id)) {
      const State = this.#next(task, isFirst);
      if (State === undefined) continue;
      if (State === "running") this.#start(task);
      else this.#running.delete(task.ID);
      const Timestamp = new Date(this.log.nowMs).toISOString();
      this.#write({ kind: "reportTask", id: task.ID, status: { Timestamp, State } });
    }
    const node = this.log.store.node(id);
    if (node === undefined || node.Gam.engine.ready) return;
    const { Description: description, Gam } = node;
    const { addresses, network } = Gam;
    assert.ok(network !== undefined);
    const engine = { ready: true, reason: "" };
    this.#write({ kind: "describeNode", id, description, addresses, engine, network });
  }

  /** As the worker decides: local-task.ts. */
  #next(task: Task, isFirst: boolean): TaskState | undefined {
    const { State } = task.Status;
    if (compareStates(State, "assigned") < 0 || isTerminal(State)) return undefined;
    if (!isWanted(task)) return "shutdown";
    if (State === "running") {
      if (isFirst) return "failed";
      return task.DesiredState === "complete" && this.#random.below(3) === 0
        ? "complete"
        : undefined;
    }
    if (isFirst && task.DesiredState !== "ready") return "shutdown";
    if (this.#random.below(3) > 0) return undefined;
    if (compareStates(State, "ready") < 0) return "ready";
    return task.DesiredState === "ready" ? undefined : "running";
  }

  #start(task: Task): void {
    for (const need of this.needs.get(task.ServiceID) ?? []) {
      const runs = this.log.store.tasksOf(need).some(({ ID }) => this.#running.has(ID));
      const isThere = this.#isJob(need) ? this.#hasCompleted(need) : runs;
      assert.ok(isThere, `${task.ServiceID} starts without ${need} at ${this.#tick}`);
    }
    this.#running.add(task.ID);
  }

  #hasCompleted(id: ServiceId): boolean {
    return this.log.store.tasksOf(id).some(({ Status }) => Status.State === "complete");
  }

  #write(...changes: readonly Change[]): void {
    for (const event of this.log.write(...changes).events) this.#orchestrator.notice(event);
  }
}

function live(seed: number, planted: Planted = {}): void {
  const world = new World(seed, planted);
  world.run(20 + (seed % 60));
  for (let losses = 0; losses < 2; losses += 1) {
    world.losePower();
    world.run(seed % 2 === 0 ? calmTicks : 10 + (seed % 30));
  }
  world.run(calmTicks);
  assert.deepEqual(world.complaints(), [], `seed ${seed}`);
}

const seeds = Array.from({ length: 100 }, (_, index) => index + 1);

test("services start in order, at first and after all hosts lost power", () => {
  for (const seed of seeds) live(seed);
});

for (const fault of ["order-forgotten", "old-reports-trusted"] as const) {
  test(`the checker of the order finds the fault "${fault}"`, () => {
    assert.throws(() => {
      for (const seed of seeds) live(seed, { faults: [fault] });
    }, /starts without/);
  });
}
