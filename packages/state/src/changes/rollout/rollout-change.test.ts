import assert from "node:assert/strict";
import { test } from "node:test";
import type { SecretId, ServiceId } from "@gam/core";
import type { Change } from "../../log/change.ts";
import type { Rollout } from "../../objects/rollouts/rollout.ts";
import type { PortConfig, Service, ServiceSpec } from "../../objects/service.ts";
import {
  aCluster,
  aNode,
  aSeal,
  aSecret,
  aService,
  TestLog,
  withFiles,
} from "../../testing/index.ts";

const web = "web" as ServiceId;
const Labels = { "gam.rollout": "canary", "gam.rollout.steps": "10%:1m, 50%" };

function spec(image: string, change: Partial<ServiceSpec> = {}, replicas = 2): ServiceSpec {
  return aService("web", { image, replicas, spec: { Labels, ...change } }).spec;
}

class World {
  readonly log = new TestLog();

  constructor(first = spec("tiny:1")) {
    this.log.write({ kind: "createCluster", cluster: aCluster() });
    this.log.write({ kind: "joinNode", node: aNode("a") });
    this.log.write(aSecret("pw"));
    this.log.write({ kind: "createService", id: web, spec: first });
  }

  get service(): Service {
    const service = this.log.store.service(web);
    assert.ok(service !== undefined);
    return service;
  }
  get rollout(): Rollout | undefined {
    return this.service.Gam.rollout;
  }
  get said(): string {
    return `${this.service.UpdateStatus?.State}: ${this.service.UpdateStatus?.Message}`;
  }

  /** Returns: the refusal; undefined when it was applied. */
  write(change: Change): string | undefined {
    const { outcome } = this.log.write(change);
    return outcome.kind === "refused" ? outcome.message : undefined;
  }

  update(next: ServiceSpec | "previous"): string | undefined {
    const basedOn = this.service.Version.Index;
    return this.write({ kind: "updateService", id: web, spec: next, basedOn });
  }

  steer(action: "pause" | "resume" | "promote" | "abort"): string | undefined {
    const version = this.rollout?.version ?? 0;
    return this.write({ kind: "steerRollout", id: web, version, action });
  }

  progress(change: Partial<Rollout>): void {
    assert.ok(this.rollout !== undefined);
    const rollout = { ...this.rollout, ...change };
    const status = {
      State: "updating",
      StartedAt: this.service.CreatedAt,
      Message: "so far",
    } as const;
    const basedOn = this.service.Version.Index;
    this.write({ kind: "progressRollout", id: web, basedOn, rollout, status, updated: [] });
  }
}

test("a new service has no rollout, another template begins one from the version before", () => {
  const world = new World();
  const base = world.service.Gam.templateVersion;
  assert.ok(!("rollout" in world.service.Gam));
  world.update(spec("tiny:2"));
  const version = world.service.Gam.templateVersion;
  assert.ok(version > base);
  const { weight, step, phase } = world.rollout ?? {};
  assert.deepEqual([world.rollout?.version, world.rollout?.base], [version, base]);
  assert.deepEqual([weight, step, phase], [0, 0, "starting"]);
  assert.equal(world.said, "updating: rollout has begun");
});

test("an ordinary service has none", () => {
  const world = new World(spec("tiny:1", { Labels: {} }));
  world.update(spec("tiny:2", { Labels: {} }));
  assert.equal(world.rollout, undefined);
});

test("scaling in the middle keeps the rollout, and the way back", () => {
  const world = new World();
  world.update(spec("tiny:2"));
  world.progress({ weight: 10, phase: "watching" });
  const { rollout, said } = world;
  world.update(spec("tiny:2", {}, 7));
  assert.deepEqual(world.rollout, rollout);
  assert.equal(world.said, said);
  assert.deepEqual(world.service.PreviousSpec, spec("tiny:1", {}, 7));
});

