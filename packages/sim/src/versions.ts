/**
 * Versions: two releases of gam in one cluster.
 *
 * In some histories (releases.ts) the hosts begin with the last release, and are upgraded one by one to the next
 * during the storm, while clients ask for a change that came with it. All other histories have one release.
 */
import { Breach } from "./checks/breach.ts";
import { pick, pickOn } from "./client.ts";
import type { SimHost } from "./hosts/host.ts";
import { changeOfNext } from "./releases.ts";
import type { World } from "./world.ts";

/** One in this many steps of the storm upgrades a host or asks for the change. */
const upgradeEvery = 16;
const askEvery = 6;
/** A host answers a request within this time. */
const answerMsMax = 11_000;

/** Upgrades a host or asks for the change, in some steps of the storm. */
export function mix(world: World): void {
  const { releases, random } = world;
  if (releases === undefined) return;
  const old = world.hosts.filter((host) => host.life > 0 && host.dialect !== releases.next);
  if (old.length > 0 && random.below(upgradeEvery) === 0) upgrade(world, pick(world, old));
  const asked = pickOn(world);
  if (asked === undefined || random.below(askEvery) > 0) return;
  world.ask(asked, [changeOfNext], undefined, ({ kind }) => {
    if (kind === "applied") insistOnAll(world, asked);
  });
}

/** Upgrades all hosts that still have the last release, in calm weather. */
export function upgradeAll(world: World): void {
  const { releases } = world;
  if (releases === undefined) return;
  for (const host of world.hosts) {
    if (host.life > 0 && host.dialect !== releases.next) upgrade(world, host);
  }
}

function upgrade(world: World, host: SimHost): void {
  const { releases } = world;
  if (releases === undefined) return;
  world.note(() => `${host.id} is upgraded`);
  if (host.peer !== undefined) host.killAgent();
  host.dialect = releases.next;
  host.start();
}

/** Checks that the change is accepted, now that all hosts are upgraded. */
export function takeChange(world: World): void {
  if (world.releases === undefined) return;
  const view = world.newest();
  const asked = world.hosts.find(({ id }) => view.node(id)?.Spec.Role === "manager");
  if (asked === undefined) throw new Breach("no manager can be asked");
  let answered = "no answer";
  world.ask(asked, [changeOfNext], undefined, (answer) => {
    answered = answer.kind === "applied" ? "" : answer.message;
  });
  world.run(answerMsMax);
  if (answered !== "")
    throw new Breach(`all hosts are upgraded, but the change is refused: ${answered}`);
  for (const { id, peer } of world.hosts) {
    if (peer?.view.dialect !== world.releases.next.newest)
      throw new Breach(`${id} has not applied the change`);
  }
}

/** Checks that every member can read the change that was applied. */
function insistOnAll({ hosts, releases }: World, { peer }: SimHost): void {
  const behind = hosts.find(({ id, dialect }) => {
    return dialect !== releases?.next && peer?.view.node(id) !== undefined;
  });
  if (behind === undefined) return;
  throw new Breach(`a change was accepted that ${behind.id} cannot read`);
}
