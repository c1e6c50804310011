/**
 * Storm: a while in which anything may fail, while clients go on asking; then calm, in which all that
 * they were promised must come true in bounded time.
 */
import type { NodeId, ServiceId } from "@gam/core";
import type { Node, Service, ServiceSpec } from "@gam/state";
import { Breach } from "./checkers.ts";
import type { Planted } from "./faults.ts";
import { type Host, images } from "./host.ts";
import { calmWeather } from "./network.ts";
import { World } from "./world.ts";

const stormMs = 30_000;
const drizzleRounds = 3;
const servicesMax = 4;

/**
 * Longest that calm may take. Derived: hosts come on and elect (two terms, 4 s), lost ones are heard again and
 * called ready (6 s), a crashed task waits for its restart delay (1 s), and the longest update is 6
 * replicas one by one, each stopped (0.5 s), made, healthy (1 s), watched (1 s) and 0.5 s apart, perhaps
 * once forward and once back (48 s). The rest is commits.
 */
export const calmMsMax = 70_000;

export interface History {
  readonly settledMs: number;
  readonly entries: number;
  readonly downs: number;
}

/** Lives one history. Throws what the checkers find. */
export function live(
  seed: number,
  planted: Planted = {},
  tracing = false,
): History & { world: World } {
  const world = new World(seed, 3 + (seed % 3), planted, tracing);
  try {
    return { ...liveIn(world, seed), world };
  } catch (thrown) {
    if (tracing) {
      for (const line of world.trace) process.stdout.write(`${line}\n`);
      process.stdout.write(`${world.describe()}\n`);
    }
    throw thrown;
  }
}

function liveIn(world: World, seed: number): History {
  world.form();
  // Every fourth history has weather that must not cost anybody its place, before the one that may.
  if (seed % 4 === 0) drizzle(world);
  for (let atMs = 0; atMs < stormMs; ) {
    const stepMs = 50 + world.random.below(500);
    blow(world);
    world.run(stepMs);
    atMs += stepMs;
  }
  calm(world);
  const settledMs = world.until("everything is as it was asked for", calmMsMax);
  world.checkers.kept(world.newest());
  return { settledMs, entries: world.newest().index, downs: world.checkers.downs };
}

/**
 * Frames lost as TCP loses them, short freezes, two hosts that do not hear each other, an agent killed
 * and started again: nobody may be evicted for that, and no container may notice.
 */
function drizzle(world: World): void {
  const { checkers, hosts, network } = world;
  checkers.evictionForbidden = true;
  network.weather = { lossPercent: 10, streams: true, doublePercent: 0, delayMsMax: 10 };
  const victim = pick(world, hosts);
  const [deaf, mute] = hosts.filter((host) => host !== victim);
  for (let round = 0; round < drizzleRounds; round += 1) {
    ask(world);
    victim.freeze();
    world.run(1000);
    victim.thaw();
    // Of three, that would leave one witness, and that one is frozen now and then.
    if (round === 1 && hosts.length > 3 && deaf !== undefined && mute !== undefined) {
      network.split([deaf.id], [mute.id]);
    }
    world.run(4000);
    network.heal();
  }
  network.weather = calmWeather;
  world.until("the drizzle is over", calmMsMax);
  upgrade(world, pick(world, hosts));
  checkers.evictionForbidden = false;
}

/** The agent is gone for a while, and its containers are not: they are adopted when it is back. */
function upgrade(world: World, host: Host): void {
  const ran = host.engine.containers().filter(({ phase }) => phase === "running");
  host.killAgent();
  world.run(1000 + world.random.below(9000));
  host.start();
  world.until("the agent is back", calmMsMax);
  for (const { id, task } of ran) {
    const { Spec, DesiredState } = world.newest().task(task) ?? {};
    if (Spec?.ContainerSpec.Image === "app:flaky" || DesiredState !== "running") continue;
    if (
      host.engine.container(task)?.id !== id ||
      host.engine.container(task)?.phase !== "running"
    ) {
      throw new Breach(`${host.id}: container of task ${task} did not live through an upgrade`);
    }
  }
}

function calm(world: World): void {
  world.network.heal();
  world.network.weather = calmWeather;
  for (const host of world.hosts) {
    host.thaw();
    if (host.peer === undefined) host.start();
  }
}

