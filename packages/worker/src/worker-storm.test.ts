/**
 * Storms: anything may be lost, repeated, late or restarted. Then calm, in which every goal must be reached within
 * a limited number of ticks. One seed is one history.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NetworkId, TaskId } from "@gam/core";
import { seededRandom } from "@gam/core/testing";
import {
  compareStates,
  isLeaving,
  isTerminal,
  mergeStatus,
  type Task,
  type TaskStatus,
} from "@gam/state";
import fc from "fast-check";
import type { EngineAction } from "./action.ts";
import type { WorkerEffect } from "./effect.ts";
import { Worker, type WorkerFaults, type WorkerInput, workerLimitsDefault } from "./index.ts";
import { aNode, anOverlay, aTask, SimEngine, withFiles } from "./testing/index.ts";

const limits = { ...workerLimitsDefault, actionsMax: 2, leaderlessTicks: 20, dawdleTicks: 3 };
const images = ["tiny:1", "checked:1", "slow:1", "far:1", "broken:1", "nowhere:1"];
const tasksMax = 12;
const stormTicks = 300;
/** Leaving tasks may keep their open connections for so long. */
const drainTicks = 25;
const connectionTicksMax = 40;
// The slowest case: a pull, a create and a start, each behind all others in its lane and each tried twice because
// the engine came back in between, then a drain, a stop of 8 ticks and a remove, and the next list.
const calmTicks = 2 * (tasksMax * 12 + limits.retryTicks) + drainTicks + 60;

class Storm {
  readonly #random;
  readonly #faults: WorkerFaults;
  readonly #engine: SimEngine;
  readonly #tasks = new Map<TaskId, Task>();
  readonly #networks = [anOverlay("net")];
  readonly #reported = new Map<TaskId, TaskStatus>();
  #worker: Worker;
  #behind = false;
  #old: readonly Task[] = [];
  #led = true;
  #lostPercent = 30;
  #nextTask = 1;
  #nowMs = 0;
  #inputs: WorkerInput[] = [];
  #lists: WorkerInput[] = [];
  /** When the worker was first given a task that leaves. */
  readonly #leftMs = new Map<TaskId, number>();

