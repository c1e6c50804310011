/**
 * Pods: random pods on hosts that fail, with workers that keep the order within a pod.
 *
 * Nodes have little room, and another service competes for it. A part is always made for the node of its main task,
 * and no main container starts before its init containers have completed. In the end each main task that runs has each
 * of its parts beside it, and nothing else of them runs.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId, Random, ServiceId, TaskId } from "@gam/core";
import { counterMint, seededRandom } from "@gam/core/testing";
import { planPlacement } from "@gam/scheduler";
import {
  type Change,
  compareStates,
  type DesiredState,
  isTerminal,
  isWanted,
  type ServiceMode,
  type ServiceSpec,
  type Task,
  type TaskState,
} from "@gam/state";
import { aNode, aService, aTask, TestLog } from "@gam/state/testing";
import fc from "fast-check";
import type { PeerHealth } from "../nodes.ts";
import { Orchestrator } from "../orchestrator.ts";
import type { PlanFault } from "./fault.ts";

const tickMs = 500;
const stormTicks = 150;
/** Restarts back off to five minutes when they fail often, which storms of this length do not reach. */
const calmTicks = 700;
const nodes = ["a", "b", "c", "d"] as NodeId[];
const main = "web" as ServiceId;
const [sidecar, init, other] = ["log", "prepare", "other"] as ServiceId[];
const parts = [sidecar, init] as ServiceId[];

const one = (nanoCpus: number): ServiceSpec["TaskTemplate"]["Resources"] => ({
  Reservations: { NanoCPUs: nanoCpus },
});

class World {
  readonly log = new TestLog();
  readonly #random: Random;
  readonly #mint = counterMint("t");
  readonly #faults: readonly PlanFault[];
  /** What really runs. */
  readonly #running = new Map<TaskId, NodeId>();
  readonly #off = new Set<NodeId>();
  readonly #isGlobal: boolean;
  #orchestrator: Orchestrator;
  #calm = false;

