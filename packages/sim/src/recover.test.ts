/**
 * The majority is lost for good, one survivor continues alone, and later all the others return.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ServiceId, TaskId } from "@gam/core";
import { testId } from "@gam/core/testing";
import type { ServiceSpec } from "@gam/state";
import { doubled } from "./checks/checkers.ts";
import type { SimHost } from "./hosts/host.ts";
import { on, replicas, spec, viewOf, waitFor, web } from "./scenario.ts";
import { World } from "./world.ts";

function isVoter(world: World, host: SimHost): boolean {
  const { peer } = world.hosts.find((one) => one.peer?.leader === one.id) ?? host;
  return peer?.raft.configuration.voters.includes(host.id) ?? false;
}

/** As waitFor(), but checks each millisecond. */
function waitForMs(world: World, what: string, withinMs: number, holds: () => boolean): void {
  waitFor(world, what, withinMs, holds, 1);
}

function running(host: SimHost): TaskId[] {
  return host.engine
    .containers()
    .filter(({ phase }) => phase === "running")
    .map(({ task }) => task)
    .sort();
}

/** Whether the service has that many replicas, on hosts that are on, and none runs twice. */
function settledOn(world: World, asked: SimHost, count: number): boolean {
  const hosts = on(world);
  const ids = hosts.map(({ id }) => id);
  const wanted = viewOf(asked)
    .tasksOf(web)
    .filter(({ Status, DesiredState }) => Status.State === "running" && DesiredState === "running");
  return (
    wanted.length === count &&
    wanted.every(({ NodeID }) => ids.some((id) => id === NodeID)) &&
    doubled(hosts, viewOf(asked)) === undefined
  );
}

interface Story {
  readonly world: World;
  /** A survivor that is a voter, and one that is a learner. */
  readonly voter: SimHost;
  readonly standby: SimHost;
  readonly lost: readonly SimHost[];
}

function named(name: string): ServiceSpec {
  return { ...spec, Name: name };
}

function write(world: World, by: SimHost, name: string): void {
  const id = testId<ServiceId>(name);
  const change = { kind: "createService", id, spec: named(name) } as const;
  world.ask(by, [change], { kind: "create", service: id });
}

/** Five hosts, of which three lose power, two of them voters. */
function loseThree(seed: number): Story {
  const world = new World(seed, 5);
  world.votersMax = 3;
  world.form();
  const [first] = world.hosts as [SimHost];
  world.ask(first, [{ kind: "createService", id: web, spec }], {
    kind: "create",
    service: web,
  });
  waitFor(world, "the service runs", 20_000, () => settledOn(world, first, replicas));
  world.run(3_000);
  const voters = world.hosts.filter((host) => isVoter(world, host));
  const standbys = world.hosts.filter((host) => !voters.includes(host));
  assert.deepEqual([voters.length, standbys.length], [3, 2]);
  const voter = voters[seed % 3] as SimHost;
  const standby = standbys[seed % 2] as SimHost;
  const lost = world.hosts.filter((host) => host !== voter && host !== standby);
  return { world, voter, standby, lost };
}

function cut({ world, lost }: Story): void {
  for (const host of lost) host.powerLoss();
  world.run(12_000);
}

/** Runs recover on one survivor, and waits until it leads. */
function recover(world: World, survivor: SimHost): void {
  const gone = world.hosts.filter(({ peer }) => peer === undefined).map(({ id }) => id);
  const id = testId(`${survivor.id.slice(-2)}${world.agenda.nowMs}`);
  survivor.give({ kind: "recover", id, gone });
  waitFor(world, "the survivor leads", 3_000, () => survivor.peer?.leader === survivor.id);
}

/** Checks that all hosts are one settled cluster, in one life. */
function endsAsOne({ world, voter }: Story): void {
  world.until("all are one cluster again", 60_000);
  const lives = new Set(world.hosts.map(({ peer }) => peer?.lives.own.join(" ")));
  assert.equal(lives.size, 1, `lives: ${[...lives].join(", ")}`);
  assert.deepEqual(
    world.hosts.flatMap(({ peer }) => peer?.lives.rivals ?? []),
    [],
  );
  assert.equal(doubled(world.hosts, viewOf(voter)), undefined);
  world.checkers.kept(viewOf(voter));
}

