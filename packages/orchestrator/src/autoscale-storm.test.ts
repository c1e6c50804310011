/**
 * A thousand load curves. The service shares each load among its running tasks; new tasks take a while to run,
 * hosts are silent at times, and leaders with other clocks take over. Each plan is applied to a real store, which
 * is all that a leader knows of the looks before.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId, Random, ServiceId, TaskId } from "@gam/core";
import { seededRandom } from "@gam/core/testing";
import type { AutoscaleDecision, Task } from "@gam/state";
import { aNode, aService, aTask, TestLog } from "@gam/state/testing";
import { autoscaleEveryMs, planAutoscale } from "./autoscale.ts";

const web = "web" as ServiceId;
const curves = 1000;
const looksMax = 480;
/** Steady at the end, for longer than the longest window and the start of the last tasks. */
const steadyLooks = 80;
const target = 0.5;
/** A host's silence and what it measures wrongly. */
const silentPercent = 5;
const noise = 0.03;
const skewMsMax = 4000;

/** Load in cores by look. */
type Curve = (look: number) => number;

function curveOf(random: Random, peak: number): Curve {
  const some = (): number => (random.below(1000) / 1000) * peak;
  const [low, high] = [some(), some()].sort((a, b) => a - b) as [number, number];
  const lookOf = 20 + random.below(200);
  const period = 4 + random.below(120);
  const shapes: readonly Curve[] = [
    (look) => (look < lookOf ? low : high),
    (look) => (look < lookOf ? high : low),
    (look) => low + (high - low) * Math.min(1, look / lookOf),
    (look) => high - (high - low) * Math.min(1, look / lookOf),
    (look) => low + ((high - low) * (1 + Math.sin((look / period) * Math.PI))) / 2,
    (look) => (look % period < 2 ? high : low),
    (look) => (look % period < period / 2 ? high : low),
    (look) => (look === lookOf ? high : low),
  ];
  return shapes[random.below(shapes.length)] as Curve;
}

interface Outcome {
  readonly decisions: readonly AutoscaleDecision[];
  readonly writes: number;
  /** Numbers of replicas after each look. */
  readonly replicas: readonly number[];
  readonly endLoad: number;
  readonly bounds: { readonly min: number; readonly max: number };
}

class Run {
  readonly #log = new TestLog();
  readonly #random: Random;
  readonly #startedAt = new Map<TaskId, number>();
  readonly #decisions: AutoscaleDecision[] = [];
  readonly #replicas: number[] = [];
  readonly #bounds: Outcome["bounds"];
  #writes = 0;
  #made = 0;
  #nowMs: number;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    const min = 1 + this.#random.below(4);
    this.#bounds = { min, max: min + this.#random.below(30) };
    this.#nowMs = this.#log.nowMs;
    const Labels = {
      "gam.autoscale.min": String(min),
      "gam.autoscale.max": String(this.#bounds.max),
      "gam.autoscale.cpu": String(100 * target),
      "gam.autoscale.up.window": this.#random.below(2) === 0 ? "0s" : "1m",
      "gam.autoscale.down.window": this.#random.below(2) === 0 ? "5m" : "2m",
    };
    const node = aNode("a" as NodeId);
    this.#log.write({ kind: "joinNode", node }, aService("web", { spec: { Labels } }));
  }