test("a new version in the middle replaces the newest one, and keeps the old one", () => {
  const world = new World();
  const base = world.service.Gam.templateVersion;
  world.update(spec("tiny:2"));
  world.progress({ weight: 50, phase: "watching", step: 1 });
  world.update(spec("tiny:3"));
  assert.deepEqual([world.rollout?.base, world.rollout?.weight], [base, 0]);
  assert.equal(world.rollout?.version, world.service.Gam.templateVersion);
  assert.deepEqual(world.service.PreviousSpec, spec("tiny:1"));
});

test("without its label a rollout becomes an ordinary update, which can still go back", () => {
  const world = new World();
  world.update(spec("tiny:2"));
  world.progress({ weight: 10, phase: "watching" });
  world.update(spec("tiny:2", { Labels: {} }));
  assert.deepEqual([world.rollout, world.service.UpdateStatus], [undefined, undefined]);
  assert.deepEqual(world.service.PreviousSpec, spec("tiny:1"));
});

test("every way back takes all connections from the new version at once", () => {
  const ways: readonly (readonly [string, (world: World) => void])[] = [
    ["manually requested rollback", (world) => world.update("previous")],
    ["rollout aborted", (world) => world.steer("abort")],
    [
      "it failed",
      (world) => {
        const basedOn = world.service.Version.Index;
        world.write({ kind: "rollbackService", id: web, basedOn, message: "it failed" });
      },
    ],
  ];
  for (const [why, way] of ways) {
    const world = new World();
    world.update(spec("tiny:2"));
    const version = world.rollout?.version;
    world.progress({ weight: 50, phase: "watching", step: 1 });
    way(world);
    assert.deepEqual(world.service.Spec, spec("tiny:1"));
    assert.equal(world.said, `rollback_started: ${why}`);
    const { weight, end } = world.rollout ?? {};
    assert.deepEqual([weight, world.rollout?.version], [0, version]);
    assert.deepEqual([end?.result, end?.reason], ["rolled back", why]);
  }
});

test("a person pauses and resumes", () => {
  const world = new World();
  world.update(spec("tiny:2"));
  world.log.nowMs += 5000;
  assert.equal(world.steer("resume"), "the rollout of service web is not paused");
  assert.equal(world.steer("pause"), undefined);
  assert.equal(world.said, "paused: rollout paused");
  assert.equal(world.steer("pause"), "the rollout of service web is paused already");
  world.log.nowMs += 5000;
  assert.equal(world.steer("resume"), undefined);
  assert.equal(world.said, "updating: rollout resumed");
  // The deadline of tasks that are still to start begins again.
  assert.deepEqual([world.rollout?.paused, world.rollout?.sinceMs], [undefined, world.log.nowMs]);
});

for (const action of ["resume", "promote"] as const) {
  test(`${action}: a pause takes no time from a step or its deadline`, () => {
    const world = new World();
    world.update(spec("tiny:2"));
    world.progress({ phase: "watching", step: 2, weight: 100, sinceMs: world.log.nowMs - 1000 });
    world.steer("pause");
    world.log.nowMs += 3_600_000;
    world.steer("resume");
    assert.equal(world.rollout?.sinceMs, world.log.nowMs - 1000);
    world.progress({ phase: "starting" });
    world.steer("pause");
    world.log.nowMs += 3_600_000;
    world.steer(action);
    assert.equal(world.rollout?.sinceMs, world.log.nowMs);
    assert.equal(world.rollout?.phase, "starting");
  });
}

test("resume ends a step that waits for a person", () => {
  const world = new World();
  world.update(spec("tiny:2"));
  world.progress({ phase: "watching", step: 1, weight: 50, paused: { atMs: 1, by: "step" } });
  world.steer("resume");
  assert.deepEqual([world.rollout?.phase, world.rollout?.step], ["passed", 1]);
});

test("promote skips the steps, then the time for which the old tasks stay", () => {
  const world = new World();
  world.update(spec("tiny:2"));
  world.progress({ phase: "watching", weight: 10 });
  world.steer("promote");
  assert.deepEqual([world.rollout?.phase, world.rollout?.step], ["starting", 2]);
  world.progress({ phase: "watching", weight: 100 });
  world.steer("promote");
  assert.deepEqual([world.rollout?.phase, world.rollout?.step], ["passed", 2]);
});

