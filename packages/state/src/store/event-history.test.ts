import assert from "node:assert/strict";
import { test } from "node:test";
import type { ProposalId, ServiceId } from "@gam/core";
import type { Change } from "../log/change.ts";
import type { ServiceSpec } from "../objects/service.ts";
import { aNetwork, aNode, aService, TestLog } from "../testing/index.ts";
import { readRows } from "./dump.ts";
import { checkHappenings } from "./event-history.ts";
import { Store } from "./store.ts";

const web = "web" as ServiceId;

function update(log: TestLog, change: Partial<ServiceSpec>): Change {
  const service = log.store.service(web);
  assert.ok(service);
  const spec = { ...service.Spec, ...change };
  return { kind: "updateService", id: web, spec, basedOn: service.Version.Index };
}

/** Returns: the events, each as its number, object, action and attributes. */
function told(store: Store): readonly string[] {
  return store.happenings().map(({ number, type, action, attributes }) => {
    const shown = Object.entries(attributes).map(([key, text]) => `${key}=${text}`);
    return `${number} ${type} ${action} ${shown.join(" ")}`;
  });
}

test("each change of what clients see is an event, with what it has changed", () => {
  const log = new TestLog();
  log.write({ kind: "joinNode", node: aNode("a", { description: { Hostname: "host1" } }) });
  log.write(aService("web", { image: "tiny:1" }), {
    kind: "createNetwork",
    network: aNetwork("front"),
  });
  log.write(update(log, { Mode: { Replicated: { Replicas: 3 } } }));
  log.write({ kind: "judgeNode", id: aNode("a").ID, status: { State: "down" } });
  log.write({ kind: "removeService", id: web });
  assert.deepEqual(told(log.store), [
    "1 node create name=host1",
    "2 service create name=web",
    "3 network create name=front",
    "4 service update name=web replicas.old=1 replicas.new=3",
    "5 node update name=host1 state.old=ready state.new=down",
    "6 service remove name=web",
  ]);
});

test("what clients do not see is no event, and neither is a refused change", () => {
  const log = new TestLog();
  log.write({ kind: "joinNode", node: aNode("a") });
  log.write(aService("web"));
  const before = told(log.store);
  const { Index: basedOn } = log.store.service(web)?.Version ?? { Index: 0 };
  log.write({
    ...{ kind: "progressUpdate", id: web, basedOn, status: undefined },
    ...{ waveAtMs: 5, updated: ["1"] },
  });
  log.write({ kind: "setTunnel", id: aNode("a").ID, address: "100.64.0.2" });
  log.write({ kind: "createNetwork", network: aNetwork("late") }, aService("web"));
  assert.deepEqual(told(log.store), before);
});

test("the history is bounded in count, and its numbers go on", () => {
  const log = new TestLog();
  log.write(aService("web"));
  for (let Replicas = 2; Replicas <= 400; Replicas += 1) {
    log.write(update(log, { Mode: { Replicated: { Replicas } } }));
  }
  const happenings = log.store.happenings();
  assert.deepEqual(
    [happenings.length, happenings[0]?.number, happenings.at(-1)?.number],
    [256, 145, 400],
  );
});

test("the history is bounded in bytes", () => {
  const log = new TestLog();
  log.write(aService("web"));
  const image = (at: number, length: number): Partial<ServiceSpec> => ({
    TaskTemplate: { ContainerSpec: { Image: `${at}`.padEnd(length, "x") } },
  });
  for (let at = 0; at < 100; at += 1) log.write(update(log, image(at, 3000)));
  const length = JSON.stringify(log.store.happenings()).length;
  assert.ok(length < 80 * 1024, `${length}`);
  assert.ok(log.store.happenings().length > 5);
  log.write(update(log, image(1, 20_000)));
  assert.deepEqual(log.store.happenings().at(-1)?.attributes, { name: "web" });
});

test("a snapshot keeps the history, and a log that goes on from it tells the same", () => {
  const log = new TestLog();
  log.write(aService("web"));
  log.write(update(log, { Labels: { a: "1" } }));
  assert.deepEqual(checkHappenings(log.store.happenings(), "history"), log.store.happenings());
  const copy = new Store();
  copy.restore(readRows(log.store.dump()));
  assert.deepEqual(copy.happenings(), log.store.happenings());
  const id = "p".repeat(25) as ProposalId;
  copy.apply(copy.index + 1, { id, atMs: 7, changes: [aService("two")] });
  assert.deepEqual(told(copy).at(-1), "3 service create name=two");
  assert.equal(copy.happenings().at(-1)?.atMs, 7);
});
