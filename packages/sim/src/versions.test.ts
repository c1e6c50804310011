import assert from "node:assert/strict";
import { test } from "node:test";
import type { SimHost } from "./hosts/host.ts";
import { changeOfNext } from "./releases.ts";
import { leaderOf, replicas, runningOn, viewOf, waitFor, worldWithService } from "./scenario.ts";
import { calmMsMax } from "./storm.ts";
import { upgradeAll } from "./versions.ts";

/** Of histories in which hosts are upgraded. */
const seeds = [3, 10, 17, 24];

for (const seed of seeds) {
  test(`seed ${seed}: a host that cannot read what all others apply stands still, and is replaced`, () => {
    // Five vote, and one can take over a vote.
    const world = worldWithService(seed, 6);
    const { releases, checkers } = world;
    assert.ok(releases !== undefined);
    upgradeAll(world);
    world.until("all are upgraded", calmMsMax);
    const votes = (host: SimHost): boolean =>
      leaderOf(world).peer?.raft.configuration.voters.includes(host.id) ?? false;
    const victim = world.hosts.find((host) => host !== leaderOf(world) && votes(host));
    assert.ok(victim !== undefined);
    victim.killAgent();
    victim.dialect = releases.last;
    assert.throws(() => victim.start(), { code: "NOT_SUPPORTED" });
    victim.tamper();
    checkers.tampered = victim.id;
    victim.start();
    world.run(5000);
    const before = viewOf(victim).index;
    const asked = leaderOf(world);
    let answer = "";
    world.ask(asked, [changeOfNext], undefined, ({ kind }) => {
      answer = kind;
    });
    waitFor(world, "the others apply it", 10_000, () => answer === "applied");
    waitFor(world, "it is called down", 20_000, () => {
      return viewOf(asked).node(victim.id)?.Status.State === "down";
    });
    assert.ok(viewOf(victim).index >= before);
    assert.equal(viewOf(victim).dialect, 1, "it has not applied the change");
    const stoodAt = viewOf(victim).index;
    const others = world.hosts.filter((host) => host !== victim);
    waitFor(world, "the others run all", 30_000, () => {
      const running = viewOf(asked)
        .tasks()
        .filter(({ Status, DesiredState, NodeID }) => {
          return Status.State === "running" && DesiredState === "running" && NodeID !== victim.id;
        });
      return running.length === replicas && others.every(({ peer }) => peer?.leader !== undefined);
    });
    waitFor(world, "another votes in its place", 10_000, () => !votes(victim));
    assert.equal(viewOf(victim).index, stoodAt);
    assert.match(victim.peer?.troubles.join() ?? "", /takes no part .* Upgrade gam on this host/);
    victim.killAgent();
    victim.dialect = releases.next;
    victim.start();
    world.until("it is back, with all that the others have", calmMsMax);
    assert.equal(viewOf(victim).dialect, 2);
    assert.equal(runningOn(world, victim), replicas);
  });
}
