import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "@gam/core";
import { defaultConfig } from "./config.ts";
import type { Verdict } from "./peer-record.ts";
import {
  calm,
  type LinkWeather,
  MembershipWorld,
  type RecordedVerdict,
} from "./testing/membership-world.ts";

const tickMs = 50;
const seeds = Array.from({ length: 20 }, (_, n) => n + 1);
/** By then all are heard; each seed crashes hosts in another phase of the probes. */
const settleMs = (seed: number): number => 6000 + seed * 37;

const { silentTicks, silentTicksMax, suspectTicks, lostProbeTicks, refusedGraceTicks, startTicks } =
  defaultConfig;
/** One tick to notice the timeout, one for the rumours, one to judge. */
const seeAndTellTicks = 3;
const convictMsMax = (silentTicks + seeAndTellTicks) * tickMs;
const convictAloneMsMax = (silentTicksMax + seeAndTellTicks) * tickMs;
/** The next probe of a lost peer, its answer, and the rumour about it. */
const returnMsMax = (lostProbeTicks + seeAndTellTicks) * tickMs;

/** When each of `by` came to this verdict on `peer`, in ms since `fromMs`. */
function delays(
  world: MembershipWorld,
  { by, peer, fromMs }: { by: readonly NodeId[]; peer: NodeId; fromMs: number },
  verdict: Verdict = "lost",
): number[] {
  return by.map((id) => {
    const found = world.judgements.find(
      (one) => one.atMs >= fromMs && one.by === id && one.peer === peer && one.verdict === verdict,
    );
    return found === undefined ? Number.POSITIVE_INFINITY : found.atMs - fromMs;
  });
}

const lost = (world: MembershipWorld): RecordedVerdict[] =>
  world.judgements.filter(({ verdict }) => verdict === "lost");

function without(ids: readonly NodeId[], ...gone: NodeId[]): NodeId[] {
  return ids.filter((id) => !gone.includes(id));
}

function at(world: MembershipWorld, index: number): NodeId {
  const id = world.ids[index];
  assert.ok(id !== undefined, `no peer ${index}`);
  return id;
}

test("a host that falls silent is lost to every live peer within two seconds", () => {
  for (const seed of seeds) {
    const world = new MembershipWorld(seed, 5);
    world.run(settleMs(seed));
    const [fromMs, peer] = [world.nowMs, at(world, seed % 5)];
    world.powerOff(peer);
    world.run(4000);
    const found = delays(world, { by: without(world.ids, peer), peer, fromMs });
    assert.ok(Math.max(...found) <= convictMsMax, `seed ${seed}: ${found}`);
    assert.equal(lost(world).length, 4, `seed ${seed}: somebody else was evicted`);
  }
});

const busy: LinkWeather = { lossPercent: 0, delayMsMax: 500, pausePercent: 20, pauseMsMax: 500 };
const lossy: LinkWeather = { ...calm, lossPercent: 10 };
const threeMinutesMs = 180_000;

function every(world: MembershipWorld, periodMs: number, act: () => void): void {
  for (let ms = periodMs; ms < threeMinutesMs; ms += periodMs) world.at(ms, act);
}

const harmless: {
  name: string;
  weather: LinkWeather;
  disturb: (world: MembershipWorld) => void;
}[] = [
  { name: "a tenth of all frames is lost", weather: lossy, disturb: () => undefined },
  {
    name: "one host is frozen for 1 s every 10 s",
    weather: calm,
    disturb: (world) => every(world, 10_000, () => world.freeze(at(world, 1), 1000)),
  },
  {
    name: "one host sees nobody",
    weather: calm,
    disturb: (world) => world.at(10_000, () => world.deafen(at(world, 2), true)),
  },
  {
    name: "two hosts see nobody",
    weather: calm,
    disturb: (world) => {
      world.at(10_000, () => world.deafen(at(world, 2), true));
      world.at(10_100, () => world.deafen(at(world, 3), true));
    },
  },
  {
    name: "one host hardly ever runs",
    weather: calm,
    disturb: (world) => every(world, 900, () => world.freeze(at(world, 3), 850)),
  },
  { name: "all hosts are busy", weather: busy, disturb: () => undefined },
  {
    name: "frames are lost, one host freezes and another sees nobody",
    weather: { ...calm, lossPercent: 5 },
    disturb: (world) => {
      every(world, 10_000, () => world.freeze(at(world, 1), 1000));
      world.at(10_000, () => world.deafen(at(world, 2), true));
    },
  },
];

