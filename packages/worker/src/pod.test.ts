/**
 * Pods on one node: containers start and stop in their order, and none stays in the network of a dead container.
 *
 * Scripts first, then storms: tasks come and go, containers end by themselves or are started again by hand, the agent
 * restarts, and there is no leader at times.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { TaskId } from "@gam/core";
import { seededRandom } from "@gam/core/testing";
import { type DesiredState, isTerminal, isWanted, mergeStatus, type Task } from "@gam/state";
import type { EngineAction } from "./action.ts";
import { Worker, type WorkerFaults, type WorkerInput, workerLimitsDefault } from "./index.ts";
import { aNode, aTask, SimEngine } from "./testing/index.ts";

const limits = { ...workerLimitsDefault, leaderlessTicks: 20, dawdleTicks: 3 };
const [main, init, plain, sidecar] = ["main", "init", "plain", "sidecar"] as TaskId[];
const all = [main, init, plain, sidecar] as TaskId[];
/** Beside an answer of the engine and an action that runs: a list of containers, when the news of an end was lost. */
const deadTicksMax = 60;

class Pod {
  readonly engine: SimEngine;
  readonly tasks = new Map<TaskId, Task>();
  readonly actions: string[] = [];
  /** For how long each part has been in a dead network. */
  readonly #deadTicks = new Map<TaskId, number>();
  readonly #faults: WorkerFaults;
  #worker: Worker;
  #led = true;
  #nowMs = 0;
  #index = 0;
  #generation = 0;

  constructor(seed: number, faults: WorkerFaults = {}) {
    const random = seededRandom(seed);
    this.#faults = faults;
    this.engine = new SimEngine({
      images: ["tiny:1", "job:1", "slow:1"],
      programs: { "job:1": { exitTicks: 3 }, "slow:1": { stopTicks: 6 } },
      actionTicks: () => 1 + random.below(3),
      resyncTicks: 30,
      newsLostPercent: 10,
      random,
    });
    this.#worker = this.boot();
  }

  boot(): Worker {
    const worker = new Worker(limits, this.#faults);
    this.#worker = worker;
    this.engine.attach();
    this.#step({ kind: "led", led: this.#led });
    this.assign();
    return worker;
  }

  get led(): boolean {
    return this.#led;
  }

  lead(led: boolean): void {
    this.#led = led;
    this.#step({ kind: "led", led });
  }

  /** A new pod, or a new part of the present one. */
  make(id: TaskId, desired: DesiredState = "running"): Task {
    if (id === main) this.#generation += 1;
    const labels: Record<string, Record<string, string>> = {
      init: { "gam.pod": "main", "gam.pod.role": "init" },
      plain: { "gam.pod": "main" },
      sidecar: { "gam.pod": "main", "gam.pod.role": "sidecar" },
    };
    const pod = this.live(main as TaskId)?.ID;
    const serviceLabels = labels[id] ?? {};
    const Image = id === init ? "job:1" : id === sidecar ? "slow:1" : "tiny:1";
    const base = aTask(`${id}${this.#generation}x${this.tasks.size}`, { DesiredState: desired });
    const task = {
      ...base,
      Spec: { ...base.Spec, ContainerSpec: { Image } },
      Gam: { ...base.Gam, serviceLabels, ...(id !== main && pod && { pod }) },
    };
    this.tasks.set(task.ID, task);
    return task;
  }

  live(id: TaskId): Task | undefined {
    return [...this.tasks.values()].findLast((task) => {
      return task.ID.startsWith(id) && isWanted(task) && !isTerminal(task.Status.State);
    });
  }

  desire(id: TaskId, DesiredState: DesiredState): void {
    const task = this.live(id);
    if (task !== undefined) this.tasks.set(task.ID, { ...task, DesiredState });
  }

  assign(): void {
    this.#index += 1;
    const tasks = [...this.tasks.values()];
    const assignment = { cluster: "c", self: aNode(), tasks, networks: [], caughtUp: true };
    const drainsMs = new Map<TaskId, number>();
    this.#step({ kind: "assigned", ...assignment, drainsMs, index: this.#index });
    this.#step({ kind: "steered", index: this.#index });
  }

  run(ticks: number): void {
    for (let n = 0; n < ticks; n += 1) {
      this.#nowMs += limits.tickMs;
      for (const input of this.engine.tick()) this.#step(input);
      this.#step({ kind: "tick", nowMs: this.#nowMs });
      this.#check();
    }
  }

  phase(id: TaskId): string | undefined {
    const task = this.live(id);
    return task && this.engine.container(task.ID)?.phase;
  }

  #step(input: WorkerInput): void {
    for (const effect of this.#worker.step(input)) {
      if (effect.kind === "engine") {
        this.#note(effect.action);
        this.engine.perform(effect.action);
        continue;
      }
      for (const change of effect.changes) {
        if (change.kind !== "reportTask") continue;
        const task = this.tasks.get(change.id);
        if (task === undefined) continue;
        this.tasks.set(task.ID, { ...task, Status: mergeStatus(task.Status, change.status) });
      }
      this.#step({ kind: "settled", committed: true });
      this.assign();
    }
  }

