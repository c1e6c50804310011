/** Pods by real peers and workers, while hosts lose power, agents die, containers end and services are updated. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServiceId, TaskId } from "@gam/core";
import { testId } from "@gam/core/testing";
import { isWanted, type ServiceSpec, type Task, type View } from "@gam/state";
import type { Planted } from "../hosts/faults.ts";
import type { SimHost } from "../hosts/host.ts";
import { on, viewOf, waitFor } from "../scenario.ts";
import { World } from "../world.ts";

const hostCount = 5;
const replicas = 3;
const stormMs = 60_000;
const settledMsMax = 240_000;
/** A worker looks at its containers at once, and at the latest with the next list of them. */
const deadMsMax = 8000;
const names = ["web", "log", "prepare"] as const;
type Name = (typeof names)[number];
const idOf = (name: Name): ServiceId => testId<ServiceId>(name);

function specOf(name: Name, together: boolean): ServiceSpec {
  const image = { web: "app:1", log: "app:2", prepare: "job:done" }[name];
  const labels: Record<Name, Record<string, string>> = {
    web: {},
    log: { "gam.pod": "web", ...(together && { "gam.pod.restart": "together" }) },
    prepare: { "gam.pod": "web", "gam.pod.role": "init" },
  };
  return {
    Name: name,
    Labels: labels[name],
    TaskTemplate: {
      ContainerSpec: { Image: image },
      RestartPolicy: { Condition: "any", Delay: 1e9 },
    },
    Mode: { Replicated: { Replicas: name === "web" ? replicas : 1 } },
  };
}

/** Looks at what really runs. */
class Watch {
  readonly #world: World;
  readonly #said: string;
  readonly #running = new Set<string>();
  /** Since when each part has been in a dead network while its agent ran. */
  readonly #deadMs = new Map<TaskId, number>();

  constructor(world: World, said: string) {
    this.#world = world;
    this.#said = said;
  }

  look(): void {
    const view = newest(this.#world);
    if (view === undefined) return;
    const running = new Set<string>();
    for (const host of this.#world.hosts) {
      for (const { task: id, id: container, phase } of host.engine.containers()) {
        if (phase !== "running") continue;
        running.add(`${id} ${container}`);
        const task = view.task(id);
        if (task !== undefined)
          this.#judge(host, task, view, !this.#running.has(`${id} ${container}`));
      }
    }
    this.#running.clear();
    for (const one of running) this.#running.add(one);
  }

  #judge(host: SimHost, task: Task, view: View, isNew: boolean): void {
    const { nowMs } = this.#world.agenda;
    if (task.ServiceID === idOf("web")) {
      const inits = view.tasksOf(idOf("prepare"));
      const isReady = inits.some(({ Gam, Status }) => {
        return Gam.pod === task.ID && Status.State === "complete";
      });
      assert.ok(!isNew || isReady, `${this.#said}: ${task.ID} starts before its init container`);
      return;
    }
    const main = task.Gam.pod;
    assert.ok(main !== undefined, `${this.#said}: a part has a main task`);
    const lead = view.task(main);
    if (lead !== undefined) {
      assert.equal(task.NodeID, lead.NodeID, `${this.#said}: a pod is on one node`);
    }
    if (task.ServiceID !== idOf("log")) return;
    const [own, other] = [host.engine.container(task.ID), host.engine.container(main)];
    const isDead = own?.network !== other?.network;
    if (!isDead || host.peer === undefined) return void this.#deadMs.delete(task.ID);
    const sinceMs = this.#deadMs.get(task.ID) ?? nowMs;
    this.#deadMs.set(task.ID, sinceMs);
    const ms = nowMs - sinceMs;
    assert.ok(ms <= deadMsMax, `${this.#said}: ${task.ID} stays in a dead network`);
  }

