/** Connections that last while their tasks are replaced, moved and lost, by real peers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "@gam/core";
import { isLeaving, type ServiceSpec, type Task } from "@gam/state";
import { Breach } from "./checks/breach.ts";
import { update } from "./client.ts";
import type { Planted } from "./hosts/faults.ts";
import type { SimHost } from "./hosts/host.ts";
import { on, viewOf, waitFor, web } from "./scenario.ts";
import { World } from "./world.ts";

/** Every fourth history has no networks. */
const seeds = Array.from({ length: 8 }, (_, index) => index + 1).filter((seed) => seed % 4 !== 3);
const hostCount = 4;
const replicas = 6;
const published = 8080;
const drainS = 6;
/** In ticks of an engine. Some connections last longer than the drain. */
const connectionTicksMax = 200;
/** A wave of two tasks: each keeps its connections to the end of the drain, and stops and starts. */
const settledMsMax = (replicas / 2) * (drainS * 1000 + 5000) + 60_000;

function specOf(Image: string, isStartFirst: boolean): ServiceSpec {
  return {
    Name: "web",
    Labels: { "gam.drain": `${drainS}s` },
    TaskTemplate: { ContainerSpec: { Image } },
    Mode: { Replicated: { Replicas: replicas } },
    UpdateConfig: {
      Parallelism: 2,
      Monitor: 1e9,
      Order: isStartFirst ? "start-first" : "stop-first",
    },
    EndpointSpec: { Ports: [{ Protocol: "tcp", TargetPort: 80, PublishedPort: published }] },
  };
}

/** Clients that open connections at every host, to the tasks that the host's plan says. */
class Clients {
  readonly #world: World;
  opened = 0;
  /** Leaving tasks that were seen with connections. */
  readonly waited = new Set<string>();

  constructor(world: World) {
    this.#world = world;
  }

  look(): void {
    const { hosts, random } = this.#world;
    const tasks = this.#world.newest().tasksOf(web);
    for (const { plan } of hosts) {
      const backends = plan?.ports.find((port) => port.published === published)?.backends ?? [];
      const address = backends[random.below(Math.max(1, backends.length))];
      const task = tasks.find(({ Gam, NodeID }) => {
        return NodeID !== undefined && Gam.attachments.some((one) => one.address === address);
      });
      if (task !== undefined && random.below(3) === 0) this.#connect(task);
    }
    for (const task of tasks.filter(isLeaving)) {
      const count = this.#hostOf(task)?.engine.connections(task.ID) ?? 0;
      if (count > 0) this.waited.add(task.ID);
    }
  }

  #connect(task: Task): void {
    const ticks = 1 + this.#world.random.below(connectionTicksMax);
    if (this.#hostOf(task)?.engine.connect(task.ID, ticks)) this.opened += 1;
  }

  #hostOf({ NodeID }: Task): SimHost | undefined {
    return this.#world.hosts.find(({ id }) => id === NodeID);
  }
}

/** Runs one history. Throws what the checkers find. */
function live(seed: number, planted: Planted = {}): void {
  const world = new World(seed, hostCount, planted);
  world.form();
  const clients = new Clients(world);
  const [asked, other, third] = world.hosts as [SimHost, SimHost, SimHost];
  const isStartFirst = seed % 2 === 0;
  world.ask(asked, [{ kind: "createService", id: web, spec: specOf("app:1", isStartFirst) }]);
  const settled = (what: string, image: string, count: number): void => {
    waitFor(world, `seed ${seed}: ${what}`, settledMsMax, () => {
      clients.look();
      const reachable = new Set(on(world).map(({ id }) => id));
      const tasks = viewOf(asked).tasksOf(web);
      const running = tasks.filter(({ Status, NodeID }) => {
        return Status.State === "running" && NodeID !== undefined && reachable.has(NodeID);
      });
      const right = running.filter(({ DesiredState, Spec }) => {
        return DesiredState === "running" && Spec.ContainerSpec.Image === image;
      });
      return right.length === count && running.length === count;
    });
  };
  settled("it runs", "app:1", replicas);

  update(world, asked, serviceOf(asked), specOf("app:2", isStartFirst));
  waitFor(world, `seed ${seed}: a task drains`, settledMsMax, () => {
    clients.look();
    return clients.waited.size > 0;
  });
  // An agent that is killed meanwhile begins the wait anew.
  other.killAgent();
  world.run(500);
  other.start();
  settled("it is updated", "app:2", replicas);

  drainNode(world, asked, third.id);
  settled("a node is empty", "app:2", replicas);
  const fewer = { ...specOf("app:2", isStartFirst), Mode: { Replicated: { Replicas: 2 } } };
  update(world, asked, serviceOf(asked), fewer);
  other.powerLoss();
  settled("it has fewer tasks, and a host less", "app:2", 2);

  world.ask(asked, [{ kind: "removeService", id: web }]);
  // Without a drain: only the wait for the hosts' packet filters and the lost host, which keeps none.
  waitFor(world, `seed ${seed}: it is removed`, drainS * 1000, () => {
    clients.look();
    return on(world).every(({ engine }) => engine.containers().length === 0);
  });
  assert.ok(clients.opened > 100 && clients.waited.size > 3, `seed ${seed}: connections`);
}

function serviceOf(host: SimHost) {
  return viewOf(host).service(web) ?? assert.fail("there is no service");
}

function drainNode(world: World, asked: SimHost, id: NodeId): void {
  const node = viewOf(asked).node(id) ?? assert.fail("there is no node");
  const spec = { ...node.Spec, Availability: "drain" } as const;
  world.ask(asked, [{ kind: "updateNode", id, spec, basedOn: node.Version.Index }]);
}

test("a task that leaves is stopped when its connections have ended, or its time is over", () => {
  for (const seed of seeds) live(seed);
});

test("the checker of drains finds a worker that stops at once", () => {
  assert.throws(
    () => live(1, { peer: { worker: { drainForgotten: true } } }),
    (thrown) => {
      return thrown instanceof Breach && /stops task .* open connections/.test(thrown.message);
    },
  );
});
