/** Tasks that move to a host that returned, by real peers, while the leader is lost. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { SimHost } from "./hosts/host.ts";
import {
  leaderOf,
  on,
  replicas,
  runningOn,
  viewOf,
  waitFor,
  web,
  worldWithService,
} from "./scenario.ts";
import type { World } from "./world.ts";

const seeds = Array.from({ length: 12 }, (_, index) => index + 1);
const hosts = 5;
/** Five moves of two at a time: pauses, starts, and a failover. */
const withinMs = 120_000;

/** How many tasks of the service each host runs, in the asked host's copy. */
function countsAt(world: World, asked: SimHost): number[] {
  const tasks = viewOf(asked).tasksOf(web);
  const running = tasks.filter(({ Status, DesiredState }) => {
    return Status.State === "running" && DesiredState === "running";
  });
  return world.hosts.map(({ id }) => running.filter(({ NodeID }) => NodeID === id).length);
}

test("a host that returned gets its share, every replica stays, and the next leader goes on", () => {
  for (const seed of seeds) {
    const world = worldWithService(seed, hosts);
    const said = `seed ${seed}`;
    const back = world.hosts.find((host) => host !== leaderOf(world)) ?? assert.fail();
    back.powerLoss();
    const [asked] = on(world).filter((host) => host !== leaderOf(world));
    assert.ok(asked !== undefined);
    waitFor(
      world,
      `${said}: all run elsewhere`,
      20_000,
      () => runningOn(world, asked) === replicas,
    );
    world.run(2000);
    back.start();
    const isBack = (): boolean => viewOf(asked).node(back.id)?.Status.State === "ready";
    waitFor(world, `${said}: it is back`, 20_000, isBack);
    world.run(5000);
    assert.equal(
      countsAt(world, asked)[world.hosts.indexOf(back)],
      0,
      `${said}: nothing moves by itself`,
    );

    world.ask(asked, [{ kind: "askRebalance", run: true }]);
    const open = () => viewOf(asked).cluster?.Rebalance?.open ?? [];
    let fewest = replicas;
    const look = (): void => {
      assert.ok(open().length <= 2, said);
      fewest = Math.min(fewest, runningOn(world, asked));
    };
    waitFor(world, `${said}: a move has begun`, 20_000, () => open().length > 0);
    const isOver = (): boolean => {
      look();
      const { isAsked = true } = viewOf(asked).cluster?.Rebalance ?? {};
      return !isAsked && open().length === 0;
    };
    // Seeds with an odd number lose the leader while a task moves.
    if (seed % 2 === 1) leaderOf(world).killAgent();
    waitFor(world, `${said}: all have moved`, withinMs, isOver);
    const { stopped, past = [] } = viewOf(asked).cluster?.Rebalance ?? {};
    assert.equal(stopped, undefined, said);
    if (seed % 2 === 1) continue;
    assert.equal(fewest, replicas, `${said}: every replica stays`);
    assert.deepEqual(countsAt(world, asked), Array(hosts).fill(replicas / hosts), said);
    assert.equal(past.length, replicas / hosts, `${said}: no move too many`);
  }
});