for (const { name, weather, disturb } of harmless) {
  test(`nobody is evicted in three minutes while ${name}`, () => {
    for (const seed of seeds.slice(0, 12)) {
      const world = new MembershipWorld(seed, 5, weather);
      disturb(world);
      world.run(threeMinutesMs);
      assert.deepEqual(lost(world), [], `seed ${seed}`);
    }
  });
}

test("hosts lost one after the other are each detected, down to the last one", () => {
  for (const seed of seeds) {
    const world = new MembershipWorld(seed, 5);
    world.run(settleMs(seed));
    for (let left = 4; left >= 1; left -= 1) {
      const [fromMs, peer] = [world.nowMs, at(world, left)];
      world.powerOff(peer);
      world.run(10_000);
      const found = delays(world, { by: world.ids.slice(0, left), peer, fromMs });
      const bound = left === 1 ? convictAloneMsMax : convictMsMax;
      assert.ok(Math.max(...found) <= bound, `seed ${seed}, ${left} left: ${found}`);
    }
    assert.equal(lost(world).length, 4 + 3 + 2 + 1, `seed ${seed}`);
  }
});

test("a host that returns is alive to everybody at its next probe", () => {
  for (const seed of seeds) {
    const world = new MembershipWorld(seed, 12);
    world.run(settleMs(seed));
    const peer = at(world, seed % 12);
    world.powerOff(peer);
    world.run(10_000);
    const fromMs = world.nowMs;
    world.startAgent(peer);
    world.run(10_000);
    const found = delays(world, { by: without(world.ids, peer), peer, fromMs }, "alive");
    assert.ok(Math.max(...found) <= returnMsMax, `seed ${seed}: ${found}`);
    assert.equal(lost(world).length, 11, `seed ${seed}: it was lost again`);
  }
});

test("links cut between some evict nobody, and a peer that others reach is not lost", () => {
  for (const seed of seeds) {
    const world = new MembershipWorld(seed, 5);
    world.run(settleMs(seed));
    const [a, b, c, d] = [at(world, 0), at(world, 1), at(world, 2), at(world, 3)];
    world.cut(a, b);
    world.run(20_000);
    world.cut(a, c);
    world.cut(c, d);
    world.run(20_000);
    assert.deepEqual(lost(world), [], `seed ${seed}`);
  }
});

test("of two parts the larger evicts the smaller, and all return when the cut heals", () => {
  for (const seed of seeds) {
    const world = new MembershipWorld(seed, 5);
    world.run(settleMs(seed));
    const [most, few] = [world.ids.slice(0, 3), world.ids.slice(3)];
    for (const one of most) for (const other of few) world.cut(one, other);
    const fromMs = world.nowMs;
    world.run(4000);
    for (const peer of few) {
      const found = delays(world, { by: most, peer, fromMs });
      assert.ok(Math.max(...found) <= convictMsMax, `seed ${seed}: ${found}`);
    }
    const rash = lost(world).filter(({ by }) => few.includes(by));
    assert.deepEqual(rash, [], `seed ${seed}: the smaller part did not suspect itself`);
    world.run(20_000);
    world.heal();
    // The smaller part may call all others lost, so either side may probe only at the pace for lost peers.
    world.run(2 * returnMsMax);
    for (const by of world.ids) {
      for (const peer of without(world.ids, by)) {
        assert.equal(world.verdict(by, peer), "alive", `seed ${seed}: ${by} of ${peer}`);
      }
    }
  }
});

test("an agent that is back within the grace was refused and never lost", () => {
  for (const seed of seeds) {
    const world = new MembershipWorld(seed, 5);
    world.run(settleMs(seed));
    const [fromMs, peer] = [world.nowMs, at(world, seed % 5)];
    world.killAgent(peer);
    world.run(5000);
    const by = without(world.ids, peer);
    const found = delays(world, { by, peer, fromMs }, "refused");
    // Refusals count only some time after its last sign of life.
    const refusedMsMax = (suspectTicks + 10 + seeAndTellTicks) * tickMs;
    assert.ok(Math.max(...found) <= refusedMsMax, `seed ${seed}: ${found}`);
    world.startAgent(peer);
    world.run(10_000);
    assert.deepEqual(lost(world), [], `seed ${seed}`);
    for (const id of by) assert.equal(world.verdict(id, peer), "alive", `seed ${seed}`);
  }
});

