/**
 * A leader's sightings save probes, and no peer is lost sooner or later than with probes alone.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, encode, type NodeId } from "@gam/core";
import { testId } from "@gam/core/testing";
import { defaultConfig } from "./config.ts";
import { checkSightings } from "./sightings.ts";
import { calm, type LinkWeather, MembershipWorld } from "./testing/membership-world.ts";

const tickMs = 50;
const seeds = Array.from({ length: 20 }, (_, n) => n + 1);
const threeMinutesMs = 180_000;
/** As in simulation.test.ts: one tick to notice the timeout, one for the rumours, one to judge. */
const convictMsMax = (defaultConfig.silentTicks + 3) * tickMs;
const lossy: LinkWeather = { ...calm, lossPercent: 10 };
const busy: LinkWeather = { lossPercent: 0, delayMsMax: 500, pausePercent: 20, pauseMsMax: 500 };

interface Led {
  readonly world: MembershipWorld;
  readonly leader: NodeId;
  readonly others: readonly NodeId[];
}

function led(seed: number, weather: LinkWeather = calm, peers = 5): Led {
  const world = new MembershipWorld(seed, peers, weather);
  const leader = world.ids[seed % peers] as NodeId;
  world.lead(leader);
  return { world, leader, others: world.ids.filter((id) => id !== leader) };
}

/** By then all are heard; each seed goes on in another phase of the probes. */
function settled(seed: number): Led {
  const made = led(seed);
  made.world.run(6000 + seed * 37);
  return made;
}

function lostAfterMs(
  world: MembershipWorld,
  by: readonly NodeId[],
  peer: NodeId,
  fromMs: number,
): number[] {
  return by.map((id) => {
    const found = world.judgements.find(
      (one) => one.atMs >= fromMs && one.by === id && one.peer === peer && one.verdict === "lost",
    );
    return found === undefined ? Number.POSITIVE_INFINITY : found.atMs - fromMs;
  });
}

const lost = (world: MembershipWorld) =>
  world.judgements.filter(({ verdict }) => verdict === "lost");

test("a host that falls silent is lost to every peer as soon as without a leader", () => {
  for (const seed of seeds) {
    for (const leads of [false, true]) {
      const { world, leader, others } = settled(seed);
      const peer = leads ? leader : (others[seed % 4] as NodeId);
      const fromMs = world.nowMs;
      world.powerOff(peer);
      world.run(4000);
      const by = world.ids.filter((id) => id !== peer);
      const found = lostAfterMs(world, by, peer, fromMs);
      assert.ok(Math.max(...found) <= convictMsMax, `seed ${seed}, leads ${leads}: ${found}`);
      assert.equal(lost(world).length, 4, `seed ${seed}: somebody else was evicted`);
    }
  }
});

test("a host that is lost while its leader is frozen or cut off is lost to the others in time", () => {
  for (const seed of seeds) {
    for (const trouble of ["frozen", "cut off"] as const) {
      const { world, leader, others } = settled(seed);
      const peer = others[seed % 4] as NodeId;
      if (trouble === "frozen") world.freeze(leader, 1000);
      else for (const id of others) world.cut(leader, id);
      world.run(seed * 20);
      const fromMs = world.nowMs;
      world.powerOff(peer);
      world.run(4000);
      const by = others.filter((id) => id !== peer);
      const found = lostAfterMs(world, by, peer, fromMs);
      assert.ok(Math.max(...found) <= convictMsMax, `seed ${seed}, ${trouble}: ${found}`);
    }
  }
});

const harmless: { name: string; weather: LinkWeather; disturb: (made: Led) => void }[] = [
  { name: "a tenth of all frames is lost", weather: lossy, disturb: () => undefined },
  { name: "all hosts are busy", weather: busy, disturb: () => undefined },
  {
    name: "the leader is frozen for 1 s every 10 s",
    weather: calm,
    disturb: ({ world, leader }) => {
      for (let ms = 10_000; ms < threeMinutesMs; ms += 10_000) {
        world.at(ms, () => world.freeze(leader, 1000));
      }
    },
  },
  {
    name: "the leader sees nobody",
    weather: calm,
    disturb: ({ world, leader }) => world.at(10_000, () => world.deafen(leader, true)),
  },
  {
    name: "the leader does not hear one host, which hears it",
    weather: calm,
    disturb: ({ world, leader, others: [one] }) =>
      world.at(10_000, () => world.cutOneWay(one as NodeId, leader)),
  },
  {
    name: "one host does not hear the leader, which hears it",
    weather: calm,
    disturb: ({ world, leader, others: [one] }) =>
      world.at(10_000, () => world.cutOneWay(leader, one as NodeId)),
  },
  {
    name: "two hosts that the leader hears do not hear each other",
    weather: calm,
    disturb: ({ world, others: [one, other] }) =>
      world.at(10_000, () => world.cut(one as NodeId, other as NodeId)),
  },
];

for (const { name, weather, disturb } of harmless) {
  test(`with a leader, nobody is evicted in three minutes while ${name}`, () => {
    for (const seed of seeds.slice(0, 12)) {
      const made = led(seed, weather);
      disturb(made);
      made.world.run(threeMinutesMs);
      assert.deepEqual(lost(made.world), [], `seed ${seed}`);
    }
  });
}

test("a host that hears nobody but is heard is kept, and a host that nobody hears is not", () => {
  for (const seed of seeds) {
    const { world, leader, others } = settled(seed);
    const [deaf, mute] = others as [NodeId, NodeId];
    world.deafen(deaf, true);
    for (const id of world.ids) if (id !== mute) world.cutOneWay(mute, id);
    const fromMs = world.nowMs;
    world.run(4000);
    const by = [leader, ...others.slice(2)];
    const found = lostAfterMs(world, by, mute, fromMs);
    assert.ok(Math.max(...found) <= convictMsMax, `seed ${seed}: ${found}`);
    assert.deepEqual(
      lost(world).filter(({ peer }) => peer === deaf),
      [],
      `seed ${seed}`,
    );
  }
});

test("followers ping each other less than half as often as without a leader", () => {
  const sentBy = (
    make: (seed: number) => MembershipWorld,
    followers: (world: MembershipWorld) => readonly NodeId[],
  ) => {
    const world = make(1);
    world.run(10_000);
    const sent = (): number =>
      followers(world).reduce((sum, id) => sum + world.traffic(id).sent, 0);
    const before = sent();
    world.run(60_000);
    return sent() - before;
  };
  const { leader } = led(1);
  const followers = ({ ids }: MembershipWorld): readonly NodeId[] =>
    ids.filter((id) => id !== leader);
  const alone = sentBy((seed) => new MembershipWorld(seed, 5), followers);
  const withLeader = sentBy((seed) => led(seed).world, followers);
  assert.ok(withLeader < alone / 2, `${withLeader} messages, ${alone} without a leader`);
  // Every peer sends a message of its own at least that often.
  assert.ok(withLeader > (60_000 / tickMs / defaultConfig.wayTicks) * 3, `${withLeader} messages`);
});

test("checkSightings() accepts what was sent, and refuses invalid ids and ages", () => {
  const sightings = { [testId<NodeId>("b")]: 3 };
  assert.deepEqual(checkSightings(decode(encode(sightings)), "sightings"), sightings);
  for (const rubbish of [{ b: 3 }, { [testId("b")]: -1 }, { [testId("b")]: 0.5 }, [3], "b"]) {
    assert.throws(() => checkSightings(rubbish, "sightings"), { code: "BAD_FRAME" });
  }
});
