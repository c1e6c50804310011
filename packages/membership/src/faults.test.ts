/**
 * Each planted fault breaks a promise that the real rules keep in the same history.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "@gam/core";
import { defaultConfig } from "./config.ts";
import type { MembershipFaults } from "./faults.ts";
import { Ring } from "./ring.ts";
import { calm, MembershipWorld } from "./testing/membership-world.ts";

const tickMs = 50;
/** A leader's world: silence that convicts, one tick to see it, one for the rumours, one to judge. */
const convictMsMax = (defaultConfig.silentTicks + 3) * tickMs;

interface Planted {
  readonly fault: keyof MembershipFaults;
  readonly promise: string;
  /** Runs one history. Returns: what is wrong with it, or nothing. */
  readonly broken: (seed: number, faults: MembershipFaults) => string | undefined;
}

const warmUpMs = 7000;

function world(seed: number, peers: number, faults: MembershipFaults): MembershipWorld {
  const made = new MembershipWorld(seed, peers, calm, faults);
  made.run(warmUpMs);
  return made;
}

function ledWorld(seed: number, faults: MembershipFaults): MembershipWorld {
  const made = new MembershipWorld(seed, 5, calm, faults);
  made.lead(made.ids[0] as NodeId);
  made.run(warmUpMs + 37 * seed);
  return made;
}

function firstLost(made: MembershipWorld, by: readonly NodeId[] = made.ids): string | undefined {
  const found = made.judgements.find((one) => one.verdict === "lost" && by.includes(one.by));
  return found && `${found.by} lost ${found.peer}: ${found.reason}`;
}

function notLost(
  made: MembershipWorld,
  by: readonly NodeId[],
  peers: readonly NodeId[],
): string | undefined {
  for (const id of by) {
    for (const peer of peers) {
      if (made.verdict(id, peer) !== "lost") return `${id} has not lost ${peer}`;
    }
  }
  return undefined;
}

const planted: Planted[] = [
  {
    fault: "oneWatcherIsEnough",
    promise: "five peers on bad links do not convict by the word of one",
    broken: (seed, faults) => {
      const made = new MembershipWorld(seed, 5, { ...calm, lossPercent: 22 }, faults);
      made.run(120_000);
      return firstLost(made);
    },
  },
  {
    fault: "noIndirectProbe",
    promise: "a peer that one watcher reaches is not lost to the others",
    broken: (seed, faults) => {
      const made = world(seed, 5, faults);
      const [peer, ...others] = made.ids as [NodeId, ...NodeId[]];
      for (const other of others.slice(1)) made.cut(peer, other);
      made.gossipGoesRound = false; // Or its own rumour would save it.
      made.run(10_000);
      return firstLost(made);
    },
  },
  {
    fault: "noSelfDistrust",
    promise: "the smaller part of a split convicts nobody before it has had time to doubt itself",
    broken: (seed, faults) => {
      const made = world(seed, 5, faults);
      const [most, few] = [made.ids.slice(0, 3), made.ids.slice(3)];
      for (const one of most) for (const other of few) made.cut(one, other);
      made.run(5000);
      return firstLost(made, few);
    },
  },
  {
    fault: "lostNotProbed",
    promise: "two peers that lost each other find each other again with the next probe",
    broken: (seed, faults) => {
      const made = world(seed, 2, faults);
      const [one, other] = made.ids as [NodeId, NodeId];
      made.cut(one, other);
      made.run(6000);
      made.heal();
      made.run((defaultConfig.lostProbeTicks + 3) * 50);
      return made.verdict(one, other) === "lost" ? `${one} has not found ${other}` : undefined;
    },
  },
  {
    fault: "noRefutation",
    promise: "a peer whose watchers cannot reach it, but whose voice does, is not lost",
    broken: (seed, faults) => {
      const made = world(seed, 9, faults);
      const [peer] = made.ids as [NodeId];
      for (const id of new Ring(made.ids).watchersOf(peer, 4, () => true)) made.cut(peer, id);
      made.run(10_000);
      return firstLost(made);
    },
  },
  {
    fault: "noPatienceAlone",
    promise: "of two peers, none is lost for a silence of 2.5 s",
    broken: (seed, faults) => {
      const made = world(seed, 2, faults);
      const [one, other] = made.ids as [NodeId, NodeId];
      made.cut(one, other);
      made.run(2500);
      made.heal();
      made.run(2000);
      return firstLost(made);
    },
  },
  {
    fault: "deadWatchersCount",
    promise: "two of five survivors convict the three that are gone",
    broken: (seed, faults) => {
      const made = world(seed, 5, faults);
      for (const id of made.ids.slice(2)) made.powerOff(id);
      made.run(20_000);
      return notLost(made, made.ids.slice(0, 2), made.ids.slice(2));
    },
  },
  {
    fault: "noGrace",
    promise: "an agent that restarts within 5 s is not lost",
    broken: (seed, faults) => {
      const made = world(seed, 5, faults);
      const [peer] = made.ids as [NodeId];
      made.killAgent(peer);
      made.run(5000);
      made.startAgent(peer);
      made.run(5000);
      return firstLost(made);
    },
  },
  {
    fault: "sightsAll",
    promise: "a leader does not hide a host that is lost",
    broken: (seed, faults) => {
      const made = ledWorld(seed, faults);
      const peer = made.ids[1] as NodeId;
      made.powerOff(peer);
      made.run(convictMsMax);
      return notLost(made, made.ids.slice(2), [peer]);
    },
  },
  {
    fault: "sightingsAgeless",
    promise: "a host that a leader has heard before it was lost is lost in time",
    broken: (seed, faults) => {
      const made = ledWorld(seed, faults);
      const [leader, peer, ...others] = made.ids as [NodeId, NodeId, ...NodeId[]];
      made.powerOff(peer);
      made.run(convictMsMax);
      return notLost(made, [leader, ...others], [peer]);
    },
  },
  {
    fault: "sightsWhatWaited",
    promise: "a leader that stood still does not tell that it heard a host that was lost meanwhile",
    broken: (seed, faults) => {
      const made = ledWorld(seed, faults);
      const [leader, peer, ...others] = made.ids as [NodeId, NodeId, ...NodeId[]];
      made.freeze(leader, 900);
      made.run(200);
      made.powerOff(peer);
      made.run(convictMsMax);
      return notLost(made, others, [peer]);
    },
  },
  {
    fault: "workersConvict",
    promise: "lying workers do not convict whom the only manager has not heard for 1.2 s",
    broken: (seed, faults) => {
      const made = new MembershipWorld(seed, 9, calm, faults);
      made.setMembers(made.ids, made.ids.slice(1));
      made.run(warmUpMs);
      const [leader, victim, ...liars] = made.ids as [NodeId, NodeId, ...NodeId[]];
      for (const liar of liars) made.slander(liar, [victim], (round) => round);
      made.gossipGoesRound = false;
      for (const id of liars) made.cut(victim, id);
      made.run(2000);
      made.cut(leader, victim);
      made.run(1200);
      made.heal();
      made.run(2000);
      return firstLost(made, [leader]);
    },
  },
];

const seeds = [1, 2, 3, 4, 5];

for (const { fault, promise, broken } of planted) {
  test(`${promise}: kept, and broken with ${fault}`, () => {
    const kept = seeds.map((seed) => broken(seed, {})).filter((found) => found !== undefined);
    assert.deepEqual(kept, []);
    const caught = seeds.some((seed) => broken(seed, { [fault]: true }) !== undefined);
    assert.ok(caught, `${fault} was not noticed`);
  });
}
