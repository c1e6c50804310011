/**
 * A thousand storms, then calm: hosts are lost and return, labels and replicas change, some nodes are hot, some
 * tasks cannot start. In the calm tasks are moved. No service may have fewer running tasks than it wants, moves
 * must come to an end, and what follows by itself for two hours must be next to nothing.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId, Random, ServiceId } from "@gam/core";
import { counterMint, seededRandom, testId } from "@gam/core/testing";
import { planPlacement } from "@gam/scheduler";
import { type Change, isTerminal, isWanted, type Task, type Usage } from "@gam/state";
import { aCluster, aNode, aService, TestLog } from "@gam/state/testing";
import { Orchestrator } from "./orchestrator.ts";
import { planRebalance } from "./rebalance.ts";

const storms = 1000;
const tickMs = 2000;
const stormTicks = 30;
const settleTicks = 30;
const moveTicksMax = 400;
/** The time after the moves, in longer ticks. */
const restTicks = 240;
const restTickMs = 30_000;
const plansMax = 8;

class Storm {
  readonly #log = new TestLog();
  readonly #random: Random;
  readonly #mint = counterMint("t");
  readonly #nodes: NodeId[] = [];
  readonly #down = new Set<NodeId>();
  /** How many CPUs of its node a task of the service uses, of four. */
  readonly #heat = new Map<ServiceId, number>();
  /** Where tasks of one service never start. */
  readonly #broken = new Set<string>();
  #orchestrator: Orchestrator;
  #names = 0;
  #begun = 0;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    this.#log.write({ kind: "createCluster", cluster: aCluster() });
    for (let n = 0; n < 3 + this.#random.below(3); n += 1) this.#join();
    for (let n = 0; n < 2 + this.#random.below(5); n += 1) this.#create();
    this.#orchestrator = this.#newLeader();
  }

  get #store() {
    return this.#log.store;
  }

  /** Moves that have begun so far. */
  get moves(): number {
    return this.#begun;
  }

  #newLeader(): Orchestrator {
    const orchestrator = new Orchestrator(this.#mint);
    orchestrator.noticeAll();
    return orchestrator;
  }

  #write(...changes: readonly Change[]): void {
    if (changes.length === 0) return;
    for (const event of this.#log.write(...changes).events) this.#orchestrator.notice(event);
  }

