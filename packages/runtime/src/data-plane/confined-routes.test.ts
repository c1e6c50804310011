import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { NetworkId } from "@gam/core";
import type { NetworkPlane, NodePlan, Unsafe } from "@gam/network";
import { asSafe } from "@gam/network/testing";
import { FakeRun } from "../testing/fake-run.ts";
import { ConfinedRoutes } from "./confined-routes.ts";
import type { Sandbox } from "./kernel/sandbox.ts";

const networks = [
  { id: "inner" as NetworkId, internal: true, gateway: "10.0.6.2" },
  { id: "front" as NetworkId, internal: false, gateway: "10.0.5.2" },
];
const plan = asSafe<Partial<NodePlan>>({
  networks: networks as Partial<Unsafe<NetworkPlane>>[] as Unsafe<NetworkPlane>[],
}) as NodePlan;

interface Stage {
  readonly host: FakeRun;
  readonly routes: ConfinedRoutes;
  readonly directory: string;
  /** Adds a container whose default route goes by `gateway`, "" for none. */
  add(name: string, gateway: string): void;
}

function stage(t: TestContext): Stage {
  const directory = mkdtempSync(join(tmpdir(), "gam-netns-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const host = new FakeRun();
  const add = (name: string, gateway: string): void => {
    writeFileSync(join(directory, name), "");
    const found = gateway === "" ? "" : JSON.stringify([{ dst: "default", gateway, dev: "eth0" }]);
    host.answers.set(`nsenter --net=${join(directory, name)} ip -4 -j route show`, found);
  };
  return { host, routes: new ConfinedRoutes(host.run, directory), directory, add };
}

/** The namespaces from which a route was removed. */
function cleared({ log }: FakeRun): string[] {
  return log.flatMap(
    (line) =>
      /net=\S*\/(\w+) ip -4 route del default via (\S+)$/.exec(line)?.slice(1).join(" ") ?? [],
  );
}

const inInner = (path: string, endpoint = "e1"): Sandbox => ({
  path,
  endpoints: [{ endpoint, network: "inner" as NetworkId, address: "10.0.6.20", mac: "" }],
});

test("a default route by an internal network is removed once the namespace exists, others stay", async (t) => {
  const { host, routes, add } = stage(t);
  add("old", "10.0.6.2");
  await routes.meetNew(plan);
  add("confined", "10.0.6.2");
  add("both", "10.0.5.2");
  add("foreign", "172.17.0.1");
  add("none", "");
  await routes.meetNew(plan);
  await routes.meetNew(plan);
  assert.deepEqual(cleared(host), ["old 10.0.6.2", "confined 10.0.6.2"]);
});

test("a container is checked again when its endpoints have changed", async (t) => {
  const { host, routes, directory, add } = stage(t);
  add("one", "10.0.6.2");
  const path = join(directory, "one");
  await routes.look([inInner(path)], plan);
  await routes.look([inInner(path)], plan);
  assert.deepEqual(cleared(host), ["one 10.0.6.2"]);
  await routes.look([inInner(path, "e2")], plan);
  assert.deepEqual(cleared(host).length, 2);
});

test("a host without internal networks enters no namespace", async (t) => {
  const { host, routes, add, directory } = stage(t);
  add("one", "10.0.5.2");
  const [, front] = networks;
  const open = { ...plan, networks: [front] } as unknown as NodePlan;
  await routes.meetNew(open);
  const places = [{ endpoint: "e", network: "front" as NetworkId, address: "10.0.5.20", mac: "" }];
  await routes.look([{ path: join(directory, "one"), endpoints: places }], open);
  assert.deepEqual(host.log, []);
});

test("a namespace or a route that has gone is not an error", async (t) => {
  const { host, routes, directory } = stage(t);
  const path = join(directory, "gone");
  host.answers.set(`nsenter --net=${path}`, { stderr: "No such file or directory" });
  await routes.look([inInner(path)], plan);
});
