/**
 * Rollouts in a storm: versions that work and versions that fail, persons who steer, leaders that change, tasks that
 * die, nodes that are lost, numbers of replicas that change. One seed is one history.
 *
 * At each change: the old version has all its places; a weight is given only to as many running tasks as it needs;
 * connections are divided as the weight says; a version that fails is never completed. In the calm every rollout ends.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId, Random } from "@gam/core";
import { counterMint, seededRandom } from "@gam/core/testing";
import { planPlacement } from "@gam/scheduler";
import {
  type Change,
  compareStates,
  isTerminal,
  isWanted,
  openRollout,
  type PlannedChange,
  replicasOf,
  rolloutActions,
  type Service,
  type Task,
  trafficShares,
} from "@gam/state";
import { aNode, aService, TestLog } from "@gam/state/testing";
import type { PeerHealth } from "../nodes.ts";
import { Orchestrator } from "../orchestrator.ts";
import { web } from "../plan-suite.ts";
import type { PlanFault } from "../service/fault.ts";

const tickMs = 500;
const stormTicks = 400;
/** The longest chain: three steps with a deadline of 20 s each, a time of 5 s each, and a rollback after that. */
const calmTicks = (4 * 30_000 + 70_000) / tickMs;
const plansMax = 12;
const nodes = ["a", "b", "c", "d"] as NodeId[];

type Kind = "canary" | "bluegreen" | "waits";

const labels: Record<Kind, Record<string, string>> = {
  canary: {
    "gam.rollout": "canary",
    "gam.rollout.steps": "10%:3s, 40%:5s",
    "gam.rollout.failures": "1",
    "gam.rollout.deadline": "20s",
  },
  bluegreen: {
    "gam.rollout": "bluegreen",
    "gam.rollout.switch": "4s",
    "gam.rollout.keep": "5s",
    "gam.rollout.deadline": "20s",
  },
  waits: { "gam.rollout": "canary", "gam.rollout.steps": "30%, 60%:2s" },
};

class Storm {
  readonly log = new TestLog();
  readonly ends = new Map<string, number>();
  readonly #random: Random;
  readonly #faults: readonly PlanFault[];
  readonly #mint = counterMint("t");
  readonly #cut = new Map<NodeId, number>();
  #orchestrator: Orchestrator;
  #tick = 0;
  #calm = false;
  #images = 0;

