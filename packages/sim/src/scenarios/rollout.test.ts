/** Canaries by real peers: tasks that are asked by their hosts, a server that the leader asks, leaders that are lost. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { HttpAnswer, Rollout, Service } from "@gam/state";
import { leaderOf, on, replicas, viewOf, waitFor, web, worldWithService } from "../scenario.ts";
import type { World } from "../world.ts";

/** Every fourth history has no networks. */
const seeds = Array.from({ length: 12 }, (_, index) => index + 1).filter((seed) => seed % 4 !== 3);
const hosts = 5;
/** Three steps with their tasks, times and checks, and two failovers. */
const withinMs = 180_000;

const canary = { "gam.rollout": "canary", "gam.rollout.steps": "10%:10s, 50%:10s" };
const byTask = { ...canary, "gam.rollout.check.http": ":8080/health" };
const byQuery = {
  ...canary,
  "gam.rollout.check.prometheus.url": "http://prom:9090",
  "gam.rollout.check.prometheus.query": "errors",
  "gam.rollout.check.prometheus.max": "1",
};

/** Watches the service in all copies of the state while the world runs. */
class Watch {
  readonly weights: number[] = [0];
  readonly #world: World;
  readonly #said: string;
  #index = 0;
  /** The fewest tasks of the old version that any copy had while the rollout was under way. */
  fewestOld = replicas;
  mostNew = 0;

  constructor(world: World, said: string) {
    this.#world = world;
    this.#said = said;
  }

  get #view(): ReturnType<typeof viewOf> {
    const views = on(this.#world).map(viewOf);
    return views.reduce((a, b) => (b.index > a.index ? b : a));
  }

  get service(): Service {
    return this.#view.service(web) ?? assert.fail(this.#said);
  }

