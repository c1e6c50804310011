/**
 * Scenario: a cluster with one service, and what tests do with it and wait for.
 */
import assert from "node:assert/strict";
import type { ServiceId } from "@gam/core";
import { testId } from "@gam/core/testing";
import type { ProposalOutcome } from "@gam/peer";
import type { ServiceSpec, View } from "@gam/state";
import { pictureOf } from "./failure.ts";
import type { Planted } from "./hosts/faults.ts";
import type { SimHost } from "./hosts/host.ts";
import { picture } from "./story/picture.ts";
import { World } from "./world.ts";

/** The service that a scenario is about. */
export const web = testId<ServiceId>("web");
export const replicas = 10;

export const spec: ServiceSpec = {
  Name: "web",
  TaskTemplate: { ContainerSpec: { Image: "app:1" } },
  Mode: { Replicated: { Replicas: replicas } },
};

/** A cluster of this many hosts, on which the service runs. */
export function worldWithService(seed: number, hosts: number, planted: Planted = {}): World {
  const world = new World(seed, hosts, planted);
  world.form();
  const [first] = world.hosts;
  assert.ok(first !== undefined);
  world.ask(first, [{ kind: "createService", id: web, spec }], {
    kind: "create",
    service: web,
  });
  waitFor(world, "the service runs", 20_000, () => runningOn(world, first) === replicas);
  return world;
}

/** Hosts whose agents run. */
export function on(world: World): SimHost[] {
  return world.hosts.filter(({ peer }) => peer !== undefined);
}

/** This host's copy of the state. */
export function viewOf(host: SimHost): View {
  assert.ok(host.peer !== undefined, `${host.id} is on`);
  return host.peer.view;
}

/** Number of replicas that run on hosts with running agents, in the asked host's copy of the state. */
export function runningOn(world: World, asked: SimHost): number {
  const alive = on(world).map(({ id }) => id);
  return viewOf(asked)
    .tasksOf(web)
    .filter(
      ({ Status, DesiredState, NodeID }) =>
        Status.State === "running" &&
        DesiredState === "running" &&
        alive.some((id) => id === NodeID),
    ).length;
}

/** The host that considers itself the leader. */
export function leaderOf(world: World): SimHost {
  const leader = world.hosts.find(({ id, peer }) => peer?.leader === id);
  assert.ok(leader !== undefined, "somebody leads");
  return leader;
}

/** Asks a host for this many replicas. It may refuse if its copy is not the newest. */
export function scale(
  world: World,
  asked: SimHost,
  to: number,
  then?: (answer: ProposalOutcome) => void,
): void {
  const service = viewOf(asked).service(web);
  assert.ok(service !== undefined);
  const change = {
    kind: "updateService" as const,
    id: web,
    spec: { ...service.Spec, Mode: { Replicated: { Replicas: to } } },
    basedOn: service.Version.Index,
  };
  world.ask(asked, [change], { kind: "update", service: web }, then);
}

/** Runs until `holds` is true. Returns the virtual milliseconds that took. */
export function waitFor(
  world: World,
  what: string,
  withinMs: number,
  holds: () => boolean,
  stepMs = 20,
): number {
  const beganMs = world.agenda.nowMs;
  while (!holds()) {
    const tookMs = world.agenda.nowMs - beganMs;
    assert.ok(
      tookMs < withinMs,
      `timeout after ${withinMs} ms: ${what}\n${picture(pictureOf(world)).join("\n")}`,
    );
    world.run(stepMs);
  }
  return world.agenda.nowMs - beganMs;
}