  constructor(seed: number, kind: Kind, faults: readonly PlanFault[]) {
    this.#random = seededRandom(seed);
    this.#faults = faults;
    this.#orchestrator = this.#newLeader();
    for (const id of nodes) this.#write({ kind: "joinNode", node: aNode(id) });
    this.#write(
      aService("web", {
        replicas: 1 + this.#random.below(8),
        image: "good:0",
        template: { RestartPolicy: { Condition: "any", Delay: 1e9 } },
        spec: { Labels: labels[kind], UpdateConfig: { Parallelism: 0, Monitor: 1e9 } },
      }),
    );
    this.run(12);
  }

  get service(): Service {
    const service = this.log.store.service(web);
    assert.ok(service !== undefined);
    return service;
  }

  run(ticks: number): void {
    for (let n = 0; n < ticks; n += 1) {
      this.#tick += 1;
      this.log.nowMs += tickMs;
      if (!this.#calm && this.#tick > 12 && this.#chance(8)) this.#disturb();
      for (const id of nodes) this.#work(id);
      this.#lead();
      this.#checkShares();
    }
  }

  /** Nobody disturbs any more. Somebody ends a pause, as a person would. */
  calm(): void {
    this.#calm = true;
    this.#cut.clear();
    for (let n = 0; n < 8; n += 1) {
      const open = openRollout(this.service);
      if (open?.paused !== undefined) {
        this.#write({ kind: "steerRollout", id: web, version: open.version, action: "resume" });
      }
      this.run(calmTicks / 8);
    }
  }

  complaints(): string[] {
    const { store } = this.log;
    const { Spec, UpdateStatus } = this.service;
    const running = store.tasksOf(web).filter((task) => isServing(task));
    const other = running.filter((task) => imageOf(task.Spec) !== imageOf(Spec.TaskTemplate));
    const found: string[] = [];
    if (openRollout(this.service)) found.push(`the rollout goes on: ${UpdateStatus?.Message}`);
    if (running.length !== replicasOf(Spec)) found.push(`${running.length} tasks run`);
    if (other.length > 0) found.push(`${other.length} tasks of another version run`);
    if (isBad(imageOf(Spec.TaskTemplate))) found.push("the version that fails is the present one");
    if (!/completed|^$/.test(UpdateStatus?.State ?? "")) found.push(UpdateStatus?.State ?? "");
    return found;
  }

  planned(): PlannedChange[] {
    return [...this.#plan(this.#orchestrator), ...this.#plan(this.#newLeader())];
  }

  #newLeader(): Orchestrator {
    const orchestrator = new Orchestrator(this.#mint, new Set(this.#faults));
    orchestrator.noticeAll();
    return orchestrator;
  }

  #plan(orchestrator: Orchestrator): PlannedChange[] {
    const verdicts = new Map(
      nodes.map((id): [NodeId, PeerHealth] => {
        const lost = this.#tick - (this.#cut.get(id) ?? this.#tick) > 4;
        return [id, { verdict: lost ? "lost" : "alive", reason: lost ? "silent" : "" }];
      }),
    );
    const { store, nowMs } = this.log;
    const changes = orchestrator.plan(store, { nowMs, verdicts });
    return changes.length > 0 ? changes : planPlacement(store, { usage: new Map(), nowMs });
  }

  #lead(): void {
    if (!this.#calm && this.#chance(5)) this.#orchestrator = this.#newLeader();
    for (let plans = 0; ; plans += 1) {
      const changes = this.#plan(this.#orchestrator);
      if (changes.length === 0) return;
      assert.ok(plans < plansMax, `not at rest: ${JSON.stringify(changes)}`);
      if (!this.#calm && this.#chance(5)) return;
      for (const change of changes) this.#checkChange(change);
      this.#write(...changes);
      this.#checkOldVersion(changes);
    }
  }

  #checkChange(change: PlannedChange): void {
    if (change.kind === "rollbackService") this.#count("rolled back");
    if (change.kind !== "progressRollout") return;
    const { weight, version, end } = change.rollout;
    if (end !== undefined) this.#count(end.result);
    const before = openRollout(this.service)?.weight ?? 0;
    if (weight <= before) return;
    const serving = this.log.store
      .tasksOf(web)
      .filter((task) => isServing(task) && task.Gam.templateVersion === version);
    const needed = Math.ceil((weight * replicasOf(this.service.Spec)) / 100);
    const slots = new Set(serving.map(({ Slot }) => Slot)).size;
    assert.ok(slots >= needed, `${slots} new tasks run for ${weight} %, ${needed} are needed`);
  }

  /** While two versions run, the old one has a wanted task in each place. */
  #checkOldVersion(changes: readonly PlannedChange[]): void {
    const open = openRollout(this.service);
    if (open === undefined || !changes.some(({ kind }) => kind !== "judgeNode")) return;
    const wanted = this.log.store
      .tasksOf(web)
      .filter((task) => isWanted(task) && task.Gam.templateVersion <= open.base);
    const slots = new Set(wanted.map(({ Slot }) => Slot)).size;
    const replicas = replicasOf(this.service.Spec);
    assert.ok(slots >= replicas, `the old version has ${slots} of ${replicas} places`);
  }

  #checkShares(): void {
    const tasks = this.log.store.tasksOf(web).filter((task) => isServing(task));
    const shares = trafficShares(this.service, tasks);
    if (shares === undefined) return;
    const { version = 0, weight = 0 } = this.service.Gam.rollout ?? {};
    let [fresh, all] = [0, 0];
    for (const task of tasks) {
      const share = shares.get(task.ID) ?? Number.NaN;
      all += share;
      if (task.Gam.templateVersion === version) fresh += share;
    }
    assert.equal((100 * fresh) / all, weight);
  }

  #write(...changes: readonly Change[]): void {
    const { events } = this.log.write(...changes);
    for (const event of events) this.#orchestrator.notice(event);
  }

  #work(id: NodeId): void {
    if (this.#cut.has(id)) return;
    const { store } = this.log;
    const ready = { ready: true, reason: "" };
    const node = store.node(id);
    if (node?.Status.State === "down") {
      const { Description: description, Gam } = node;
      const { addresses, network } = Gam;
      if (network === undefined) return;
      this.#write({ kind: "describeNode", id, description, addresses, engine: ready, network });
    }
    for (const task of store.tasksOn(id)) {
      const State = this.#step(task);
      if (State === undefined) continue;
      const Timestamp = new Date(this.log.nowMs).toISOString();
      this.#write({ kind: "reportTask", id: task.ID, status: { Timestamp, State } });
    }
  }

  #step(task: Task): Task["Status"]["State"] | undefined {
    const at = task.Status.State;
    if (compareStates(at, "assigned") < 0 || isTerminal(at)) return undefined;
    if (isTerminal(task.DesiredState)) return this.#chance(50) ? "shutdown" : undefined;
    const bad = isBad(imageOf(task.Spec));
    if (at === "running")
      return this.#chance(bad ? 90 : this.#calm ? 0 : 0.3) ? "failed" : undefined;
    if (!this.#chance(70)) return undefined;
    if (compareStates(at, "ready") < 0) return "ready";
    return task.DesiredState === "running" ? "running" : undefined;
  }

  #disturb(): void {
    const { Spec, Version, PreviousSpec } = this.service;
    const basedOn = Version.Index;
    const open = openRollout(this.service);
    switch (this.#random.below(8)) {
      case 0:
      case 1:
      case 2: {
        if (open !== undefined && this.#chance(70)) return;
        this.#images += 1;
        const Image = `${this.#chance(40) ? "bad" : "good"}:${this.#images}`;
        const { ContainerSpec } = Spec.TaskTemplate;
        const TaskTemplate = { ...Spec.TaskTemplate, ContainerSpec: { ...ContainerSpec, Image } };
        return this.#write({
          kind: "updateService",
          id: web,
          spec: { ...Spec, TaskTemplate },
          basedOn,
        });
      }
      case 3: {
        const Mode = { Replicated: { Replicas: 1 + this.#random.below(8) } };
        return this.#write({ kind: "updateService", id: web, spec: { ...Spec, Mode }, basedOn });
      }
      case 4:
      case 5: {
        if (open === undefined) return;
        const action = rolloutActions[this.#random.below(4)] ?? "pause";
        // Nobody promotes what fails.
        if (action === "promote" && isBad(imageOf(Spec.TaskTemplate))) return;
        return this.#write({ kind: "steerRollout", id: web, version: open.version, action });
      }
      case 6: {
        if (open === undefined || PreviousSpec === undefined) return;
        return this.#write({ kind: "updateService", id: web, spec: "previous", basedOn });
      }
      case 7: {
        const id = nodes[this.#random.below(nodes.length)] as NodeId;
        if (this.#cut.delete(id) || this.#cut.size > 0) return;
        this.#cut.set(id, this.#tick);
      }
    }
  }

  #count(end: string): void {
    this.ends.set(end, (this.ends.get(end) ?? 0) + 1);
  }

  #chance(percent: number): boolean {
    return this.#random.below(1000) < 10 * percent;
  }
}

