/** Services that wait for each other, on hosts that all lose power and return in any order. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServiceId, TaskId } from "@gam/core";
import { testId } from "@gam/core/testing";
import type { ServiceSpec } from "@gam/state";
import type { Planted } from "./hosts/faults.ts";
import type { SimHost } from "./hosts/host.ts";
import { on, viewOf, waitFor } from "./scenario.ts";
import { World } from "./world.ts";

/** From the last to the first, and what each waits for. */
const needs: Readonly<Record<string, readonly string[]>> = {
  web: ["api", "cache"],
  api: ["db"],
  cache: [],
  db: [],
};
const names = Object.keys(needs);
const hostCount = 5;
/** The third host is back after this time in half of the histories. */
const backMsMax = 20_000;
/** Three services in a row, and more for hosts that are not back. */
const settledMsMax = 90_000;

const idOf = (name: string): ServiceId => testId<ServiceId>(name);

function specOf(name: string): ServiceSpec {
  const label = (needs[name] ?? []).map((need) => `${need}:healthy`).join(",");
  return {
    Name: name,
    Labels: { "gam.depends_on": label },
    // At once: the hosts of what a service waits for are not back yet, then.
    TaskTemplate: {
      ContainerSpec: { Image: "app:3" },
      RestartPolicy: { Condition: "any", Delay: 0 },
    },
    Mode: { Replicated: { Replicas: name === "web" ? 3 : 1 } },
  };
}

/** Notes every container that starts to run, and what runs at that moment. */
class Watch {
  readonly #world: World;
  readonly #runs = new Set<TaskId>();

  constructor(world: World) {
    this.#world = world;
  }

  look(): void {
    const healthy = new Set<TaskId>();
    const running = new Set<TaskId>();
    for (const { engine } of this.#world.hosts) {
      for (const { task, phase, health } of engine.containers()) {
        if (phase !== "running") continue;
        running.add(task);
        if (health === "healthy") healthy.add(task);
      }
    }
    const views = on(this.#world).map((host) => viewOf(host));
    const [view] = views.sort((a, b) => b.index - a.index);
    if (view === undefined) return this.#runs.clear();
    for (const id of running) {
      if (this.#runs.has(id)) continue;
      const name = view.task(id)?.Gam.serviceName ?? "";
      for (const need of needs[name] ?? []) {
        const tasks = view.tasksOf(idOf(need)).map(({ ID }) => ID);
        const isThere = tasks.some((task) => healthy.has(task));
        assert.ok(isThere, `${name} starts without ${need} at ${this.#world.agenda.nowMs} ms`);
      }
    }
    this.#runs.clear();
    for (const id of running) this.#runs.add(id);
  }

  allRun(): boolean {
    const [host] = on(this.#world);
    if (host === undefined) return false;
    return names.every((name) => {
      const running = viewOf(host)
        .tasksOf(idOf(name))
        .filter(({ ID }) => this.#runs.has(ID));
      return running.length === specOf(name).Mode.Replicated?.Replicas;
    });
  }
}

/** The hosts, those that run something of the last service first, and those of the first one last. */
function lastFirst(world: World): SimHost[] {
  const rank = (host: SimHost): number => {
    const tasks = host.engine.containers().map(({ task }) => task);
    const view = viewOf(host);
    const at = tasks.map((id) => names.indexOf(view.task(id)?.Gam.serviceName ?? ""));
    return Math.max(-1, ...at);
  };
  const ranked = world.hosts.map((host) => ({ host, at: rank(host) }));
  return ranked.sort((a, b) => a.at - b.at).map(({ host }) => host);
}

/** Runs one history. Throws if a container starts too early. */
function live(seed: number, planted: Planted = {}): void {
  const world = new World(seed, hostCount, planted);
  world.form();
  const watch = new Watch(world);
  const allRun = (): boolean => {
    watch.look();
    return watch.allRun();
  };
  const [asked] = world.hosts;
  assert.ok(asked !== undefined);
  for (const name of names) {
    world.ask(asked, [{ kind: "createService", id: idOf(name), spec: specOf(name) }]);
  }
  waitFor(world, `seed ${seed}: all run`, settledMsMax, allRun);
  const order = lastFirst(world);
  for (const host of world.hosts) host.powerLoss();
  // In half of the histories there is no majority for long, so that what ends is restarted in place.
  const isSlow = seed % 2 === 0;
  for (const [at, host] of order.entries()) {
    const pauseMs = isSlow && at === 2 ? backMsMax : world.random.below(3000);
    const untilMs = world.agenda.nowMs + pauseMs;
    while (world.agenda.nowMs < untilMs) {
      world.run(20);
      watch.look();
    }
    host.start();
  }
  waitFor(world, `seed ${seed}: all run again`, settledMsMax, allRun);
}

const seeds = Array.from({ length: 20 }, (_, index) => index + 1);

test("services start in order, at first and when all hosts have lost power", () => {
  for (const seed of seeds) live(seed);
});

const faults: Readonly<Record<string, Planted>> = {
  "the leader lets tasks start in any order": {
    peer: { orchestrator: new Set(["order-forgotten"]) },
  },
  "the leader trusts what the state says of hosts that are not back": {
    peer: { orchestrator: new Set(["old-reports-trusted"]) },
  },
  "workers restart in place what only the leader may start": {
    peer: { worker: { orderForgotten: true } },
  },
};
for (const [name, planted] of Object.entries(faults)) {
  test(`the checker of the order finds that ${name}`, () => {
    assert.throws(() => {
      for (const seed of seeds) live(seed, planted);
    }, /starts without/);
  });
}
