/**
 * Storm and calm: the plans on a real store, with workers on nodes that fail.
 *
 * In the storm, services are scaled, updated and removed, tasks die, nodes are drained, cut off, lose
 * power and are removed. In the calm, every service must get exactly what it asks for in bounded time,
 * and then the plans must be empty. One seed is one history.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId, Random, TaskId } from "@gam/core";
import { counterMint, seededRandom } from "@gam/core/testing";
import { planPlacement } from "@gam/scheduler";
import {
  type Change,
  compareStates,
  isTerminal,
  type Node,
  type PlannedChange,
  type Service,
  type Task,
  type TaskState,
} from "@gam/state";
import { aNode, aNodeNetwork, aService, TestLog } from "@gam/state/testing";
import type { PeerHealth } from "./nodes.ts";
import { Orchestrator } from "./orchestrator.ts";
import type { PlanFault } from "./service/fault.ts";

const tickMs = 500;
/** A silent node counts as lost after this. */
const lostTicks = 4;
/** Nodes are judged, tasks planned, a stand-in removed, tasks placed; twice if an update is rolled back. */
const plansMax = 6;
const stormTicks = 120;
// The longest chain: a task waits a minute for a task that never stops. Then an update of eight places, one
// after the other, each with delay, start and monitoring time; twice, since it may be rolled back.
const calmTicks = (60_000 + 2 * 8 * 6_000) / tickMs;

interface Weather {
  /** Nodes are cut off and lose power. */
  readonly partitions: boolean;
  readonly startFirst: boolean;
  readonly faults?: readonly PlanFault[];
}

/** One host: what really runs on it. */
class Host {
  reach: "fine" | "cut" | "off" = "fine";
  sinceTick = 0;
  readonly containers = new Map<TaskId, TaskState>();
}

class Storm {
  readonly log = new TestLog();
  readonly trace: string[] = [];
  readonly #random: Random;
  readonly #weather: Weather;
  readonly #hosts = new Map<NodeId, Host>();
  readonly #mint = counterMint("t");
  #orchestrator: Orchestrator;
  #tick = 0;
  #names = 0;
  #calm = false;

  constructor(seed: number, weather: Weather) {
    this.#random = seededRandom(seed);
    this.#weather = weather;
    this.#orchestrator = this.#newLeader();
    for (let n = 0; n < 4; n += 1) this.#join(`n${n}`);
    for (let n = 0; n < 3; n += 1) this.#create();
  }