  #note(action: EngineAction): void {
    if (action.kind !== "start" && action.kind !== "stop") return;
    const task = this.tasks.get(action.task);
    this.actions.push(`${action.kind} ${/^[a-z]+?(?=\d)/.exec(action.task)?.[0]}`);
    if (task === undefined || action.kind !== "stop") return;
    if (action.task.startsWith("main") && !isWanted(task) && this.#isHealthy(task)) {
      const isEarly = [...this.tasks.values()].some((part) => {
        return part.Gam.pod === task.ID && part.ID.startsWith("plain") && this.#runs(part);
      });
      assert.ok(!isEarly, `${task.ID} is stopped before a part without a role`);
    }
    const lead = task.Gam.pod === undefined ? undefined : this.tasks.get(task.Gam.pod);
    if (!task.ID.startsWith("sidecar") || lead === undefined || isWanted(lead)) return;
    if (!isWanted(task) && this.#isFreed.has(task.ID)) return;
    assert.ok(!this.#runs(lead), `${task.ID} is stopped before its main container`);
  }

  /** Sidecars that were stopped alone. */
  readonly #isFreed = new Set<TaskId>();

  freeSidecar(): void {
    const task = this.live(sidecar as TaskId);
    if (task !== undefined) this.#isFreed.add(task.ID);
    this.desire(sidecar as TaskId, "shutdown");
  }

  #isHealthy(task: Task): boolean {
    return !isTerminal(task.Status.State);
  }

  #runs(task: Task): boolean {
    return this.engine.container(task.ID)?.phase === "running";
  }

  #check(): void {
    for (const task of this.tasks.values()) {
      if (task.Gam.pod === undefined || task.ID.startsWith("init")) continue;
      const [own, lead] = [task.ID, task.Gam.pod].map((id) => this.engine.container(id));
      const isDead = own?.phase === "running" && own.network !== lead?.network;
      const ticks = isDead ? (this.#deadTicks.get(task.ID) ?? 0) + 1 : 0;
      this.#deadTicks.set(task.ID, ticks);
      assert.ok(ticks <= deadTicksMax, `${task.ID} stays in a dead network`);
    }
  }
}

function started(seed = 1): Pod {
  const pod = new Pod(seed);
  pod.make(main as TaskId, "ready");
  pod.make(init as TaskId, "complete");
  pod.make(plain as TaskId);
  pod.make(sidecar as TaskId);
  pod.assign();
  pod.run(60);
  assert.deepEqual(pod.actions, ["start init"], "parts wait for the main container");
  assert.ok([...pod.tasks.values()].some(({ Status }) => Status.State === "complete"));
  pod.desire(main as TaskId, "running");
  pod.assign();
  pod.run(60);
  assert.equal(pod.actions[1], "start main");
  assert.deepEqual(pod.actions.slice(2).sort(), ["start plain", "start sidecar"]);
  return pod;
}

test("a pod starts with its init container, then the main one, then the other parts", () => {
  const pod = started();
  const { network } = pod.engine.container(pod.live(main as TaskId)?.ID as TaskId) ?? {};
  for (const id of [plain, sidecar]) {
    const task = pod.live(id as TaskId);
    assert.equal(task?.Status.State, "running");
    assert.equal(pod.engine.container(task.ID)?.network, network);
  }
});

