/** Which hosts a cluster may lose, when, and what must survive. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ProposalOutcome } from "@gam/peer";
import type { Planted } from "./hosts/faults.ts";
import type { SimHost } from "./hosts/host.ts";
import {
  leaderOf,
  on,
  replicas,
  scale,
  viewOf,
  waitFor,
  web,
  worldWithService,
} from "./scenario.ts";
import type { World } from "./world.ts";

/** An agent with a request notices the loss of its leader after 2 s, and an election takes 4 s. */
const goesOnMsMax = 10_000;
const voteSilenceMs = 300_000;

function votersOf(host: SimHost): readonly string[] {
  const { voters, votersOutgoing } = host.peer?.raft.configuration ?? {};
  return votersOutgoing?.length === 0 ? (voters ?? []) : [];
}

/** Writes through this host until it acknowledges. Returns the virtual milliseconds that took. */
function writes(world: World, host: SimHost, what: string): number {
  let outcome: ProposalOutcome | "asked" | undefined;
  return waitFor(world, `${what}: ${host.id} writes`, goesOnMsMax, () => {
    if (outcome === "asked") return false;
    if (outcome?.kind === "applied") return true;
    outcome = "asked";
    scale(world, host, replicas, (answer) => {
      outcome = answer;
    });
    return false;
  });
}

/** Sends a request to every running agent every 100 ms. */
function ask(world: World, untilMs: number): void {
  for (let n = 0; world.agenda.nowMs < untilMs; n += 1) {
    const asked = on(world)[n % Math.max(1, on(world).length)];
    if (asked !== undefined && viewOf(asked).service(web) !== undefined) {
      scale(world, asked, replicas + (n % 2));
    }
    world.run(Math.min(100, untilMs - world.agenda.nowMs));
  }
}

interface Story {
  readonly seed: number;
  /** The first leader: C or A. */
  readonly first: "a" | "c";
  readonly lossAtMs: number;
  readonly rebootMs: number;
}

/** C reboots, A is lost with its disk at some moment, C returns: B and C have every write. */
function rebootAndLoss({ seed, first, lossAtMs, rebootMs }: Story): void {
  const world = worldWithService(seed, 3);
  const leader = leaderOf(world);
  const [b, other] = world.hosts.filter((host) => host !== leader);
  assert.ok(b !== undefined && other !== undefined);
  const [a, c] = first === "a" ? [leader, other] : [other, leader];
  const beganMs = world.agenda.nowMs;
  const story = [
    { atMs: 200, happen: () => c.powerLoss() },
    { atMs: 200 + rebootMs, happen: () => c.start() },
    { atMs: lossAtMs, happen: () => a.powerLoss() },
  ];
  for (const { atMs, happen } of story.sort((one, other) => one.atMs - other.atMs)) {
    ask(world, beganMs + atMs);
    happen();
  }
  const what = `seed ${seed}, ${first} led, lost after ${lossAtMs} ms`;
  for (const host of [b, c]) writes(world, host, what);
  world.checkers.kept(world.newest());
  assert.deepEqual([...votersOf(b)].sort(), world.hosts.map(({ id }) => id).sort(), what);
}

test("C reboots, A is lost, C is back: B and C go on with every write, at 200 moments", () => {
  for (let moment = 0; moment < 200; moment += 1) {
    // From before the reboot until after the return, in steps that drift against ticks and heartbeats.
    const first = moment % 3 === 0 ? "c" : "a";
    rebootAndLoss({ seed: 1 + (moment % 25), first, lossAtMs: moment * 67, rebootMs: 10_000 });
  }
});

test("any two hosts of five, six or seven are lost in one moment, and the rest works on", () => {
  for (let size = 3; size <= 7; size += 1) {
    for (let one = 0; one < size; one += 1) {
      for (let other = one + 1; other < size; other += 1) {
        const world = worldWithService(1 + one + 7 * other, size);
        const victims = [world.hosts[one], world.hosts[other]];
        const leader = leaderOf(world);
        const before = votersOf(leader);
        for (const victim of victims) victim?.powerLoss();
        const left = before.filter((id) => on(world).some((host) => host.id === id)).length;
        const goesOn = left > before.length / 2;
        const what = `${one} and ${other} of ${size}`;
        assert.ok(goesOn || size < 5, `${what}: ${left} of ${before.length} voters are left`);
        if (goesOn) for (const host of on(world)) writes(world, host, what);
        for (const victim of victims) victim?.start();
        world.until(`${what}: all is back`, 30_000);
        world.checkers.kept(world.newest());
      }
    }
  }
});

test("hosts of four, six or seven are lost one after the other, 20 s apart, down to two", () => {
  for (const size of [4, 6, 7]) {
    for (let seed = 1; seed <= 4; seed += 1) {
      const world = worldWithService(seed, size);
      for (let left = size - 1; left >= 2; left -= 1) {
        const leader = leaderOf(world);
        const voter = on(world).find(
          (host) => host !== leader && votersOf(leader).includes(host.id),
        );
        (left % 2 === 0 ? leader : voter)?.powerLoss();
        const what = `seed ${seed}, ${left} of ${size}`;
        for (const host of on(world)) writes(world, host, what);
        world.run(20_000);
      }
      world.checkers.kept(world.newest());
    }
  }
});