  run(ticks: number): void {
    for (let n = 0; n < ticks; n += 1) {
      this.#tick += 1;
      this.log.nowMs += tickMs;
      if (!this.#calm && this.#chance(25)) this.#disturb();
      for (const [id, host] of this.#hosts) this.#work(id, host);
      this.#lead();
      if (!this.#weather.partitions && !this.#weather.startFirst) this.#checkOneOfASlot();
    }
  }

  calm(): void {
    this.#calm = true;
    for (const [id, host] of this.#hosts) this.#heal(id, host);
    for (const { ID, Spec, Version } of this.log.store.nodes()) {
      const spec = { ...Spec, Availability: "active" as const };
      this.#write({ kind: "updateNode", id: ID, spec, basedOn: Version.Index });
    }
  }

  /** Returns: what is wrong now; empty when every service has what it asks for. */
  complaints(): string[] {
    const { store } = this.log;
    const found: string[] = [];
    for (const service of store.services()) {
      const wanted = service.Spec.Mode.Global
        ? store.nodes().length
        : (service.Spec.Mode.Replicated?.Replicas ?? 1);
      const running = store
        .tasksOf(service.ID)
        .filter((task) => task.DesiredState === "running" && task.Status.State === "running");
      const places = new Set(running.map((task) => task.Slot ?? task.NodeID));
      if (running.length !== wanted || places.size !== wanted) {
        found.push(`${service.ID} runs ${running.length} in ${places.size}, wants ${wanted}`);
      }
      const state = service.UpdateStatus?.State;
      if (state === "updating" || state === "rollback_started")
        found.push(`${service.ID} ${state}`);
      const old = running.filter((task) => task.Spec.ContainerSpec.Image !== imageOf(service));
      if (old.length > 0) found.push(`${service.ID} has ${old.length} of another image`);
    }
    for (const task of store.tasks()) {
      if (store.service(task.ServiceID) === undefined) found.push(`${task.ID} has no service`);
    }
    for (const [id, host] of this.#hosts) {
      for (const [task, state] of host.containers) {
        if (state !== "running" || store.task(task)?.DesiredState === "running") continue;
        found.push(`${id} runs ${task} for nobody`);
      }
    }
    return found;
  }

  /** Returns: what the leader would do now, and a new leader as well. */
  planned(): PlannedChange[] {
    const fresh = this.#newLeader();
    return [...this.#plan(this.#orchestrator), ...this.#plan(fresh)];
  }

  #newLeader(): Orchestrator {
    const orchestrator = new Orchestrator(this.#mint, new Set(this.#weather.faults));
    orchestrator.noticeAll();
    return orchestrator;
  }

  #plan(orchestrator: Orchestrator): PlannedChange[] {
    const verdicts = new Map(
      [...this.#hosts].map(([id, host]): [NodeId, PeerHealth] => {
        const lost = host.reach !== "fine" && this.#tick - host.sinceTick >= lostTicks;
        return [id, { verdict: lost ? "lost" : "alive", reason: lost ? "silent" : "" }];
      }),
    );
    const { store, nowMs } = this.log;
    const changes = orchestrator.plan(store, { nowMs, verdicts });
    return changes.length > 0 ? changes : planPlacement(store, { usage: new Map(), nowMs });
  }

  #lead(): void {
    // A leader that loses the lead also loses what it had planned.
    if (!this.#calm && this.#chance(3)) this.#orchestrator = this.#newLeader();
    const kinds: string[] = [];
    for (;;) {
      const changes = this.#plan(this.#orchestrator);
      if (changes.length === 0) return;
      if (!this.#calm && this.#chance(5)) return;
      kinds.push(changes.map(({ kind }) => kind).join(" "));
      assert.ok(kinds.length <= plansMax, `not at rest at ${this.#tick}:\n${kinds.join("\n")}`);
      this.#write(...changes);
    }
  }

  #write(...changes: readonly Change[]): void {
    const { outcome, events } = this.log.write(...changes);
    this.trace.push(JSON.stringify([this.#tick, outcome, changes]));
    for (const event of events) this.#orchestrator.notice(event);
  }

  #work(id: NodeId, host: Host): void {
    if (host.reach !== "fine") return;
    const { store } = this.log;
    for (const task of host.containers.keys()) {
      if (store.task(task) === undefined) host.containers.delete(task);
    }
    for (const task of store.tasksOn(id)) {
      if (compareStates(task.Status.State, "assigned") < 0 || isTerminal(task.Status.State))
        continue;
      const State = this.#step(host, task);
      if (State === undefined) continue;
      host.containers.set(task.ID, State);
      const Timestamp = new Date(this.log.nowMs).toISOString();
      this.#write({ kind: "reportTask", id: task.ID, status: { Timestamp, State } });
    }
    const node = store.node(id);
    if (node !== undefined && !node.Gam.engine.ready) this.#write(describing(node));
  }

  /** The next state of a task, or `undefined` when it stays. */
  #step(host: Host, task: Task): TaskState | undefined {
    const at = task.Status.State;
    if (isTerminal(task.DesiredState)) return this.#chance(40) ? "shutdown" : undefined;
    if (at === "running") {
      if (!host.containers.has(task.ID)) return "failed";
      return !this.#calm && this.#chance(1) ? "failed" : undefined;
    }
    if (!this.#chance(70)) return undefined;
    if (!this.#calm && this.#chance(4)) return "rejected";
    if (compareStates(at, "ready") < 0) return "ready";
    return task.DesiredState === "running" ? "running" : undefined;
  }

  #disturb(): void {
    const services = this.log.store.services();
    const service = services[this.#random.below(Math.max(1, services.length))];
    const ids = [...this.#hosts.keys()];
    const id = ids[this.#random.below(ids.length)] as NodeId;
    const host = this.#hosts.get(id) as Host;
    switch (this.#random.below(10)) {
      case 0:
      case 1:
        return this.#update(service, { replicas: this.#random.below(7) });
      case 2:
      case 3:
        return this.#update(service, { image: `tiny:${this.#random.below(4)}` });
      case 4:
        if (services.length > 2 && service) this.#write({ kind: "removeService", id: service.ID });
        return;
      case 5:
        if (services.length < 5) this.#create();
        return;
      case 6:
      case 7: {
        const node = this.log.store.node(id);
        if (node === undefined) return;
        const Availability = (["active", "pause", "drain"] as const)[this.#random.below(3)];
        const spec = { ...node.Spec, Availability: Availability ?? "active" };
        return this.#write({ kind: "updateNode", id, spec, basedOn: node.Version.Index });
      }
      case 8:
        if (!this.#weather.partitions) return;
        if (host.reach === "fine") return this.#lose(host, this.#chance(50) ? "cut" : "off");
        return this.#heal(id, host);
      case 9:
        if (this.#hosts.size < 3 || !this.#weather.partitions || !this.#chance(20)) return;
        this.#hosts.delete(id);
        this.#write({ kind: "removeNode", id });
        this.#join(`m${this.#tick}`);
    }
  }

  #lose(host: Host, reach: "cut" | "off"): void {
    host.reach = reach;
    host.sinceTick = this.#tick;
    if (reach === "off") host.containers.clear();
  }

  #heal(_id: NodeId, host: Host): void {
    host.reach = "fine";
  }

  #join(name: string): void {
    const { ID } = aNode(name);
    this.#hosts.set(ID, new Host());
    this.#write({ kind: "joinNode", node: aNode(name) });
  }

  #create(): void {
    this.#names += 1;
    const global = this.#names % 3 === 0;
    this.#write(
      aService(`s${this.#names}`, {
        mode: global ? { Global: {} } : { Replicated: { Replicas: 1 + this.#random.below(5) } },
        template: { RestartPolicy: { Condition: "any", Delay: 1e9 * this.#random.below(3) } },
        spec: {
          UpdateConfig: {
            Parallelism: this.#random.below(3),
            Delay: 1e9 * this.#random.below(2),
            Monitor: 2e9,
            FailureAction: this.#chance(50) ? "rollback" : "continue",
            Order: this.#weather.startFirst && this.#chance(50) ? "start-first" : "stop-first",
          },
          RollbackConfig: { Parallelism: 1, Monitor: 1e9, FailureAction: "continue" },
        },
      }),
    );
  }

  #update(service: Service | undefined, wish: { replicas?: number; image?: string }): void {
    if (service === undefined) return;
    const { Spec } = service;
    const { ContainerSpec } = Spec.TaskTemplate;
    const Image = wish.image ?? ContainerSpec.Image;
    const Mode =
      wish.replicas === undefined || Spec.Mode.Global
        ? Spec.Mode
        : { Replicated: { Replicas: wish.replicas } };
    const TaskTemplate = { ...Spec.TaskTemplate, ContainerSpec: { ...ContainerSpec, Image } };
    this.#write({
      kind: "updateService",
      id: service.ID,
      spec: { ...Spec, Mode, TaskTemplate },
      basedOn: service.Version.Index,
    });
  }

  #checkOneOfASlot(): void {
    const running = new Map<string, TaskId>();
    for (const host of this.#hosts.values()) {
      for (const [id, state] of host.containers) {
        const task = this.log.store.task(id);
        if (state !== "running" || task?.Status.State !== "running") continue;
        const place = `${task.ServiceID}.${task.Slot ?? task.NodeID}`;
        const other = running.get(place);
        assert.equal(other, undefined, `${other} and ${id} both run ${place} at ${this.#tick}`);
        running.set(place, id);
      }
    }
  }

  #chance(percent: number): boolean {
    return this.#random.below(100) < percent;
  }
}

function imageOf(service: Service): string {
  return service.Spec.TaskTemplate.ContainerSpec.Image;
}

/** Runs one history. Throws what is wrong with it. */
function live(seed: number, weather: Weather): Storm {
  const storm = new Storm(seed, weather);
  storm.run(stormTicks);
  storm.calm();
  storm.run(calmTicks);
  assert.deepEqual(storm.complaints(), [], `seed ${seed}`);
  assert.deepEqual(storm.planned(), [], `seed ${seed}: something is left to plan`);
  return storm;
}

const weathers: readonly (Weather & { name: string })[] = [
  { name: "tasks die and nodes are drained", partitions: false, startFirst: false },
  { name: "updates start first", partitions: false, startFirst: true },
  { name: "nodes are cut off, lose power, are removed", partitions: true, startFirst: true },
];

for (const { name, ...weather } of weathers) {
  test(`after a storm in which ${name} every service has what it asks for`, () => {
    for (let seed = 1; seed <= 40; seed += 1) live(seed, weather);
  });
}

test("one seed is one history", () => {
  const weather = { partitions: true, startFirst: true };
  assert.deepEqual(live(7, weather).trace, live(7, weather).trace);
});

const faults: readonly PlanFault[] = [
  "ended-counts-as-running",
  "surplus-forgotten",
  "doubles-kept",
  "replacement-does-not-wait",
];
for (const fault of faults) {
  test(`the storm finds the fault "${fault}"`, () => {
    const partitions = fault === "doubles-kept";
    const weather: Weather = { partitions, startFirst: false, faults: [fault] };
    assert.throws(() => {
      for (let seed = 1; seed <= 40; seed += 1) live(seed, weather);
    });
  });
}

/** The description that a returned node sends after the reports on its tasks. */
function describing({ ID, Description, Gam }: Node): Change {
  const { addresses, network = aNodeNetwork() } = Gam;
  const engine = { ready: true, reason: "" };
  return { kind: "describeNode", id: ID, description: Description, addresses, engine, network };
}