test("what a person asks of a rollout that is over, or of another one, is refused", () => {
  const world = new World();
  assert.equal(world.steer("abort"), "service web is in no rollout");
  world.update(spec("tiny:2"));
  const refusal = world.write({ kind: "steerRollout", id: web, version: 1, action: "promote" });
  assert.match(refusal ?? "", /^service web was updated meanwhile/);
});

test("a plan from before a person's word is void", () => {
  const world = new World();
  world.update(spec("tiny:2"));
  const before = world.rollout as Rollout;
  world.steer("pause");
  world.progress({ ...before, weight: 10 });
  assert.deepEqual([world.rollout?.weight, world.rollout?.paused?.by], [0, "person"]);
});

test("a secret keeps its content while two versions use it, and an old version's secret stays", () => {
  const image = (name: string, secrets: string[]) =>
    spec(name, { TaskTemplate: { ContainerSpec: withFiles(name, { secrets }) } });
  const world = new World(image("tiny:1", ["pw"]));
  world.update(image("tiny:2", []));
  const id = "pw" as SecretId;
  assert.match(world.write({ kind: "removeSecret", id }) ?? "", /in use/);
  const basedOn = world.log.store.secret(id)?.Version.Index ?? 0;
  const content = { version: 2, ...aSeal("new") };
  const refusal = world.write({ kind: "updateSecret", id, labels: {}, content, basedOn });
  assert.match(refusal ?? "", /which is in a rollout: promote or abort that first$/);
});

const port = (PublishedPort: number, TargetPort: number) => ({ PublishedPort, TargetPort });
const reached = (Ports: readonly PortConfig[], more: Record<string, string> = {}): ServiceSpec => {
  return spec("tiny:1", { EndpointSpec: { Ports }, Labels: { ...Labels, ...more } });
};
const http = { "gam.http.host": "a" };
const byHttp = (target: string) => reached([], { ...http, "gam.http.port": target });
const within = (...targets: readonly string[]): ServiceSpec => {
  const { TaskTemplate, ...rest } = spec("tiny:1");
  const Networks = targets.map((Target) => ({ Target }));
  return { ...rest, TaskTemplate: { ...TaskTemplate, Networks } };
};

const places: readonly (readonly [string, ServiceSpec, ServiceSpec, RegExp | undefined])[] = [
  ["the same port", reached([port(80, 8080)]), reached([port(80, 8080)]), undefined],
  ["one more port", reached([port(80, 8080)]), reached([port(80, 8080), port(81, 1)]), undefined],
  ["another target", reached([port(80, 8080)]), reached([port(80, 1)]), /port 80:8080\/tcp, which/],
  ["another port", reached([port(80, 8080)]), reached([port(81, 8080)]), /port 80:8080\/tcp/],
  ["no port", reached([{ TargetPort: 53, Protocol: "udp" }]), reached([]), /by its port 53\/udp/],
  ["another HTTP port", byHttp("80"), byHttp("81"), /HTTP at port 80 and the new one at 81/],
  ["no HTTP any more", byHttp("80"), reached([]), undefined],
  ["one more network", within("host"), within("host", "bridge"), undefined],
  ["another network", within("host"), within("bridge"), /in network host, in which/],
];
for (const [name, before, after, refusal] of places) {
  test(`the old version stays where it is reached: ${name}`, () => {
    const world = new World(before);
    const refused = world.update(after);
    if (refusal === undefined) return assert.equal(refused, undefined);
    assert.match(refused ?? "", refusal);
    assert.match(
      refused ?? "",
      /^service web has the label "gam.rollout", .* or leave the label out/,
    );
    assert.equal(world.rollout, undefined);
    const { "gam.rollout": _, "gam.rollout.steps": __, ...rest } = after.Labels ?? {};
    assert.equal(world.update({ ...after, Labels: rest }), undefined);
  });
}

test("the third version is compared with the one that still runs", () => {
  const world = new World(reached([port(80, 8080)]));
  assert.equal(world.update(reached([port(80, 8080), port(81, 1)])), undefined);
  assert.equal(world.update(reached([port(80, 8080)])), undefined);
  assert.match(world.update(reached([port(81, 1)])) ?? "", /port 80:8080/);
});