test("a pod stops part by part, also while the state does not say that the parts are to stop", () => {
  for (const isTold of [true, false]) {
    const pod = started();
    pod.actions.length = 0;
    const tasks = [...pod.tasks.keys()];
    pod.desire(main as TaskId, "shutdown");
    if (isTold) for (const id of [plain, sidecar]) pod.desire(id as TaskId, "shutdown");
    pod.assign();
    pod.run(120);
    assert.deepEqual(pod.actions, ["stop plain", "stop main", "stop sidecar"]);
    const states = tasks.map((id) => pod.tasks.get(id)?.Status.State);
    assert.deepEqual(states, ["shutdown", "complete", "shutdown", "shutdown"]);
  }
});

test("a part that is stopped alone does not wait for its pod", () => {
  const pod = started();
  pod.actions.length = 0;
  pod.freeSidecar();
  pod.assign();
  pod.run(60);
  assert.deepEqual(pod.actions, ["stop sidecar"]);
  assert.equal(pod.phase(main as TaskId), "running");
});

test("when the main container ends, its parts are stopped, and have not failed", () => {
  const pod = started();
  pod.actions.length = 0;
  const lead = pod.live(main as TaskId);
  assert.ok(lead !== undefined);
  const parts = [plain, sidecar].map((id) => pod.live(id as TaskId)?.ID as TaskId);
  pod.engine.exit(lead.ID, 1);
  pod.run(120);
  assert.deepEqual(pod.actions.sort(), ["stop plain", "stop sidecar"]);
  assert.equal(pod.tasks.get(lead.ID)?.Status.State, "failed");
  for (const id of parts) assert.equal(pod.tasks.get(id)?.Status.State, "shutdown");
});

test("without a leader the whole pod is started again in place", () => {
  const pod = started();
  pod.lead(false);
  pod.run(30);
  pod.actions.length = 0;
  pod.engine.exit(pod.live(main as TaskId)?.ID as TaskId, 1);
  pod.run(200);
  assert.deepEqual([...pod.actions].sort(), [
    ...["start main", "start plain", "start sidecar"],
    ...["stop plain", "stop sidecar"],
  ]);
  for (const id of [main, plain, sidecar]) assert.equal(pod.phase(id as TaskId), "running");
});

test("a part does not stay when its main container was started again unseen", () => {
  const pod = started();
  const lead = pod.live(main as TaskId)?.ID as TaskId;
  const { id: container = "" } = pod.engine.container(lead) ?? {};
  pod.engine.exit(lead, 0);
  pod.engine.perform({ kind: "start", id: 1_000_000, task: lead, container });
  pod.boot();
  pod.run(200);
  const { network } = pod.engine.container(lead) ?? {};
  for (const state of pod.engine.containers()) {
    if (state.phase === "running") assert.equal(state.network, network);
  }
});

const stormTicks = 400;

/** Throws when an order is broken, or a part stays in a dead network. */
function storm(seed: number, faults: WorkerFaults = {}): void {
  const random = seededRandom(seed);
  const pod = new Pod(seed, faults);
  for (let n = 0; n < stormTicks; n += 1) {
    const id = all[random.below(all.length)] as TaskId;
    switch (random.below(24)) {
      case 0:
        pod.desire(main as TaskId, "shutdown");
        break;
      case 1:
        if (pod.live(main as TaskId) === undefined) {
          pod.make(main as TaskId, random.below(2) === 0 ? "running" : "ready");
          for (const part of [plain, sidecar]) pod.make(part as TaskId);
        }
        break;
      case 2:
        pod.desire(main as TaskId, "running");
        break;
      case 3: {
        const task = pod.live(id);
        if (task !== undefined) pod.engine.exit(task.ID, random.below(2));
        break;
      }
      case 4:
        pod.boot();
        break;
      case 5:
        pod.lead(!pod.led);
        break;
      case 6:
        if (random.below(2) === 0) pod.freeSidecar();
        else pod.desire(plain as TaskId, "shutdown");
        break;
      case 7:
        if (pod.live(main as TaskId) === undefined) break;
        for (const part of [plain, sidecar]) {
          if (pod.live(part as TaskId) === undefined) pod.make(part as TaskId);
        }
        break;
    }
    pod.assign();
    pod.run(1 + random.below(6));
  }
}

test("in storms the order within a pod is kept, and no part stays in a dead network", () => {
  for (let seed = 1; seed <= 60; seed += 1) storm(seed);
});

test("the checker finds parts that stay in a dead network, and pods that stop in a wrong order", () => {
  assert.throws(() => {
    for (let seed = 1; seed <= 60; seed += 1) storm(seed, { podsForgotten: true });
  }, /dead network|is stopped before/);
});