  look(): void {
    const { rollout } = this.service.Gam;
    // A leader that was lost may have applied what the others apply later.
    if (rollout === undefined || this.#view.index < this.#index) return;
    this.#index = this.#view.index;
    if (this.weights.at(-1) !== rollout.weight) this.weights.push(rollout.weight);
    for (const view of on(this.#world).map(viewOf)) this.#count(view, rollout);
  }

  #count(view: ReturnType<typeof viewOf>, { version }: Rollout): void {
    const own = view.service(web)?.Gam.rollout;
    if (own?.version !== version || own.end !== undefined) return;
    const wanted = view.tasksOf(web).filter(({ DesiredState }) => DesiredState === "running");
    const slotsOf = (isNew: boolean): number => {
      const tasks = wanted.filter(({ Gam }) => (Gam.templateVersion === version) === isNew);
      return new Set(tasks.map(({ Slot }) => Slot)).size;
    };
    this.fewestOld = Math.min(this.fewestOld, slotsOf(false));
    this.mostNew = Math.max(this.mostNew, slotsOf(true));
  }

  until(what: string, holds: () => boolean): void {
    waitFor(this.#world, `${this.#said}: ${what}`, withinMs, () => {
      this.look();
      return holds();
    });
  }
}

function begin(seed: number, Labels: Record<string, string>): { world: World; watch: Watch } {
  const world = worldWithService(seed, hosts);
  const leader = leaderOf(world);
  const watch = new Watch(world, `seed ${seed}`);
  // A published port gives tasks an address.
  const EndpointSpec = { Ports: [{ TargetPort: 8080 }] };
  for (const Image of ["app:1", "app:2"]) {
    const TaskTemplate = { ContainerSpec: { Image } };
    const { ID: id, Version, Spec } = watch.service;
    const next = { ...Spec, TaskTemplate, EndpointSpec, ...(Image === "app:2" && { Labels }) };
    world.ask(leader, [{ kind: "updateService", id, spec: next, basedOn: Version.Index }]);
    if (Image === "app:2") break;
    const state = (): string => watch.service.UpdateStatus?.State ?? "";
    watch.until("it is published", () => state() === "completed");
  }
  watch.until("it has begun", () => watch.service.Gam.rollout !== undefined);
  return { world, watch };
}

function loseLeader(world: World, watch: Watch, seed: number): void {
  const leader = leaderOf(world);
  if (seed % 2 === 0) leader.powerLoss();
  else leader.killAgent();
  watch.until("another one leads", () => world.hosts.some(({ id, peer }) => peer?.leader === id));
}

test("a canary that is well completes, and each leader goes on where the last one stopped", () => {
  for (const seed of seeds) {
    const { world, watch } = begin(seed, byTask);
    watch.until("a tenth", () => watch.service.Gam.rollout?.weight === 10);
    loseLeader(world, watch, seed);
    watch.until("a half", () => watch.service.Gam.rollout?.weight === 50);
    const isOver = (): boolean => watch.service.Gam.rollout?.end !== undefined;
    watch.until("it is over", isOver);
    assert.equal(watch.service.Gam.rollout?.end?.result, "completed", `seed ${seed}`);
    assert.deepEqual(watch.weights, [0, 10, 50, 100], `seed ${seed}`);
    assert.ok(watch.fewestOld >= replicas, `seed ${seed}: ${watch.fewestOld} old tasks`);
    watch.until("only the new version runs", () => {
      const [asked] = on(world);
      const running =
        asked &&
        viewOf(asked)
          .tasksOf(web)
          .filter(({ DesiredState, Status }) => {
            return DesiredState === "running" && Status.State === "running";
          });
      const images = running?.map(({ Spec }) => Spec.ContainerSpec.Image) ?? [];
      return images.length === replicas && images.every((image) => image === "app:2");
    });
  }
});

test("a canary whose tasks are not well goes back from its first step, whoever leads", () => {
  for (const seed of seeds) {
    const { world, watch } = begin(seed, byTask);
    const { version = 0 } = watch.service.Gam.rollout ?? {};
    const beganMs = world.agenda.nowMs;
    for (const host of world.hosts) {
      host.taskCheck = (id) => {
        const isNew = host.peer?.view.task(id)?.Gam.templateVersion === version;
        const failures = isNew ? Math.floor((world.agenda.nowMs - beganMs) / 5000) : 0;
        return { failures, reason: failures === 0 ? "" : "it answered with status 500" };
      };
    }
    watch.until("a tenth", () => watch.service.Gam.rollout?.weight === 10);
    loseLeader(world, watch, seed);
    watch.until("it is over", () => watch.service.Gam.rollout?.end !== undefined);
    assert.match(watch.service.Gam.rollout?.end?.reason ?? "", /3 times in a row: it answered/);
    assert.deepEqual(watch.weights, [0, 10, 0], `seed ${seed}`);
    assert.equal(watch.mostNew, 1, `seed ${seed}: one new task`);
    assert.ok(watch.fewestOld >= replicas, `seed ${seed}: ${watch.fewestOld} old tasks`);
    const isBack = (): boolean => watch.service.UpdateStatus?.State === "rollback_completed";
    watch.until("it went back", isBack);
    assert.match(
      watch.service.UpdateStatus?.Message ?? "",
      /^rollback completed: canary rolled back at 10 %/,
    );
  }
});

test("a server that the leader asks decides, and one that is silent lets nothing through", () => {
  for (const seed of seeds) {
    const { world, watch } = begin(seed, byQuery);
    let value = "0.5";
    const result = () => ({ resultType: "scalar", result: [1, value] });
    const say = (): HttpAnswer => {
      return { status: 200, body: JSON.stringify({ status: "success", data: result() }) };
    };
    watch.until("a tenth", () => watch.service.Gam.rollout?.weight === 10);
    world.run(30_000);
    watch.look();
    assert.deepEqual(watch.weights, [0, 10], `seed ${seed}: nobody has answered`);
    for (const host of world.hosts) host.answer = say;
    watch.until("a half", () => watch.service.Gam.rollout?.weight === 50);
    loseLeader(world, watch, seed);
    value = "2";
    watch.until("it is over", () => watch.service.Gam.rollout?.end !== undefined);
    assert.match(watch.service.Gam.rollout?.end?.reason ?? "", /result is 2, more than 1$/);
    assert.deepEqual(watch.weights, [0, 10, 50, 0], `seed ${seed}`);
  }
});
