/**
 * Storm: a time in which anything may fail while clients send requests. Then calm, in which the cluster
 * must reach its desired state in bounded time.
 */
import { testKey } from "@gam/core/testing";
import { aSealingKey } from "@gam/state/testing";
import { Breach, doubled } from "./checks/checkers.ts";
import { ask, pick, pickOn, update, withImage } from "./client.ts";
import type { Planted } from "./hosts/faults.ts";
import { diskMsDefault, restless, type SimHost } from "./hosts/host.ts";
import { calmWeather } from "./hosts/network.ts";
import { happen } from "./mishap.ts";
import type { Teller } from "./story/teller.ts";
import { mix, takeChange, upgradeAll } from "./versions.ts";
import { World } from "./world.ts";

const stormMsDefault = 30_000;
const drizzleRounds = 3;
/** One in this many histories has two hosts: a voter and a standby. */
const pairEvery = 16;
/** In calm weather every host has applied a write after this time. */
const commitMs = 200;
/** A host answers a request within this time, unless it freezes meanwhile. */
const answerMsMax = 11_000;

/**
 * Longest time until calm. Derived: hosts start and elect (two terms, 4 s), lost hosts are heard again and
 * marked ready (6 s). A task that crashed again and again waits for its restart delay: 1 s, doubled with each crash,
 * so at most as long as all delays before it together, which is the length of the storm (30 s). The longest update has 6
 * replicas one by one, each stopped (1.5 s), started, healthy (1 s), monitored (1 s) and 0.5 s apart, perhaps
 * once forward and once back (60 s). The rest is commits.
 */
export const calmMsMax = 110_000;

export interface History {
  readonly settledMs: number;
  readonly entries: number;
  readonly downs: number;
}

export interface LiveOptions {
  readonly planted?: Planted;
  readonly teller?: Teller | undefined;
  /** Length of the storm, in virtual time. */
  readonly stormMs?: number;
}

/** Runs one history. Throws what the checkers find. */
export function live(seed: number, options: LiveOptions = {}): History {
  return liveIn(worldOf(seed, options), seed, options.stormMs);
}

/** The world of a history, before any event. */
export function worldOf(seed: number, { planted = {}, teller }: LiveOptions = {}): World {
  return new World(seed, seed % pairEvery === 7 ? 2 : 3 + (seed % 3), planted, teller);
}

/** Runs the history of this seed in a new world. Throws what the checkers find. */
export function liveIn(world: World, seed: number, stormMs = stormMsDefault): History {
  world.form();
  const hostsAtFirst = world.hosts.length;
  // Every fourth history begins with bad weather that must not get any node marked down.
  if (seed % 4 === 0) drizzle(world);
  if (seed % 8 === 5) rotateRoot(world, seed);
  for (let atMs = 0; atMs < stormMs; ) {
    const stepMs = 50 + world.random.below(500);
    happen(world, hostsAtFirst);
    mix(world);
    const reader = pickOn(world);
    if (reader !== undefined) world.read(reader);
    world.run(stepMs);
    atMs += stepMs;
  }
  calm(world);
  const settledMs = world.until("cluster settled", calmMsMax);
  world.checkers.kept(world.newest());
  takeChange(world);
  if (seed % 4 === 1) shine(world);
  if (seed % 8 === 2) {
    world.run(answerMsMax);
    if (world.unanswered > 0) throw new Breach(`${world.unanswered} requests were not answered`);
  }
  return { settledMs, entries: world.newest().index, downs: world.checkers.downs };
}

const signature = Buffer.alloc(64, "s").toString("base64");

