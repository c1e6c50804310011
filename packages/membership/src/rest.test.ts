/** A machine that rests does the same at the same moments as a machine that gets each tick. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "@gam/core";
import { calm, type LinkWeather, MembershipWorld } from "./testing/membership-world.ts";

const weathers: readonly (readonly [string, LinkWeather])[] = [
  ["calm", calm],
  ["lossy", { ...calm, lossPercent: 10 }],
  ["busy", { lossPercent: 0, delayMsMax: 500, pausePercent: 20, pauseMsMax: 500 }],
];

function history(
  seed: number,
  weather: LinkWeather,
  isLed: boolean,
  rests: boolean,
): MembershipWorld {
  const world = new MembershipWorld(seed, 5, weather);
  world.rests = rests;
  const [leader, frozen, lost, killed] = world.ids as [NodeId, NodeId, NodeId, NodeId];
  if (isLed) world.lead(leader);
  world.at(9_000, () => world.freeze(frozen, 1000));
  world.at(12_000, () => world.killAgent(killed));
  world.at(14_000, () => world.startAgent(killed));
  world.at(20_000, () => world.powerOff(lost));
  world.run(40_000);
  return world;
}

for (const [name, weather] of weathers) {
  test(`a rest changes nothing in ${name} weather`, () => {
    for (let seed = 1; seed <= 10; seed += 1) {
      for (const isLed of [false, true]) {
        const [told, rested] = [false, true].map((rests) => history(seed, weather, isLed, rests));
        const facts = (world: MembershipWorld | undefined) => ({
          judgements: world?.judgements,
          traffic: world?.ids.map((id) => world.traffic(id)),
        });
        assert.deepEqual(facts(rested), facts(told), `seed ${seed}, led ${isLed}`);
      }
    }
  });
}

test("followers of a healthy leader hardly ever wake by themselves", () => {
  const world = new MembershipWorld(1, 5);
  world.lead(world.ids[0] as NodeId);
  world.run(10_000);
  const before = world.wakes;
  world.run(60_000);
  const wakesPerSecond = (world.wakes - before) / 60 / 5;
  assert.ok(wakesPerSecond < 7, `${wakesPerSecond} times a second and peer`);
});