test("a voter that is demoted, or removed by force, has no vote within a second", () => {
  for (const away of [false, true]) {
    const world = worldWithService(3, 3);
    const leader = leaderOf(world);
    const victim = world.hosts.find((host) => host !== leader);
    assert.ok(victim !== undefined);
    const { id } = victim;
    if (away) {
      victim.powerLoss();
      world.run(5000);
      world.ask(leader, [{ kind: "removeNode", id }]);
    } else {
      const { Spec, Version } = viewOf(leader).node(id) ?? assert.fail("it is a member");
      const spec = { ...Spec, Role: "worker" } as const;
      world.ask(leader, [{ kind: "updateNode", id, spec, basedOn: Version.Index }]);
    }
    waitFor(world, "one votes", 1000, () => votersOf(leader).length === 1);
    const standbys = leader.peer?.raft.configuration.standbys ?? [];
    const other = world.hosts.find((host) => host !== leader && host !== victim);
    assert.deepEqual(standbys, [other?.id]);
    assert.ok(writes(world, leader, "afterwards") <= 100);
  }
});

test("a voter whose engine is stopped for a minute keeps its vote", () => {
  for (let seed = 1; seed <= 10; seed += 1) {
    const world = worldWithService(seed, 3);
    const victim = world.hosts[seed % 3];
    assert.ok(victim !== undefined);
    victim.loseEngine();
    for (let second = 0; second < 60; second += 1) {
      world.run(1000);
      for (const host of world.hosts) assert.equal(votersOf(host).length, 3, `seed ${seed}`);
    }
    assert.equal(world.newest().node(victim.id)?.Status.State, "down", "its tasks run elsewhere");
    victim.recoverEngine();
    world.until(`seed ${seed}: the engine is back`, 30_000);
  }
});

test("a voter that is silent for less than five minutes keeps its vote, and then loses it", () => {
  for (let seed = 1; seed <= 5; seed += 1) {
    const world = worldWithService(seed, 3);
    const leader = leaderOf(world);
    const victim = world.hosts.find((host) => host !== leader);
    victim?.powerLoss();
    for (let second = 0; second < voteSilenceMs / 1000 - 5; second += 1) {
      world.run(1000);
      assert.equal(votersOf(leader).length, 3, `seed ${seed}: after ${second} s`);
    }
    world.run(15_000);
    assert.deepEqual(votersOf(leader), [leader.id], `seed ${seed}`);
    assert.equal(leader.peer?.raft.configuration.standbys.length, 2, "both others stand by");
    assert.ok(writes(world, leader, `seed ${seed}`) <= 2200, "it waits once for the silent one");
    assert.ok(writes(world, leader, `seed ${seed}`) <= 100, "and for the other from then on");
    victim?.start();
    world.until(`seed ${seed}: it is back`, 30_000);
  }
});

/** Two managers: the one that votes, and its standby. */
function pair(
  seed: number,
  planted: Planted = {},
): { world: World; voter: SimHost; standby: SimHost } {
  const world = worldWithService(seed, 2, planted);
  const voter = leaderOf(world);
  const standby = world.hosts.find((host) => host !== voter);
  assert.ok(standby !== undefined);
  assert.deepEqual(votersOf(voter), [voter.id]);
  world.run(10_000);
  return { world, voter, standby };
}

test("a standby that reboots holds up writes for two seconds, once", () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const { world, voter, standby } = pair(seed);
    assert.ok(writes(world, voter, `seed ${seed}`) <= 100, "both answer");
    standby.powerLoss();
    world.run(seed * 97);
    const tookMs = writes(world, voter, `seed ${seed}`);
    assert.ok(tookMs <= 2200, `seed ${seed}: the write waited ${tookMs} ms`);
    assert.ok(writes(world, voter, `seed ${seed}`) <= 100, `seed ${seed}: it goes on alone`);
    standby.start();
    world.until(`seed ${seed}: it is back`, 20_000);
    world.run(1000);
    assert.ok(writes(world, voter, `seed ${seed}`) <= 100, `seed ${seed}: both answer again`);
  }
});

test("a standby whose disk hangs holds up writes for two seconds", () => {
  for (let seed = 1; seed <= 10; seed += 1) {
    const { world, voter, standby } = pair(seed);
    standby.diskMsMax = 3_600_000;
    world.run(seed * 97);
    const tookMs = writes(world, voter, `seed ${seed}`);
    assert.ok(tookMs <= 2200, `seed ${seed}: the write waited ${tookMs} ms`);
    assert.ok(writes(world, voter, `seed ${seed}`) <= 100, `seed ${seed}: it goes on alone`);
  }
});

test("the only voter is lost for good, and its standby has every acknowledged write on its disk", () => {
  for (let seed = 1; seed <= 40; seed += 1) {
    const { world, voter, standby } = pair(seed);
    ask(world, world.agenda.nowMs + 500 + seed * 33);
    voter.powerLoss();
    standby.powerLoss();
    const index = world.checkers.acknowledgedIndex;
    assert.notEqual(standby.termOnDisk(index), undefined, `seed ${seed}: entry ${index}`);
  }
});

test("the simulator sees a voter that commits without its standby", () => {
  const commitsAlone: Planted = { peer: { raft: new Set(["commitAlone"] as const) } };
  assert.throws(() => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const { world, voter } = pair(seed, commitsAlone);
      ask(world, world.agenda.nowMs + 2000);
      writes(world, voter, `seed ${seed}`);
    }
  }, /acknowledged from one disk/);
});