  constructor(seed: number, faults: readonly PlanFault[]) {
    this.#random = seededRandom(seed);
    this.#faults = faults;
    this.#isGlobal = seed % 5 === 0;
    this.#orchestrator = this.#elect();
    const description = { Resources: { NanoCPUs: 3e9, MemoryBytes: 2 ** 30 } };
    for (const id of nodes) this.#write({ kind: "joinNode", node: aNode(id, { description }) });
    // In any order: a part may come first.
    const services = [main, sidecar, init, other].map((name) => {
      return aService(name ?? "", { spec: this.#specOf(name ?? ("" as ServiceId)) });
    });
    for (const service of services.sort(() => this.#random.below(3) - 1)) this.#write(service);
  }

  run(ticks: number): void {
    for (let n = 0; n < ticks; n += 1) {
      this.log.nowMs += tickMs;
      if (!this.#calm) this.#weather();
      this.#lead();
      for (const id of nodes) if (!this.#off.has(id)) this.#work(id);
      this.#check();
    }
  }

  calm(): void {
    this.#calm = true;
    this.#off.clear();
    for (const id of nodes) this.#availability(id, "active");
    this.run(calmTicks);
  }

  /** What is not as it should be once all is quiet. */
  complaints(): string[] {
    const { store } = this.log;
    if (store.service(main) === undefined) {
      return this.#running.size ===
        store.tasksOf(other as ServiceId).filter((task) => this.#runs(task)).length
        ? []
        : ["something runs on without its main service"];
    }
    const mains = store.tasksOf(main).filter((task) => this.#runs(task));
    const wanted = this.#isGlobal
      ? nodes.length
      : store.service(main)?.Spec.Mode.Replicated?.Replicas;
    const found = mains.length === wanted ? [] : [`${mains.length} of ${wanted} main tasks run`];
    for (const task of mains) {
      const beside = store.tasksOf(sidecar as ServiceId).filter((part) => part.Gam.pod === task.ID);
      const alive = beside.filter((part) => this.#runs(part));
      if (alive.length !== 1) found.push(`${task.ID} has ${alive.length} sidecars`);
    }
    const strays = parts
      .flatMap((id) => store.tasksOf(id))
      .filter((part) => {
        return isWanted(part) && !mains.some(({ ID }) => ID === part.Gam.pod);
      });
    if (strays.length > 0) found.push(`${strays.length} parts outlive their pods`);
    return found;
  }

  #runs({ ID }: Task): boolean {
    return this.#running.has(ID);
  }

  #specOf(name: ServiceId, image = "tiny:1"): ServiceSpec {
    const mode: ServiceMode = this.#isGlobal ? { Global: {} } : { Replicated: { Replicas: 2 } };
    const RestartPolicy = { Condition: "any", Delay: 1e9 * this.#random.below(3) } as const;
    const TaskTemplate = (nanoCpus: number): ServiceSpec["TaskTemplate"] => ({
      ...{ ContainerSpec: { Image: image }, RestartPolicy, Resources: one(nanoCpus) },
    });
    const Order = this.#random.below(2) === 0 ? "start-first" : "stop-first";
    const UpdateConfig = { Parallelism: 1, FailureAction: "continue", Order } as const;
    switch (name) {
      case main:
        return { Name: name, TaskTemplate: TaskTemplate(5e8), Mode: mode, UpdateConfig };
      case other:
        return {
          Name: name,
          TaskTemplate: TaskTemplate(this.#isGlobal ? 1e8 : 4e8),
          Mode: { Replicated: { Replicas: 6 } },
        };
      default: {
        const role = name === init ? "init" : this.#random.below(2) === 0 ? "sidecar" : "";
        const restart = name === init || this.#random.below(2) === 0 ? "" : "together";
        const Labels = { "gam.pod": main, "gam.pod.role": role, "gam.pod.restart": restart };
        return { Name: name, Labels, TaskTemplate: TaskTemplate(5e8), Mode: mode, UpdateConfig };
      }
    }
  }

  #elect(): Orchestrator {
    const orchestrator = new Orchestrator(this.#mint, new Set(this.#faults));
    orchestrator.noticeAll();
    return orchestrator;
  }

  #weather(): void {
    const node = nodes[this.#random.below(nodes.length)] as NodeId;
    switch (this.#random.below(14)) {
      case 0:
        // Power: nothing runs there any more.
        if (this.#off.size > 0) return this.#off.clear();
        this.#off.add(node);
        for (const [id, on] of this.#running) if (on === node) this.#running.delete(id);
        return;
      case 1:
        return this.#availability(node, this.#random.below(2) === 0 ? "drain" : "active");
      case 2: {
        const name = [main, ...parts][this.#random.below(3)] as ServiceId;
        return this.#update(name, (spec) => ({
          ...spec,
          TaskTemplate: {
            ...spec.TaskTemplate,
            ForceUpdate: (spec.TaskTemplate.ForceUpdate ?? 0) + 1,
          },
        }));
      }
      case 3:
        if (this.#isGlobal) return;
        return this.#update(main, (spec) => {
          return { ...spec, Mode: { Replicated: { Replicas: this.#random.below(5) } } };
        });
      case 4:
        if (this.#random.below(4) > 0) return;
        return this.log.store.service(main) === undefined
          ? this.#write(aService(main, { spec: this.#specOf(main) }))
          : this.#write({ kind: "removeService", id: main });
      case 5:
        this.#orchestrator = this.#elect();
        return;
      case 6:
      case 7: {
        const ids = [...this.#running.keys()];
        const id = ids[this.#random.below(Math.max(1, ids.length))];
        const task = id && this.log.store.task(id);
        if (task && !this.#off.has(task.NodeID as NodeId)) this.#end(task, "failed");
        return;
      }
    }
  }

  #update(id: ServiceId, change: (spec: ServiceSpec) => ServiceSpec): void {
    const service = this.log.store.service(id);
    if (service === undefined) return;
    const [spec, basedOn] = [change(service.Spec), service.Version.Index];
    this.#write({ kind: "updateService", id, spec, basedOn } as Change);
  }

  #availability(id: NodeId, Availability: "active" | "drain"): void {
    const node = this.log.store.node(id);
    if (node === undefined) return;
    const basedOn = node.Version.Index;
    this.#write({ kind: "updateNode", id, spec: { ...node.Spec, Availability }, basedOn });
  }

  #lead(): void {
    const verdicts = new Map<NodeId, PeerHealth>(
      nodes.map((id) => [
        id,
        this.#off.has(id)
          ? { verdict: "lost", reason: "silent" }
          : { verdict: "alive", reason: "" },
      ]),
    );
    for (let n = 0; n < 12; n += 1) {
      const { store, nowMs } = this.log;
      const planned = this.#orchestrator.plan(store, { nowMs, verdicts });
      const changes =
        planned.length > 0 ? planned : planPlacement(store, { usage: new Map(), nowMs });
      if (changes.length === 0) return;
      this.#write(...changes);
    }
    assert.fail("the plans do not come to rest");
  }

  #work(id: NodeId): void {
    for (const task of this.log.store.tasksOn(id)) {
      const State = this.#next(task);
      if (State === undefined) continue;
      if (State === "running") this.#start(task);
      this.#end(task, State);
    }
    const node = this.log.store.node(id);
    if (node === undefined || node.Gam.engine.ready) return;
    const { Description: description, Gam } = node;
    const { addresses, network } = Gam;
    assert.ok(network !== undefined);
    const engine = { ready: true, reason: "" };
    this.#write({ kind: "describeNode", id, description, addresses, engine, network });
  }

  #end(task: Task, State: TaskState): void {
    if (State !== "running") this.#running.delete(task.ID);
    const Timestamp = new Date(this.log.nowMs).toISOString();
    this.#write({ kind: "reportTask", id: task.ID, status: { Timestamp, State } });
  }

  /** As the worker decides: local-task.ts and pod.ts there. */
  #next(task: Task): TaskState | undefined {
    const { State } = task.Status;
    if (compareStates(State, "assigned") < 0 || isTerminal(State)) return undefined;
    const lead = task.Gam.pod === undefined ? undefined : this.log.store.task(task.Gam.pod);
    const isPart = task.Gam.pod !== undefined;
    const isLeft =
      isPart && (lead === undefined || !isWanted(lead) || isTerminal(lead.Status.State));
    if (!isWanted(task) || isLeft) return this.#random.below(3) === 0 ? undefined : "shutdown";
    if (State === "running") {
      if (!this.#running.has(task.ID)) return "failed";
      return task.DesiredState === "complete" && this.#random.below(3) === 0
        ? "complete"
        : undefined;
    }
    if (this.#random.below(3) > 0) return undefined;
    if (compareStates(State, "ready") < 0) return "ready";
    if (task.DesiredState === "ready") return undefined;
    return isPart && task.ServiceID !== init && !(lead && this.#runs(lead)) ? undefined : "running";
  }

  #start(task: Task): void {
    this.#running.set(task.ID, task.NodeID as NodeId);
    const { store } = this.log;
    // What it was made with: the init service may have come after the task.
    if (task.ServiceID !== main || this.log.store.service(init as ServiceId) === undefined) return;
    const since = store.service(init as ServiceId)?.CreatedAt ?? "";
    if (task.CreatedAt <= since) return;
    const isReady = store
      .tasksOf(init as ServiceId)
      .some(({ Gam, Status }) => Gam.pod === task.ID && Status.State === "complete");
    assert.ok(isReady, `${task.ID} starts before its init container has completed`);
  }

  #check(): void {
    const { store } = this.log;
    for (const id of parts) {
      for (const part of store.tasksOf(id)) {
        const lead = part.Gam.pod === undefined ? undefined : store.task(part.Gam.pod);
        if (lead === undefined || part.Status.State === "pending") continue;
        assert.equal(part.NodeID, lead.NodeID, "a part is on the node of its main task");
        assert.equal(part.Slot, lead.Slot, "a part has the slot of its main task");
      }
    }
  }

  #write(...changes: readonly Change[]): void {
    for (const event of this.log.write(...changes).events) this.#orchestrator.notice(event);
  }
}

function live(seed: number, faults: readonly PlanFault[] = []): void {
  const world = new World(seed, faults);
  world.run(stormTicks);
  world.calm();
  assert.deepEqual(world.complaints(), [], `seed ${seed}`);
}

const seeds = Array.from({ length: 60 }, (_, index) => index + 1);

test("pods stay together and whole, whatever happens to hosts, tasks and services", () => {
  for (const seed of seeds) live(seed);
});

const planted: Readonly<Record<string, RegExp>> = {
  "init-forgotten": /before its init container/,
  "pods-outlived": /outlive/,
};
for (const [fault, found] of Object.entries(planted)) {
  test(`the checker of pods finds the fault "${fault}"`, () => {
    assert.throws(() => {
      for (const seed of seeds) live(seed, [fault as PlanFault]);
    }, found);
  });
}

const someTask = fc.record({
  name: fc.constantFrom("web", "log", "prepare"),
  slot: fc.integer({ min: 1, max: 3 }),
  node: fc.constantFrom("a", "b", undefined),
  state: fc.constantFrom<TaskState>("assigned", "ready", "running", "complete", "failed"),
  desired: fc.constantFrom<DesiredState>("ready", "running", "complete", "shutdown", "remove"),
  /** Of which task it is a part, as a number; that task need not be of the main service. */
  pod: fc.integer({ min: 0, max: 8 }),
});
const someState = fc.record({
  hasMain: fc.boolean(),
  role: fc.constantFrom("", "sidecar", "init"),
  restart: fc.constantFrom("", "together"),
  availability: fc.constantFrom("active" as const, "drain" as const),
  state: fc.constantFrom("ready" as const, "down" as const),
  tasks: fc.array(someTask, { maxLength: 10 }),
  nowS: fc.constantFrom(1, 10, 100),
});
/** On impossible states, one plan may reveal what the next has to clear up; of a pod, one service after another. */
const plansMax = 8;

test("repeated planning ends, from any state of a pod", () => {
  fc.assert(
    fc.property(someState, ({ hasMain, role, restart, availability, state, tasks, nowS }) => {
      const log = new TestLog();
      const node = aNode("b", { state, spec: { Availability: availability } });
      log.write({ kind: "joinNode", node: aNode("a") }, { kind: "joinNode", node });
      if (hasMain) log.write(aService("web", { replicas: 2 }));
      const Labels = { "gam.pod": "web", "gam.pod.role": role, "gam.pod.restart": restart };
      log.write(aService("log", { spec: { Labels } }));
      const prepare = { "gam.pod": "web", "gam.pod.role": "init" };
      log.write(aService("prepare", { spec: { Labels: prepare } }));
      for (const [n, one] of tasks.entries()) {
        const extra = one.name === "web" ? {} : { pod: `t${one.pod}` as TaskId };
        const place = { slot: one.slot, ...(one.node && { node: one.node }) };
        const wish = { ...place, desired: one.desired, extra };
        const task = aTask(one.name, `t${n}`, {
          ...wish,
          state: one.node === undefined ? "pending" : one.state,
        });
        log.write({ kind: "createTask", task });
      }
      log.nowMs += 1000 * nowS;
      for (let plans = 0; ; plans += 1) {
        const orchestrator = new Orchestrator(counterMint(`x${plans}`));
        orchestrator.noticeAll();
        const planned = orchestrator.plan(log.store, { nowMs: log.nowMs, verdicts: new Map() });
        if (planned.length === 0) return;
        assert.ok(plans < plansMax, JSON.stringify(planned));
        log.write(...planned);
      }
    }),
    { numRuns: 1000 },
  );
});