test("an agent that stays away is lost when the grace is over, and its host soon", () => {
  for (const seed of seeds.slice(0, 10)) {
    const world = new MembershipWorld(seed, 5);
    world.run(settleMs(seed));
    const [peer, fromMs] = [at(world, 1), world.nowMs];
    const by = without(world.ids, peer);
    world.killAgent(peer);
    world.run(20_000);
    const found = delays(world, { by, peer, fromMs });
    // The first refusal came between two ticks.
    assert.ok(Math.min(...found) >= (refusedGraceTicks - 1) * tickMs, `seed ${seed}: ${found}`);
    assert.ok(Math.max(...found) <= (refusedGraceTicks + 20) * tickMs, `seed ${seed}: ${found}`);

    const other = new MembershipWorld(seed, 5);
    other.run(settleMs(seed));
    other.killAgent(peer);
    other.run(5000);
    const offMs = other.nowMs;
    other.powerOff(peer);
    other.run(10_000);
    const silent = delays(other, { by, peer, fromMs: offMs });
    // Its agent may be starting, so it gets the time of a starting agent.
    const silentMsMax = convictMsMax + startTicks * tickMs;
    assert.ok(Math.max(...silent) <= silentMsMax, `seed ${seed}: ${silent}`);
  }
});

test("a starting agent that holds its port before it can answer is not lost", () => {
  for (const seed of seeds.slice(0, 10)) {
    const world = new MembershipWorld(seed, 5);
    world.run(settleMs(seed));
    const peer = at(world, 1);
    world.killAgent(peer);
    world.run(4000);
    world.startAgent(peer);
    world.freeze(peer, 4000);
    world.run(10_000);
    assert.deepEqual(lost(world), [], `seed ${seed}`);
    for (const id of without(world.ids, peer)) assert.equal(world.verdict(id, peer), "alive");
  }
});

test("load per peer does not grow with the cluster", () => {
  const perSecond = (peers: number): number => {
    const world = new MembershipWorld(7, peers);
    world.run(10_000);
    const before = world.ids.map((id) => world.traffic(id).sent);
    world.run(10_000);
    const after = world.ids.map((id) => world.traffic(id).sent);
    return Math.max(...after.map((sent, n) => (sent - (before[n] ?? 0)) / 10));
  };
  // One ping and one ack per edge and direction in each probe interval, if no ping spared another.
  const bound = (2 * defaultConfig.watchersMax * 1000) / (defaultConfig.probeTicks * tickMs);
  assert.ok(perSecond(5) <= bound);
  assert.ok(perSecond(50) <= bound);
});

test("of fifty peers a third is lost at once, and the rest agrees on exactly that third", () => {
  for (const seed of seeds.slice(0, 3)) {
    const world = new MembershipWorld(seed, 50);
    world.run(settleMs(seed));
    const gone = world.ids.filter((_, n) => (n * 7 + seed) % 3 === 0);
    for (const peer of gone) world.powerOff(peer);
    // Peers whose neighbours are mostly gone first distrust themselves; then new watchers take over.
    world.run((defaultConfig.blindTicks + 2 * silentTicksMax) * tickMs);
    for (const by of without(world.ids, ...gone)) {
      for (const peer of without(world.ids, by)) {
        const want = gone.includes(peer) ? "lost" : "alive";
        assert.equal(world.verdict(by, peer), want, `seed ${seed}: ${by} of ${peer}`);
      }
    }
  }
});

test("one seed is one history", () => {
  const [one, other] = [3, 3].map((seed) => {
    const world = new MembershipWorld(seed, 5, busy);
    world.run(20_000);
    world.powerOff(at(world, 1));
    world.run(20_000);
    return { judgements: world.judgements, traffic: world.ids.map((id) => world.traffic(id)) };
  });
  assert.deepEqual(one, other);
});