  constructor(seed: number, faults: WorkerFaults) {
    this.#random = seededRandom(seed);
    this.#faults = faults;
    this.#engine = new SimEngine({
      images: ["tiny:1", "checked:1", "slow:1", "broken:1"],
      registry: ["far:1"],
      programs: {
        "checked:1": { healthyTicks: 2 },
        "slow:1": { stopTicks: 8, stopCode: 137 },
        "broken:1": { startError: "no such file" },
      },
      actionTicks: () => 1 + this.#random.below(3),
      resyncTicks: 40,
      newsLostPercent: 20,
      random: this.#random,
    });
    this.#worker = this.#boot();
  }

  storm(): void {
    for (let n = 0; n < stormTicks; n += 1) {
      this.#weather();
      this.#tick();
    }
  }

  calm(led: boolean): void {
    this.#lostPercent = 0;
    this.#behind = false;
    this.#lists = [];
    this.#engine.silence(false);
    this.#engine.recover();
    this.#lead(led);
    this.#assign();
    for (let n = 0; n < calmTicks; n += 1) this.#tick();
  }

  /** With a leader, the state is correct, and the engine has exactly what the state wants. */
  settled(): void {
    for (const task of this.#tasks.values()) {
      const { State } = task.Status;
      const container = this.#engine.container(task.ID);
      const wanted = task.DesiredState === "running" || task.DesiredState === "ready";
      if (!wanted) assert.ok(isTerminal(State), `${task.ID} is unwanted and ${State}`);
      if (isTerminal(State)) assert.notEqual(container?.phase, "running", `${task.ID} is ${State}`);
      else if (task.DesiredState === "running") {
        assert.equal(State, "running", task.ID);
        assert.equal(container?.phase, "running", task.ID);
      } else if (task.DesiredState === "ready" && compareStates(State, "running") < 0) {
        assert.equal(State, "ready", task.ID);
      }
    }
    const held = this.#engine.containers().map(({ task }) => task);
    assert.equal(new Set(held).size, held.length, "one container for each task");
    for (const id of held) assert.ok(this.#tasks.has(id), `${id} is a stray`);
    for (const id of this.#engine.filed()) {
      const { State = "remove" } = this.#tasks.get(id)?.Status ?? {};
      assert.ok(!isTerminal(State), `${id} is ${State}, and has files`);
    }
  }

  /** Without a leader, every task that is running in the state does run. */
  keptRunning(): void {
    for (const task of this.#tasks.values()) {
      if (task.DesiredState !== "running" || task.Status.State !== "running") continue;
      // Except when somebody removed the container, or the engine cannot start it.
      const container = this.#engine.container(task.ID);
      if (container === undefined) continue;
      assert.equal(container.phase, "running", `${task.ID} was not started again`);
    }
  }

  #weather(): void {
    const some = [...this.#tasks.values()];
    const task = some[this.#random.below(Math.max(1, some.length))];
    switch (this.#random.below(40)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return this.#create();
      case 4:
      case 5:
        return this.#desire(task, "running");
      case 6:
        return this.#desire(task, "shutdown");
      case 7:
        return this.#desire(task, "remove");
      case 8:
        if (task && isTerminal(task.Status.State)) this.#tasks.delete(task.ID);
        return this.#assign();
      case 9:
        return task && this.#engine.exit(task.ID, this.#random.below(3));
      case 10:
        return task && this.#engine.health(task.ID, "unhealthy");
      case 11:
        if (this.#random.below(4) === 0 && task) this.#engine.remove(task.ID);
        return;
      case 12:
        this.#lists = [];
        return this.#engine.lose("connection refused");
      case 13:
      case 14:
        this.#lists = [];
        return this.#engine.recover();
      case 15:
        if (this.#random.below(3) === 0) this.#worker = this.#boot();
        return;
      case 16:
        return this.#lead(false);
      case 17:
      case 18:
        return this.#lead(true);
      case 19:
        this.#behind = false;
        return this.#assign();
      case 20:
        // Sends an old list, or the same list twice.
        for (const list of this.#lists.splice(0, 1)) this.#step(list);
        return;
      case 21:
        for (const input of this.#inputs.slice(-1)) this.#step(input);
        return;
      case 22:
      case 23:
        return this.#engine.silence(this.#random.below(2) === 0);
      case 25:
      case 26:
        if (task) this.#engine.connect(task.ID, this.#random.below(connectionTicksMax));
        return;
      case 24:
        if (this.#random.below(3) > 0) return;
        this.#engine.powerLoss();
        this.#worker = this.#boot();
        return;
      default:
    }
  }

  #create(): void {
    if (this.#tasks.size >= tasksMax) return;
    const Image = images[this.#random.below(images.length)] ?? "";
    const ready = this.#random.below(3) === 0;
    const task = aTask(`task${this.#nextTask}`, {
      DesiredState: ready ? "ready" : "running",
      Spec: {
        ContainerSpec: { Image },
        RestartPolicy: { Condition: "any", Delay: 3e8 },
      },
    });
    const attachment = { network: "net-id" as NetworkId, address: "10.0.1.7" };
    const attachments = this.#random.below(2) === 0 ? [attachment] : [];
    this.#nextTask += 1;
    const joined = { ...task, Gam: { ...task.Gam, attachments } };
    this.#tasks.set(task.ID, this.#random.below(2) === 0 ? withFiles(joined) : joined);
    this.#assign();
  }

  #desire(task: Task | undefined, DesiredState: Task["DesiredState"]): void {
    if (task === undefined || compareStates(DesiredState, task.DesiredState) <= 0) return;
    this.#tasks.set(task.ID, { ...task, DesiredState });
    this.#assign();
  }

  #lead(led: boolean): void {
    // A report that was refused or lost meanwhile may differ later.
    if (led !== this.#led) this.#reported.clear();
    this.#led = led;
    this.#step({ kind: "led", led });
  }

  /** The agent is killed and starts again, with a copy of the state that may be old. */
  #boot(): Worker {
    this.#worker = new Worker(limits, this.#faults);
    this.#inputs = [];
    this.#lists = [];
    this.#reported.clear();
    this.#behind = true;
    this.#old = [...this.#tasks.values()].slice(this.#random.below(3));
    this.#engine.attach();
    this.#step({ kind: "led", led: this.#led });
    this.#assign();
    return this.#worker;
  }

  #assign(): void {
    this.#step(this.#assignment());
  }

  #tick(): void {
    this.#nowMs += 100;
    const news = this.#engine.tick();
    const earlier = this.#inputs;
    this.#inputs = [];
    for (const input of earlier) this.#step(input);
    this.#step({ kind: "tick", nowMs: this.#nowMs });
    for (const input of news) {
      if (input.kind === "containers") this.#lists.push(input);
      this.#step(input);
    }
  }

  #step(input: WorkerInput): void {
    for (const task of input.kind === "assigned" ? input.tasks : []) {
      if (isLeaving(task) && !this.#leftMs.has(task.ID)) this.#leftMs.set(task.ID, this.#nowMs);
    }
    for (const effect of this.#worker.step(input)) this.#perform(effect);
  }

  #perform(effect: WorkerEffect): void {
    if (effect.kind === "engine") {
      this.#judge(effect.action);
      this.#engine.perform(effect.action);
      return;
    }
    const committed = this.#led && this.#random.below(100) >= this.#lostPercent;
    for (const change of effect.changes) {
      if (change.kind !== "reportTask") continue;
      this.#judgeReport(change.id, change.status);
      const task = this.#tasks.get(change.id);
      if (task === undefined || !committed) continue;
      this.#tasks.set(change.id, { ...task, Status: mergeStatus(task.Status, change.status) });
    }
    this.#inputs.push({ kind: "settled", committed });
    if (committed && !this.#behind) this.#inputs.push(this.#assignment());
  }

  #assignment(): WorkerInput {
    const tasks = [...this.#tasks.values()];
    return {
      kind: "assigned",
      cluster: "cluster1",
      self: aNode(),
      tasks: this.#behind ? this.#old : tasks,
      drainsMs: new Map(tasks.map(({ ID }) => [ID, drainTicks * limits.tickMs])),
      networks: this.#networks,
      caughtUp: !this.#behind,
      index: 0,
    };
  }

  /** No healthy container that the state wants is removed. */
  #judge(action: EngineAction): void {
    if (action.kind !== "stop" && action.kind !== "remove") return;
    const task = this.#tasks.get(action.task);
    const container = this.#engine.container(action.task);
    if (task === undefined || container === undefined || container.phase !== "running") return;
    const wanted = task.DesiredState === "running" && !isTerminal(task.Status.State);
    // The container's end was seen and is being reported: it must not be restarted meanwhile.
    const ended = isTerminal(this.#reported.get(task.ID)?.State ?? "new");
    const well = container.health !== "unhealthy";
    const leftMs = this.#leftMs.get(task.ID);
    const mayKeep = leftMs !== undefined && this.#nowMs < leftMs + drainTicks * limits.tickMs;
    assert.ok(
      !mayKeep || ended || this.#engine.connections(task.ID) === 0,
      `${action.kind} of ${task.ID}, which has open connections`,
    );
    assert.ok(
      !(wanted && well && !ended),
      `${action.kind} of ${task.ID}, which is wanted and well`,
    );
  }

  #judgeReport(id: TaskId, status: TaskStatus): void {
    const before = this.#reported.get(id);
    const falls = before !== undefined && compareStates(status.State, before.State) < 0;
    assert.ok(!falls, `${id} fell from ${before?.State} to ${status.State}`);
    this.#reported.set(id, status);
    const phase = this.#engine.container(id)?.phase;
    if (status.State === "running") assert.notEqual(phase, "created", `${id} has never run`);
    if (isTerminal(status.State) && this.#tasks.get(id)?.DesiredState === "running") {
      assert.notEqual(phase, "running", `${id} is said to be ${status.State}, and runs`);
    }
  }
}

function history(seed: number, faults: WorkerFaults): void {
  const storm = new Storm(seed, faults);
  storm.storm();
  storm.calm(false);
  storm.keptRunning();
  storm.calm(true);
  storm.settled();
}

const seeds = fc.integer({ min: 1, max: 2 ** 31 - 1 });

test("after a storm the engine has what the state wants, and the state knows it", () => {
  fc.assert(
    fc.property(seeds, (seed) => history(seed, {})),
    { numRuns: 300 },
  );
});

const faults: readonly (keyof WorkerFaults)[] = [
  "runningEarly",
  "straysEarly",
  "listsTrusted",
  "restartsForgotten",
  "resendForgotten",
  "filesForgotten",
  "drainForgotten",
];
for (const fault of faults) {
  test(`the planted fault "${fault}" is found`, () => {
    assert.throws(() => {
      for (let seed = 1; seed <= 100; seed += 1) history(seed, { [fault]: true });
    });
  });
}
