import assert from "node:assert/strict";
import { test } from "node:test";
import { testId } from "@gam/core/testing";
import type { AskedChange, Service } from "@gam/state";
import { aSeal } from "@gam/state/testing";
import { withImage } from "../client.ts";
import type { SimHost } from "../hosts/host.ts";
import { leaderOf, viewOf, waitFor, web, worldWithService } from "../scenario.ts";
import type { World } from "../world.ts";
import { Succession } from "./succession.ts";

type Update = Extract<AskedChange, { kind: "updateService" }>;

/** The change that the asked host's API makes of a client's call. */
type Call = (copy: Service, basedOn: number) => Update;

const toImage =
  (image: string, auth?: string): Call =>
  ({ ID, Spec }, basedOn) => {
    const spec = withImage(Spec, image);
    const registryAuth = auth === undefined ? undefined : aSeal(auth);
    return { kind: "updateService", id: ID, spec, registryAuth, basedOn };
  };
const back: Call = ({ ID }, basedOn) => {
  return { kind: "updateService", id: ID, spec: "previous", basedOn };
};

function serviceOn(host: SimHost): Service {
  const service = viewOf(host).service(web);
  assert.ok(service !== undefined);
  return service;
}

/** A client calls one host with a version that it read at another. */
function call(world: World, asked: SimHost, readAt: SimHost, call: Call): void {
  const change = call(serviceOn(asked), serviceOn(readAt).Version.Index);
  world.ask(asked, [change], { kind: "update", service: web });
}

function written(world: World, host: SimHost, image: string): void {
  waitFor(world, `${host.id} knows of ${image}`, 15_000, () => {
    return serviceOn(host).Spec.TaskTemplate.ContainerSpec.Image === image;
  });
}

for (const [name, last, image] of [
  ["an update", toImage("app:3"), "app:3"],
  ["a rollback", back, "app:1"],
] as const) {
  test(`${name} through a host with an old copy is computed from the service that it replaces`, () => {
    for (const seed of [1, 2, 3]) {
      const world = worldWithService(seed, 5);
      const others = world.hosts.filter((host) => host !== leaderOf(world));
      const [old, asked] = others as [SimHost, SimHost];
      call(world, asked, asked, toImage("app:2", "first"));
      for (const host of [old, asked]) written(world, host, "app:2");
      const rest = world.hosts.filter((host) => host !== old).map(({ id }) => id);
      world.network.split([old.id], rest);
      call(world, asked, asked, toImage("app:1", "second"));
      written(world, asked, "app:1");
      call(world, asked, asked, toImage("app:flaky", "third"));
      written(world, asked, "app:flaky");
      call(world, old, asked, last);
      world.run(500);
      world.network.heal();
      written(world, asked, image);
      const auth = name === "a rollback" ? "second" : "third";
      assert.deepEqual(serviceOn(asked).Gam.registryAuth, aSeal(auth));
    }
  });
}

const service = {
  ID: testId("web"),
  Version: { Index: 1 },
  Spec: { Name: "one" },
  PreviousSpec: { Name: "none" },
  Gam: { registryAuth: aSeal("a1"), registryAuthPrevious: aSeal("a0") },
} as unknown as Service;
const after = (Name: string, previous: string, auths: readonly [string, string], more = {}) =>
  ({
    ...service,
    Version: { Index: 2 },
    Spec: { Name },
    PreviousSpec: { Name: previous },
    Gam: { registryAuth: aSeal(auths[0]), registryAuthPrevious: aSeal(auths[1]) },
    ...more,
  }) as unknown as Service;
const rolledBack = { UpdateStatus: { State: "rollback_started" } };
const successions: readonly (readonly [name: string, after: Service, wrong?: RegExp])[] = [
  ["new credentials", after("two", "one", ["a2", "a1"])],
  ["kept credentials", after("two", "one", ["a0", "a1"])],
  ["back", after("none", "one", ["a0", "a1"], rolledBack)],
  ["another previous spec", after("two", "none", ["a1", "a1"]), /previous spec/],
  ["other previous credentials", after("two", "one", ["a1", "a0"]), /previous credentials/],
  ["back to another spec", after("two", "one", ["a0", "a1"], rolledBack), /did not go back/],
  ["back with other credentials", after("none", "one", ["a1", "a1"], rolledBack), /without/],
  ["credentials of long ago", after("two", "one", ["old", "a1"]), /long ago/],
];

for (const [name, changed, wrong] of successions) {
  test(`the checker of updates sees: ${name}`, () => {
    const succession = new Succession();
    const first = after("none", "none", ["old", "old"], { Version: { Index: 0 } });
    succession.take({ table: "service", after: first });
    succession.take({ table: "service", after: service });
    const look = (): void => succession.take({ table: "service", before: service, after: changed });
    if (wrong === undefined) look();
    else assert.throws(look, wrong);
  });
}
