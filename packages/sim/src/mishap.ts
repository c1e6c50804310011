/**
 * Mishap: one random event in a cluster: a failure, or an operator's action.
 *
 * One host always stays a member and is never drained, so that every task has a place.
 */
import { ask, pick, pickOn } from "./client.ts";
import type { SimHost } from "./hosts/host.ts";
import type { World } from "./world.ts";

/** A world keeps at least this many hosts, or as many as it began with, and at most two more than it began with. */
const hostsMin = 3;
const joinedMax = 2;

export function happen(world: World, hostsAtFirst: number): void {
  const { random, hosts, network } = world;
  const host = pick(world, hosts);
  switch (random.below(24)) {
    case 0:
    case 1:
      if (host.peer === undefined) return;
      world.note(() => `${host.id} loses power`);
      return host.powerLoss();
    case 2:
      if (host.peer === undefined) return;
      world.note(() => `${host.id}: agent is killed`);
      return host.killAgent();
    case 3:
    case 4:
    case 5: {
      const off = hosts.filter(({ peer, life }) => peer === undefined && life > 0);
      if (off.length === 0) return;
      const back = pick(world, off);
      world.note(() => `${back.id} comes on`);
      return back.start();
    }
    case 6: {
      const left = hosts.filter(() => random.below(2) === 0).map(({ id }) => id);
      const right = hosts.map(({ id }) => id).filter((id) => !left.includes(id));
      if (left.length > 0 && right.length > 0) {
        world.note(() => `${left.join(", ")} and ${right.join(", ")} do not hear each other`);
      }
      return network.split(left, right);
    }
    case 7: {
      const deaf = pick(world, hosts);
      if (deaf !== host) world.note(() => `${deaf.id} does not hear ${host.id}`);
      return network.cut(host.id, deaf.id);
    }
    case 8:
      world.note(() => "network is healed: all hosts hear each other");
      return network.heal();
    case 9:
      network.weather = {
        lossPercent: random.below(30),
        doublePercent: random.below(20),
        delayMsMax: 1 + random.below(pick(world, [50, 400, 1500])),
      };
      world.note(() => weatherOf(network));
      return;
    case 10:
      world.note(() => `${host.id} freezes`);
      return host.freeze();
    case 11:
      world.note(() => `${host.id} thaws`);
      return host.thaw();
    case 12:
      return meddle(world, host);
    case 13:
      return troubleEngine(world, host);
    case 14:
      world.adjustClock(host);
      world.note(() => `${host.id}: clock is ${host.skewMs} ms off`);
      return;
    case 15:
      return moveIn(world, hostsAtFirst);
    case 16:
      return moveOut(world, host, Math.min(hostsMin, hostsAtFirst));
    case 17:
      host.diskMsMax = pick(world, [5, 5, 100, 3000]);
      world.note(() => `${host.id}: writes take ${host.diskMsMax} ms`);
      return;
    case 18: {
      if (!world.secretive) return ask(world);
      const isSilent = random.below(2) === 0;
      world.note(() => `${host.id} gets ${isSilent ? "no" : "its"} secrets from managers`);
      return host.engine.silence(isSilent);
    }
    default:
      return ask(world);
  }
}

function weatherOf({ weather }: World["network"]): string {
  const { lossPercent, doublePercent, delayMsMax } = weather;
  return `weather: ${lossPercent} % lost, ${doublePercent} % doubled, delays up to ${delayMsMax} ms`;
}

/** Ends a container, or removes it by hand. */
function meddle(world: World, { id, engine }: SimHost): void {
  const [container] = engine.containers().filter(({ phase }) => phase === "running");
  if (container === undefined) return;
  if (world.random.below(2) === 0) {
    const code = world.random.below(2);
    world.note(() => `container of ${container.task} on ${id} ends with code ${code}`);
    engine.exit(container.task, code);
  } else {
    world.note(() => `operator removes the container of ${container.task} on ${id}`);
    engine.remove(container.task);
  }
}

function troubleEngine(world: World, host: SimHost): void {
  if (host.peer === undefined) return;
  const hangs = world.random.below(2) === 0;
  if (host.engineLost) {
    world.note(() => `${host.id}: engine is back`);
    host.recoverEngine();
  } else if (hangs) {
    world.note(() => `${host.id}: engine hangs`);
    host.hangEngine();
  } else {
    world.note(() => `${host.id}: engine is lost`);
    host.loseEngine();
  }
}

function moveIn(world: World, hostsAtFirst: number): void {
  const by = pickOn(world);
  if (by !== undefined && world.hosts.length < hostsAtFirst + joinedMax)
    world.join(by, world.joinsAs);
}

/** Makes a host leave, or removes it by force, on or off. */
function moveOut(world: World, host: SimHost, hostsLeast: number): void {
  if (host === world.hosts[0] || world.hosts.length <= hostsLeast) return;
  if (host.peer !== undefined && world.random.below(2) === 0) return world.leave(host);
  const by = pickOn(world);
  if (by === undefined) return;
  world.note(() => `operator removes ${host.id} by force`);
  world.ask(by, [{ kind: "removeNode", id: host.id }]);
}