for (const kind of ["voter", "standby"] as const) {
  describe(`recover on a survivor that is a ${kind}`, () => {
    for (const seed of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]) {
      test(`seed ${seed}: the others come back and are members`, () => {
        const story = loseThree(seed);
        const { world, lost } = story;
        const survivor = story[kind];
        const other = kind === "voter" ? story.standby : story.voter;
        cut(story);
        assert.equal(survivor.peer?.leader, undefined, "nobody leads");
        const before = [running(survivor), running(other)];
        const kept = viewOf(survivor);
        const tasks = kept.tasksOf(web).map(({ ID }) => ID);
        recover(world, survivor);
        // The same state, and the same containers for the same tasks.
        for (const id of tasks)
          assert.ok(viewOf(survivor).task(id) !== undefined, `task ${id} is there`);
        waitFor(world, "all runs on the two", 20_000, () => settledOn(world, survivor, replicas));
        for (const [at, host] of [survivor, other].entries()) {
          for (const task of before[at] ?? []) {
            assert.ok(running(host).includes(task), `${task} runs on where it ran`);
          }
        }
        write(world, other, "after");
        waitFor(
          world,
          "a write is taken",
          5_000,
          () => viewOf(other).service(testId<ServiceId>("after")) !== undefined,
        );
        // All three at once: they are a majority of the old life.
        for (const host of lost) host.start();
        endsAsOne(story);
      });
    }
  });
}

test("after a second survivor recovers too, hosts of all lives return as members", () => {
  for (const seed of [71, 72, 73]) {
    const story = loseThree(seed);
    const { world, voter, standby, lost } = story;
    cut(story);
    recover(world, voter);
    write(world, voter, "second-life");
    const id = testId<ServiceId>("second-life");
    waitFor(world, "the other follows", 10_000, () => viewOf(standby).service(id) !== undefined);
    voter.powerLoss();
    world.run(12_000);
    assert.equal(standby.peer?.leader, undefined);
    recover(world, standby);
    assert.equal(standby.peer?.lives.own.length, 3);
    assert.ok(viewOf(standby).service(id) !== undefined);
    for (const host of [...lost, voter]) host.start();
    endsAsOne(story);
  }
});

test("a lone survivor takes over the tasks of the others", () => {
  for (const seed of [61, 62, 63]) {
    const story = loseThree(seed);
    const { world, voter, standby, lost } = story;
    cut({ ...story, lost: [...lost, standby] });
    recover(world, voter);
    waitFor(world, "all runs on the one", 20_000, () => settledOn(world, voter, replicas));
    for (const host of [...lost, standby]) host.start();
    endsAsOne(story);
  }
});

test("a survivor that has just dropped its log follows a peer that has one", () => {
  const story = loseThree(81);
  const { world, voter, standby, lost } = story;
  cut(story);
  voter.give({ kind: "recover", id: "brief", gone: [] });
  waitForMs(world, "the other drops its log", 5_000, () => standby.peer?.view.index === 0);
  // The voter has the only copy of the second life.
  voter.powerLoss();
  world.run(3_000);
  assert.equal(standby.peer?.lives.recovery(), undefined);
  const [next] = lost as [SimHost];
  next.start();
  world.run(3_000);
  recover(world, next);
  waitFor(world, "it takes part again", 10_000, () => (standby.peer?.view.index ?? 0) > 0);
  assert.deepEqual(standby.peer?.lives.own, next.peer?.lives.own);
  for (const host of lost.slice(1)) host.start();
  world.run(10_000);
  assert.deepEqual(
    lost.map(({ peer }) => peer?.leader),
    lost.map(() => next.id),
  );
});