  get #service() {
    const service = this.#log.store.service(web);
    assert(service !== undefined);
    return service;
  }

  run(): Outcome {
    const curve = curveOf(this.#random, this.#bounds.max * target * 1.3);
    let load = 0;
    for (let look = 0; look < looksMax; look += 1) {
      const isCalm = look >= looksMax - steadyLooks;
      load = isCalm ? load : curve(look);
      this.#fill();
      this.#look(load, isCalm);
      this.#nowMs += autoscaleEveryMs;
    }
    return {
      decisions: this.#decisions,
      writes: this.#writes,
      replicas: this.#replicas,
      endLoad: load,
      bounds: this.#bounds,
    };
  }

  /** Makes the tasks that the service should have; a new one runs after up to two looks. */
  #fill(): void {
    const wanted = this.#service.Spec.Mode.Replicated?.Replicas ?? 1;
    const tasks = this.#log.store.tasksOf(web);
    for (const { ID } of tasks.slice(wanted)) this.#log.write({ kind: "removeTask", id: ID });
    for (let count = tasks.length; count < wanted; count += 1) {
      this.#made += 1;
      const id = `t${this.#made}`;
      const task = aTask("web", id, { slot: this.#made, node: "a", state: "starting" });
      this.#log.write({ kind: "createTask", task });
      this.#startedAt.set(id as TaskId, this.#nowMs + this.#random.below(2 * autoscaleEveryMs));
    }
    for (const { ID, Status } of this.#log.store.tasksOf(web)) {
      if (Status.State === "running" || (this.#startedAt.get(ID) ?? 0) > this.#nowMs) continue;
      const Timestamp = new Date(this.#nowMs).toISOString();
      this.#log.write({ kind: "reportTask", id: ID, status: { Timestamp, State: "running" } });
    }
  }

  #look(load: number, isCalm: boolean): void {
    const running = this.#log.store.tasksOf(web).filter((one) => one.Status.State === "running");
    const share = load / Math.max(1, running.length);
    // Another leader each time: its clock differs, and it knows only the state.
    const nowMs = this.#nowMs + this.#random.below(2 * skewMsMax) - skewMsMax;
    const loadOf = (_: Task) => {
      if (!isCalm && this.#random.below(100) < silentPercent) return undefined;
      const wrong = 1 + noise * (this.#random.below(2001) / 1000 - 1);
      return { cpu: Math.min(1, share * wrong), memoryBytes: 0 };
    };
    this.#log.nowMs = nowMs;
    const before = this.#service.Gam.autoscale?.decisions.length;
    const changes = planAutoscale(this.#log.store, { nowMs, loadOf });
    if (changes.length > 0) {
      this.#log.write(...changes);
      this.#writes += 1;
    }
    const { decisions = [] } = this.#service.Gam.autoscale ?? {};
    const last = decisions.at(-1);
    if (last !== undefined && (before !== decisions.length || last.atMs === nowMs)) {
      this.#decisions.push(last);
    }
    this.#replicas.push(this.#service.Spec.Mode.Replicated?.Replicas ?? 1);
  }
}

test(`${curves} load curves: replicas stay in their bounds, follow, and do not oscillate`, () => {
  let [decided, written] = [0, 0];
  for (let seed = 1; seed <= curves; seed += 1) {
    const { decisions, writes, replicas, endLoad, bounds } = new Run(seed).run();
    const said = `seed ${seed}`;
    decided += decisions.length;
    written += writes;
    assert(
      replicas.slice(1).every((one) => one >= bounds.min && one <= bounds.max),
      said,
    );
    const last = replicas.at(-1) ?? 0;
    // Settled: enough for the load, and at most what the tolerance and the noise leave.
    const least = Math.min(bounds.max, Math.ceil(endLoad / (target * 1.15)));
    const most = Math.max(bounds.min, Math.ceil(endLoad / (target * 0.8)) + 1);
    assert(last >= least && last <= most, `${said}: ${last} replicas for a load of ${endLoad}`);
    // Between two turns lies a window: eight looks at least, and one of the two directions needs it.
    const turns = turnsOf(replicas);
    assert(turns <= looksMax / 4, `${said}: ${turns} turns`);
    const late = replicas.slice(-steadyLooks / 2);
    assert(turnsOf(late) === 0, `${said}: ${late} under a steady load`);
  }
  console.log(`${decided} decisions and ${written} writes of ${curves * looksMax} looks`);
});

/** How often growth follows shrinking, or the other way round. */
function turnsOf(replicas: readonly number[]): number {
  const steps = replicas.slice(1).map((one, index) => one - (replicas[index] ?? 0));
  const signs = steps.filter((step) => step !== 0).map(Math.sign);
  return signs.filter((sign, index) => index > 0 && sign !== signs[index - 1]).length;
}