function imageOf({ ContainerSpec }: Task["Spec"]): string {
  return ContainerSpec.Image;
}

function isBad(image: string): boolean {
  return image.startsWith("bad");
}

function isServing(task: Task): boolean {
  return task.Status.State === "running" && isWanted(task);
}

function live(seed: number, kind: Kind, faults: readonly PlanFault[] = []): Storm {
  const storm = new Storm(seed, kind, faults);
  storm.run(stormTicks);
  storm.calm();
  assert.deepEqual(storm.complaints(), [], `seed ${seed}`);
  assert.deepEqual(storm.planned(), [], `seed ${seed}: something is left to plan`);
  return storm;
}

for (const kind of ["canary", "bluegreen", "waits"] as const) {
  test(`after a storm each rollout has ended: ${kind}`, () => {
    const ends = new Map<string, number>();
    for (let seed = 1; seed <= 40; seed += 1) {
      for (const [end, count] of live(seed, kind).ends) ends.set(end, (ends.get(end) ?? 0) + count);
    }
    assert.ok((ends.get("completed") ?? 0) >= 20, JSON.stringify([...ends]));
    assert.ok((ends.get("rolled back") ?? 0) >= 20, JSON.stringify([...ends]));
  });
}

const faults: readonly (readonly [PlanFault, found: RegExp])[] = [
  ["weight-without-tasks", /new tasks run for \d+ %/],
  ["old-version-shrinks", /the old version has \d of \d places/],
  ["rollout-failures-ignored", /version that fails/],
];
for (const [fault, found] of faults) {
  test(`the storm of rollouts finds the fault "${fault}"`, () => {
    assert.throws(() => {
      for (let seed = 1; seed <= 10; seed += 1) live(seed, "canary", [fault]);
    }, found);
  });
}