test("hosts that return one after the other are members, too", () => {
  for (const seed of [11, 12]) {
    const story = loseThree(seed);
    cut(story);
    recover(story.world, story.standby);
    story.world.run(8_000);
    for (const host of story.lost) {
      host.start();
      story.world.run(7_000);
    }
    endsAsOne(story);
  }
});

test("an acknowledged write is kept, even if the survivor does not know that it was acknowledged", () => {
  for (const seed of [21, 22, 23, 24, 25, 26]) {
    const { world } = loseThree(seed);
    const leader = world.hosts.find(({ id, peer }) => peer?.leader === id) as SimHost;
    const voters = world.hosts.filter((host) => host !== leader && isVoter(world, host));
    const [survivor, frozen] = voters as [SimHost, SimHost];
    // Only leader and survivor are left to commit the write.
    frozen.freeze();
    const id = testId<ServiceId>("last");
    let isAcknowledged = false;
    const change = { kind: "createService", id, spec: named("last") } as const;
    world.ask(leader, [change], { kind: "create", service: id }, ({ kind }) => {
      isAcknowledged = kind === "applied";
    });
    waitForMs(world, "the write is acknowledged", 5_000, () => isAcknowledged);
    const lost = world.hosts.filter((host) => host !== survivor);
    for (const host of lost) host.powerLoss();
    const recovery = survivor.peer?.lives.recovery();
    assert.ok(recovery?.view.service(id) !== undefined, `seed ${seed}: it is in the log`);
    world.run(12_000);
    recover(world, survivor);
    assert.ok(viewOf(survivor).service(id) !== undefined, `seed ${seed}: it is kept`);
    for (const host of lost) host.start();
    endsAsOne({ world, voter: survivor, standby: survivor, lost });
  }
});

test("three returning hosts that first elect a leader among themselves drop what they decided", () => {
  for (const seed of [61, 62]) {
    const story = loseThree(seed);
    const { world, voter, standby, lost } = story;
    cut(story);
    recover(world, voter);
    world.network.split(
      [voter.id, standby.id],
      lost.map(({ id }) => id),
    );
    for (const host of lost) host.start();
    waitFor(world, "the old majority leads", 10_000, () => lost[0]?.peer?.leader !== undefined);
    world.run(3_000);
    world.network.heal();
    endsAsOne(story);
  }
});

test("the power goes at any moment of a recovery, and of a return", () => {
  for (let delayMs = 0; delayMs < 12; delayMs += 1) {
    const story = loseThree(31);
    const { world, voter, standby, lost } = story;
    cut(story);
    voter.give({ kind: "recover", id: "crash", gone: [] });
    world.run(delayMs);
    voter.killAgent();
    voter.start();
    world.run(6_000);
    // Without its new life on the disk the recovery has not happened, and it is run again.
    if (voter.peer?.leader === undefined) recover(world, voter);
    for (const host of lost) host.start();
    world.run(100 + 3 * delayMs);
    for (const host of [standby, ...lost]) {
      host.killAgent();
      host.start();
    }
    endsAsOne(story);
  }
});

test("two survivors that both recover stay separate clusters, and report it", () => {
  const story = loseThree(41);
  const { world, voter, standby } = story;
  cut(story);
  world.network.split([voter.id], [standby.id]);
  recover(world, voter);
  recover(world, standby);
  world.network.heal();
  world.run(10_000);
  assert.deepEqual(
    voter.peer?.lives.rivals.map(({ peer }) => peer),
    [standby.id],
  );
  assert.deepEqual(
    standby.peer?.lives.rivals.map(({ peer }) => peer),
    [voter.id],
  );
  assert.deepEqual([voter.peer?.leader, standby.peer?.leader], [voter.id, standby.id]);
});

test("recover is refused while there is a leader", () => {
  const { world, voter } = loseThree(51);
  const life = voter.peer?.lives.own;
  voter.give({ kind: "recover", id: "never", gone: [] });
  world.run(2_000);
  assert.deepEqual(voter.peer?.lives.own, life);
});
