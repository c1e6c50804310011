/** Replicas that follow a load, by real peers: usage by gossip, decisions by leaders that are lost. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { leaderOf, on, spec, viewOf, waitFor, web, worldWithService } from "./scenario.ts";
import type { World } from "./world.ts";

const seeds = [1, 2, 3, 4, 5, 6];
const windowMs = 120_000;
/** Two looks, a failover, and gossip that was lost. */
const slackMs = 60_000;
const Labels = {
  "gam.autoscale.min": "1",
  "gam.autoscale.max": "8",
  "gam.autoscale.cpu": "50",
  "gam.autoscale.down.window": "2m",
};

function replicasIn(world: World): number {
  const [first] = on(world);
  assert.ok(first !== undefined);
  return viewOf(first).service(web)?.Spec.Mode.Replicated?.Replicas ?? 0;
}

/** The tasks share this load, in cores. */
function load(world: World, cores: number): void {
  for (const host of world.hosts) {
    host.coresPerTask = () => {
      const tasks = host.peer?.view.tasksOf(web) ?? [];
      const running = tasks.filter(({ Status, DesiredState }) => {
        return Status.State === "running" && DesiredState === "running";
      });
      return cores / Math.max(1, running.length);
    };
  }
}

test("the next leader goes on with a window that has begun", () => {
  for (const seed of seeds) {
    const world = worldWithService(seed, 3);
    const leader = leaderOf(world);
    const basedOn = viewOf(leader).service(web)?.Version.Index ?? 0;
    load(world, 3.9);
    world.ask(leader, [{ kind: "updateService", id: web, spec: { ...spec, Labels }, basedOn }]);
    waitFor(world, `seed ${seed}: at most the maximum`, 5_000, () => replicasIn(world) === 8);
    world.run(windowMs + slackMs);
    assert.equal(replicasIn(world), 8, `seed ${seed}: as many as the load needs`);

    load(world, 0.9);
    world.run(windowMs / 2);
    assert.equal(replicasIn(world), 8, `seed ${seed}: the window is not over`);
    leaderOf(world).powerLoss();
    const tookMs = waitFor(
      world,
      `seed ${seed}: down`,
      windowMs,
      () => replicasIn(world) === 2,
      500,
    );
    assert.ok(tookMs < windowMs / 2 + slackMs, `seed ${seed}: ${tookMs} ms after the loss`);

    load(world, 2.4);
    waitFor(world, `seed ${seed}: up`, slackMs, () => replicasIn(world) === 5, 500);
    const [first] = on(world);
    assert.ok(first !== undefined);
    const { decisions = [] } = viewOf(first).service(web)?.Gam.autoscale ?? {};
    const turns = decisions.map(({ from, to }) => (to > from ? "up" : "down"));
    // Tasks that are silent during the failover count as busy, so it may go down in two steps.
    assert.match(turns.join(" "), /^(down ){1,2}up$/, `seed ${seed}`);
  }
});