  #join(): void {
    const id = testId<NodeId>(`n${this.#nodes.length}`);
    const Labels = { zone: `z${this.#random.below(2)}` };
    const node = aNode(id, { spec: { Labels } });
    this.#nodes.push(id);
    this.#log.write({ kind: "joinNode", node }, this.#judge(id, "ready"));
  }

  #judge(id: NodeId, State: "ready" | "down"): Change {
    return { kind: "judgeNode", id, status: { State, Message: "" } };
  }

  #create(): void {
    this.#names += 1;
    const name = testId<ServiceId>(`s${this.#names}`);
    const below = (count: number): number => this.#random.below(count);
    const Spread = { SpreadDescriptor: "node.labels.zone" };
    const Constraints = below(4) === 0 ? ["node.labels.zone==z0"] : [];
    const Placement = { Constraints, ...(below(3) === 0 && { Preferences: [{ Spread }] }) };
    const Resources = { Reservations: { NanoCPUs: below(3) * 2e8 } };
    const Mounts =
      below(5) === 0 ? [{ Type: "volume", Source: "data", Target: "/d" } as const] : [];
    const ContainerSpec = { Image: "tiny:1", Mounts };
    const template = { ContainerSpec, Placement, Resources };
    this.#heat.set(name, below(3) * 0.7);
    this.#log.write(aService(name, { replicas: 1 + below(6), template }));
  }

  disturb(): void {
    const node = this.#nodes[this.#random.below(this.#nodes.length)] as NodeId;
    const services = this.#store.services();
    const service = services[this.#random.below(services.length)];
    switch (this.#random.below(6)) {
      case 0:
        if (this.#down.size > 1 || this.#down.has(node)) return;
        this.#down.add(node);
        return this.#write(this.#judge(node, "down"));
      case 1:
        this.#down.delete(node);
        return this.#write(this.#judge(node, "ready"));
      case 2: {
        const { Spec, Version } = this.#store.node(node) ?? assert.fail();
        const spec = { ...Spec, Labels: { zone: `z${this.#random.below(2)}` } };
        return this.#write({ kind: "updateNode", id: node, spec, basedOn: Version.Index });
      }
      case 3: {
        if (service === undefined) return;
        const spec = {
          ...service.Spec,
          Mode: { Replicated: { Replicas: 1 + this.#random.below(6) } },
        };
        return this.#write({
          kind: "updateService",
          id: service.ID,
          spec,
          basedOn: service.Version.Index,
        });
      }
      case 4:
        this.#orchestrator = this.#newLeader();
        return;
      case 5:
        if (service !== undefined && this.#broken.size === 0) this.#broken.add(service.ID + node);
        return;
    }
  }

  ask(auto: boolean): void {
    this.#write({ kind: "askRebalance", run: !auto, auto });
  }

  calm(): void {
    for (const id of this.#down) this.#write(this.#judge(id, "ready"));
    this.#down.clear();
    this.#broken.clear();
  }

  /** Everything that a leader and the workers do in one tick. */
  tick(ms: number): void {
    this.#log.nowMs += ms;
    for (const task of this.#store.tasks()) this.#work(task);
    for (let plans = 0; plans < plansMax; plans += 1) if (!this.#plan()) return;
  }

  #plan(): boolean {
    const { nowMs } = this.#log;
    const [usage, hot] = [this.#usage(), new Set<NodeId>()];
    for (const [id, { cpu }] of usage) if (cpu > 0.85) hot.add(id);
    const changes: Change[] = this.#orchestrator.plan(this.#store, { nowMs, verdicts: new Map() });
    if (changes.length === 0) {
      changes.push(...planRebalance(this.#store, { nowMs, usage, hot, mint: this.#mint }));
      this.#begun += changes.filter(({ kind }) => kind === "createTask").length;
    }
    if (changes.length === 0) changes.push(...planPlacement(this.#store, { nowMs, usage }));
    this.#write(...changes);
    return changes.length > 0;
  }

  #usage(): Map<NodeId, Usage> {
    return new Map(
      this.#nodes.map((id) => {
        const running = this.#store.tasksOn(id).filter((one) => one.Status.State === "running");
        const used = running.reduce((sum, one) => sum + (this.#heat.get(one.ServiceID) ?? 0), 0);
        const usage: Usage = {
          ...{ cpu: Math.min(1, used / 4), memoryBytes: 0, memoryTotalBytes: 1, load: 0 },
          ...{ containers: running.length, images: [], diskFreeBytes: 1, atMs: this.#log.nowMs },
        };
        return [id, usage];
      }),
    );
  }

  #work(task: Task): void {
    const { ID, NodeID, DesiredState, Status, ServiceID } = task;
    if (NodeID === undefined || this.#down.has(NodeID) || isTerminal(Status.State)) return;
    if (Status.State === "pending") return;
    const Timestamp = new Date(this.#log.nowMs).toISOString();
    const report = (State: "running" | "shutdown" | "failed" | "starting"): void => {
      this.#write({ kind: "reportTask", id: ID, status: { Timestamp, State } });
    };
    if (!isWanted(task)) return report("shutdown");
    if (DesiredState !== "running" || Status.State === "running") return;
    if (this.#broken.has(ServiceID + NodeID)) return report("failed");
    report(Status.State === "starting" && this.#random.below(3) > 0 ? "running" : "starting");
  }

  get isMoving(): boolean {
    const { isAsked = false, open = [] } = this.#store.cluster?.Rebalance ?? {};
    return isAsked || open.length > 0;
  }

  get open(): number {
    return this.#store.cluster?.Rebalance?.open.length ?? 0;
  }

  /** Returns: services that have too few running tasks. */
  short(): readonly string[] {
    return this.#store.services().flatMap(({ ID, Spec }) => {
      const running = this.#store
        .tasksOf(ID)
        .filter((task) => isWanted(task) && task.Status.State === "running");
      const wanted = Spec.Mode.Replicated?.Replicas ?? 1;
      return running.length < wanted ? [`${ID} runs ${running.length} of ${wanted}`] : [];
    });
  }

  get tasks(): number {
    return this.#store.tasks().filter((task) => isWanted(task)).length;
  }
}

test(`${storms} storms: moves end, keep every replica, and are not undone`, () => {
  let [moved, late, unfit] = [0, 0, 0];
  for (let seed = 1; seed <= storms; seed += 1) {
    const said = `seed ${seed}`;
    const storm = new Storm(seed);
    for (let n = 0; n < stormTicks; n += 1) {
      storm.disturb();
      // Moves that a storm interrupts are the hard ones.
      if (n === stormTicks / 2) storm.ask(false);
      storm.tick(tickMs);
      assert(storm.open <= 2, said);
    }
    storm.calm();
    for (let n = 0; n < settleTicks; n += 1) storm.tick(tickMs);
    if (storm.short().length > 0) {
      unfit += 1; // A constraint that no node meets, or no room.
      continue;
    }
    const before = storm.moves;
    storm.ask(false);
    let ticks = 0;
    for (; storm.isMoving && ticks < moveTicksMax; ticks += 1) {
      storm.tick(tickMs);
      assert.deepEqual(storm.short(), [], said);
      assert(storm.open <= 2, said);
    }
    assert(ticks < moveTicksMax, `${said}: it still moves`);
    const made = storm.moves - before;
    assert(made <= 2 * storm.tasks, `${said}: ${made} moves of ${storm.tasks} tasks`);
    storm.ask(true);
    for (let n = 0; n < restTicks; n += 1) {
      storm.tick(restTickMs);
      assert.deepEqual(storm.short(), [], said);
    }
    const again = storm.moves - before - made;
    assert(again <= 2 * storm.tasks, `${said}: ${again} moves in two quiet hours`);
    moved += made;
    late += again;
  }
  console.log(
    `${moved} moves in the calm, ${late} in the two hours after it, ${unfit} storms left out`,
  );
});