  isWhole(): boolean {
    const view = newest(this.#world);
    if (view === undefined) return false;
    const running = (name: Name): Task[] => {
      return view.tasksOf(idOf(name)).filter((task) => {
        const host = this.#world.hosts.find(({ id }) => id === task.NodeID);
        const runs = host?.engine.container(task.ID)?.phase === "running";
        return runs && isWanted(task) && task.Status.State === "running";
      });
    };
    const [mains, parts] = [running("web"), running("log")];
    if (mains.length !== replicas || parts.length !== replicas) return false;
    return mains.every(({ ID }) => parts.some(({ Gam }) => Gam.pod === ID));
  }
}

function newest(world: World): View | undefined {
  const views = on(world).map((host) => viewOf(host));
  return views.sort((a, b) => b.index - a.index)[0];
}

function mishap(world: World, isTogether: boolean): void {
  const host = world.hosts[world.random.below(world.hosts.length)] as SimHost;
  const off = world.hosts.filter(({ peer }) => peer === undefined);
  switch (world.random.below(8)) {
    case 0:
      if (off.length === 0) host.powerLoss();
      return;
    case 1:
      if (off.length === 0) host.killAgent();
      return;
    case 2:
    case 3:
      for (const one of off) one.start();
      return;
    case 4:
    case 5: {
      const alive = host.engine.containers().filter(({ phase }) => phase === "running");
      const hit = alive[world.random.below(Math.max(1, alive.length))];
      if (hit !== undefined) host.engine.exit(hit.task, world.random.below(2));
      return;
    }
    default: {
      const name = names[world.random.below(names.length)] as Name;
      const [asked] = on(world);
      const service = asked && viewOf(asked).service(idOf(name));
      if (asked === undefined || service === undefined) return;
      const { TaskTemplate } = service.Spec;
      const ForceUpdate = (TaskTemplate.ForceUpdate ?? 0) + 1;
      const Order = world.random.below(2) === 0 ? "start-first" : "stop-first";
      const UpdateConfig = { Parallelism: 1, FailureAction: "continue", Order } as const;
      const spec = { ...specOf(name, isTogether), UpdateConfig };
      const next = { ...spec, TaskTemplate: { ...spec.TaskTemplate, ForceUpdate } };
      const basedOn = service.Version.Index;
      world.ask(asked, [{ kind: "updateService", id: idOf(name), spec: next, basedOn }]);
    }
  }
}

/** Runs one history. Throws if a pod is apart, starts in a wrong order, stays dead or does not become whole. */
function live(seed: number, planted: Planted = {}): void {
  const world = new World(seed, hostCount, planted);
  const isTogether = seed % 2 === 0;
  world.form();
  const watch = new Watch(world, `seed ${seed}`);
  const isWhole = (): boolean => {
    watch.look();
    return watch.isWhole();
  };
  const [asked] = world.hosts;
  assert.ok(asked !== undefined);
  // The init container first, as gam stack deploy does.
  for (const name of ["prepare", "log", "web"] as const) {
    const spec = specOf(name, isTogether);
    world.ask(asked, [{ kind: "createService", id: idOf(name), spec }]);
  }
  waitFor(world, `seed ${seed}: the pods are whole`, settledMsMax, isWhole);
  const untilMs = world.agenda.nowMs + stormMs;
  while (world.agenda.nowMs < untilMs) {
    mishap(world, isTogether);
    const pauseMs = world.agenda.nowMs + 200 + world.random.below(4000);
    while (world.agenda.nowMs < pauseMs) {
      world.run(20);
      watch.look();
    }
  }
  for (const host of world.hosts) if (host.peer === undefined) host.start();
  waitFor(world, `seed ${seed}: the pods are whole again`, settledMsMax, isWhole);
}

const seeds = Array.from({ length: 12 }, (_, index) => index + 1);

test("pods stay on one node, start in order and are whole in the end", () => {
  for (const seed of seeds) live(seed);
});

const faults: Readonly<Record<string, readonly [Planted, RegExp]>> = {
  "main containers start before init containers": [
    { peer: { orchestrator: new Set(["init-forgotten"]) } },
    /starts before its init container/,
  ],
  "workers forget that parts belong to a pod": [
    { peer: { orchestrator: new Set(["pods-outlived"]), worker: { podsForgotten: true } } },
    /stays in a dead network|whole again/,
  ],
};
for (const [name, [planted, found]] of Object.entries(faults)) {
  test(`the checker of pods finds that ${name}`, () => {
    assert.throws(() => {
      for (const seed of seeds) live(seed, planted);
    }, found);
  });
}