/** Begins to replace the root key, which is done when the storm has ended, at the latest. */
function rotateRoot(world: World, seed: number): void {
  const root = world.newest().cluster?.RootPublicKey ?? "";
  const next = { PublicKey: testKey(`root${seed}`), Signature: signature };
  const token = { PublicKey: testKey(`token${seed}`), Sealed: { [next.PublicKey]: "" } };
  const tokens = { Worker: token, Manager: token };
  const kept = (world.newest().cluster?.SealingKeys ?? []).map(({ ID, Sealed }) => {
    return { ID, Sealed: { ...Sealed, [next.PublicKey]: "" } };
  });
  const keys = [...kept, aSealingKey(`key${seed}`, [next.PublicKey])];
  world.ask(pick(world, world.hosts), [{ kind: "rotateRoot", root, next, tokens, keys }]);
}

/**
 * Frames lost under TCP, short freezes, two hosts that do not hear each other, an agent killed and
 * started again: none of this may get a node marked down or disturb a container.
 */
function drizzle(world: World): void {
  const { checkers, hosts, network } = world;
  checkers.evictionForbidden = true;
  network.weather = { lossPercent: 10, streams: true, doublePercent: 0, delayMsMax: 10 };
  const victim = pick(world, hosts);
  const [deaf, mute] = hosts.filter((host) => host !== victim);
  world.note(
    () => `drizzle: lost frames are sent again, and ${victim.id} freezes for 1 s now and then`,
  );
  for (let round = 0; round < drizzleRounds; round += 1) {
    ask(world);
    victim.freeze();
    world.run(1000);
    victim.thaw();
    // With three hosts only one watcher would remain, and that one freezes now and then.
    if (round === 1 && hosts.length > 3 && deaf !== undefined && mute !== undefined) {
      world.note(() => `${deaf.id} and ${mute.id} do not hear each other`);
      network.split([deaf.id], [mute.id]);
    }
    world.run(4000);
    network.heal();
  }
  network.weather = calmWeather;
  world.until("settled after the drizzle", calmMsMax);
  upgrade(world, pick(world, hosts));
  checkers.evictionForbidden = false;
}

/** Stops the agent for a while. Its containers keep running, and it adopts them when it is back. */
function upgrade(world: World, host: SimHost): void {
  const ran = host.engine.containers().filter(({ phase }) => phase === "running");
  world.note(() => `${host.id}: agent is stopped and started again`);
  host.killAgent();
  world.run(1000 + world.random.below(9000));
  host.start();
  world.until("settled after the agent restarted", calmMsMax);
  for (const { id, task } of ran) {
    const { Spec, DesiredState } = world.newest().task(task) ?? {};
    if (restless.has(Spec?.ContainerSpec.Image ?? "") || DesiredState !== "running") continue;
    if (
      host.engine.container(task)?.id !== id ||
      host.engine.container(task)?.phase !== "running"
    ) {
      throw new Breach(`${host.id}: container of task ${task} did not survive an upgrade`);
    }
  }
}

function calm(world: World): void {
  world.note(() => "the storm is over: all hosts start and hear each other");
  world.network.heal();
  world.network.weather = calmWeather;
  for (const host of world.hosts) {
    host.thaw();
    host.recoverEngine();
    host.engine.silence(false);
    host.diskMsMax = diskMsDefault;
    if (host.peer === undefined && host.life > 0) host.start();
  }
  world.dropStrangers(answerMsMax);
  // Before an agent is asked for anything: the request is lost when the agent is upgraded in the same moment.
  upgradeAll(world);
  world.removeGhosts();
}

/** Updates services while all is well: no node may be marked down, and no slot may run twice. */
function shine(world: World): void {
  const { checkers } = world;
  checkers.evictionForbidden = true;
  checkers.refusalForbidden = true;
  // The first takes long to stop.
  for (const image of ["app:2", "app:1"]) {
    for (const service of world.newest().services()) {
      const host = pickOn(world);
      if (host === undefined || service.Spec.Mode.Replicated === undefined) continue;
      update(world, host, service, withImage(service.Spec, image));
      world.read(host);
    }
    world.run(commitMs);
    world.until("services updated", calmMsMax, () => {
      const twice = doubled(world.hosts, world.newest());
      if (twice !== undefined) throw new Breach(twice);
    });
  }
  checkers.refusalForbidden = false;
  checkers.evictionForbidden = false;
}