/** One thing happens. */
function blow(world: World): void {
  const { random, hosts, network } = world;
  const host = pick(world, hosts);
  switch (random.below(16)) {
    case 0:
    case 1:
      if (host.peer !== undefined) {
        world.note(() => `${host.id} loses power`);
        host.powerLoss();
      }
      return;
    case 2:
      if (host.peer !== undefined) {
        world.note(() => `${host.id}: agent is killed`);
        host.killAgent();
      }
      return;
    case 3:
    case 4:
    case 5: {
      const off = hosts.filter(({ peer }) => peer === undefined);
      if (off.length > 0) {
        const back = pick(world, off);
        world.note(() => `${back.id} comes on`);
        back.start();
      }
      return;
    }
    case 6: {
      const left = hosts.filter(() => random.below(2) === 0).map(({ id }) => id);
      const right = hosts.map(({ id }) => id).filter((id) => !left.includes(id));
      world.note(() => `split ${left} from ${right}`);
      return network.split(left, right);
    }
    case 7:
      world.note(() => `${host.id} is not heard by one`);
      return network.cut(host.id, pick(world, hosts).id);
    case 8:
      return network.heal();
    case 9:
      network.weather = {
        lossPercent: random.below(30),
        doublePercent: random.below(20),
        delayMsMax: 1 + random.below(pick(world, [50, 400, 1500])),
      };
      return;
    case 10:
      return host.freeze();
    case 11:
      return host.thaw();
    case 12: {
      const [container] = host.engine.containers().filter(({ phase }) => phase === "running");
      if (container !== undefined) host.engine.exit(container.task, random.below(2));
      return;
    }
    default:
      return ask(world);
  }
}

/** A client asks any host that is on for something. */
function ask(world: World): void {
  const { random } = world;
  const on = world.hosts.filter(({ peer }) => peer !== undefined);
  if (on.length === 0) return;
  const host = pick(world, on);
  const view = host.peer?.view;
  if (view === undefined) return;
  const services = view.services();
  const roll = random.below(10);
  if (services.length === 0 || (roll < 3 && services.length < servicesMax)) {
    const id = `s${world.agenda.nowMs}-${random.below(1000)}` as ServiceId;
    const change = {
      kind: "createService" as const,
      id,
      spec: newSpec(world, id),
      registryAuth: "",
    };
    return world.ask(host, [change], { kind: "create", service: id });
  }
  if (roll === 3) return alter(world, host, view.nodes());
  const service = pick(world, services);
  if (roll === 4) {
    const change = { kind: "removeService" as const, id: service.ID };
    return world.ask(host, [change], { kind: "remove", service: service.ID });
  }
  const change = {
    kind: "updateService" as const,
    id: service.ID,
    spec: changed(world, service),
    previous: service.Spec,
    registryAuth: "",
    rollback: false,
    basedOn: service.Version.Index,
  };
  world.ask(host, [change], { kind: "update", service: service.ID });
}

function alter(world: World, host: Host, nodes: readonly Node[]): void {
  // One host always stays, so that every service can be satisfied somewhere.
  const drainable = nodes.filter(({ ID }) => ID !== world.hosts[0]?.id);
  if (drainable.length === 0) return;
  const node = pick(world, drainable);
  const Availability = node.Spec.Availability === "active" ? "drain" : "active";
  const spec = { ...node.Spec, Availability } as const;
  world.ask(host, [
    { kind: "updateNode", id: node.ID as NodeId, spec, basedOn: node.Version.Index },
  ]);
}

function newSpec(world: World, name: string): ServiceSpec {
  const { random } = world;
  return {
    Name: name,
    TaskTemplate: {
      ContainerSpec: { Image: pick(world, images) },
      RestartPolicy: { Condition: "any", Delay: 1e9 },
    },
    Mode:
      random.below(4) === 0 ? { Global: {} } : { Replicated: { Replicas: 1 + random.below(6) } },
    UpdateConfig: {
      Parallelism: random.below(3),
      Delay: random.below(2) * 5e8,
      Monitor: 1e9,
      Order: random.below(2) === 0 ? "start-first" : "stop-first",
      FailureAction: pick(world, ["pause", "continue", "rollback"] as const),
      MaxFailureRatio: 0.5,
    },
  };
}

function changed(world: World, { Spec }: Service): ServiceSpec {
  if (world.random.below(2) === 0 && Spec.Mode.Replicated !== undefined) {
    return { ...Spec, Mode: { Replicated: { Replicas: world.random.below(7) } } };
  }
  const ContainerSpec = { ...Spec.TaskTemplate.ContainerSpec, Image: pick(world, images) };
  return { ...Spec, TaskTemplate: { ...Spec.TaskTemplate, ContainerSpec } };
}

function pick<T>(world: World, list: readonly T[]): T {
  return list[world.random.below(list.length)] as T;
}
