/** What services wait for, and which circles are refused. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServiceId } from "@gam/core";
import fc from "fast-check";
import type { Change } from "../log/change.ts";
import type { Labels } from "../objects/meta.ts";
import { aNode, aService, aTask, type ServiceWish, type TaskWish } from "../testing/objects.ts";
import { TestLog } from "../testing/test-log.ts";
import { dependencyCircle, updateWaitsFor, waitsFor } from "./dependencies.ts";

const job: ServiceWish = { mode: { ReplicatedJob: { MaxConcurrent: 1, TotalCompletions: 2 } } };
const once: ServiceWish = { template: { RestartPolicy: { Condition: "none" } } };
const checking = { node: "a", state: "starting", slot: 1 } as const;

interface Row {
  readonly name: string;
  readonly on: string;
  readonly db?: ServiceWish;
  readonly tasks?: readonly TaskWish[];
  readonly node?: Parameters<typeof aNode>[1];
  readonly trust?: boolean;
  readonly want: string | undefined;
}

const rows: readonly Row[] = [
  {
    name: "a service that does not exist",
    on: "db",
    want: "db to start (there is no such service)",
  },
  { name: "one that may be missing", on: "db?", want: undefined },
  { name: "a service without tasks", on: "db", db: {}, want: "db to start" },
  { name: "a running task", on: "db", db: {}, tasks: [{ node: "a" }], want: undefined },
  { name: "one of two", on: "db", db: { replicas: 2 }, tasks: [{ node: "a" }], want: undefined },
  { name: "no replicas", on: "db", db: { replicas: 0 }, want: "db to start (it has no replicas)" },
  { name: "no replicas, where it may be missing", on: "db?", db: { replicas: 0 }, want: undefined },
  {
    name: "a leaving task",
    on: "db",
    db: {},
    tasks: [{ node: "a", desired: "shutdown" }],
    want: "db to start",
  },
  {
    name: "a task whose health is checked",
    on: "db:healthy",
    db: {},
    tasks: [checking],
    want: "db to be healthy",
  },
  { name: "a start that is not done", on: "db", db: {}, tasks: [checking], want: "db to start" },
  {
    name: "a task on a lost host",
    ...{ on: "db", db: {}, tasks: [{ node: "a" }], node: { state: "down" } },
    want: "db to start",
  },
  {
    name: "a host that has said nothing yet",
    ...{ on: "db:healthy", db: {}, tasks: [{ node: "a" }], trust: false },
    want: "db to be healthy (its host has not said yet what runs there)",
  },
  {
    name: "a job that runs",
    on: "db:completed",
    db: job,
    tasks: [{ node: "a" }],
    want: "db to complete",
  },
  {
    name: "half of a job",
    ...{ on: "db:completed", db: job, tasks: [{ node: "a", slot: 0, state: "complete" }] },
    want: "db to complete",
  },
  {
    name: "a job that has completed, whatever its hosts say",
    ...{ on: "db:completed", db: job, trust: false },
    tasks: [0, 1].map((slot) => ({ node: "a", slot, state: "complete" })),
    want: undefined,
  },
  {
    name: "a failed task of a job",
    ...{ on: "db:completed", db: job },
    tasks: [
      { node: "a", slot: 0, state: "complete" },
      { node: "a", slot: 1, state: "failed" },
    ],
    want: "db to complete",
  },
  {
    name: "a service that ends",
    ...{ on: "db:completed", db: once, tasks: [{ node: "a", slot: 1, state: "complete" }] },
    want: undefined,
  },
];

/** Services whose names are their ids; `db` has the given tasks. */
function logOf({ on, db, tasks = [], node = {} }: Row): TestLog {
  const log = new TestLog();
  const web = aService("web", { spec: { Labels: { "gam.depends_on": on } } });
  log.write({ kind: "joinNode", node: aNode("a", node) }, web);
  if (db === undefined) return log;
  log.write(aService("db", db));
  const templateVersion = log.store.index;
  const made = tasks.map((wish, n): Change => {
    const extra = { templateVersion };
    return { kind: "createTask", task: aTask("db", `t${n}`, { ...wish, extra }) };
  });
  log.write(...made);
  return log;
}

for (const row of rows) {
  test(`waitsFor() knows ${row.name}`, () => {
    const { store } = logOf(row);
    const [web] = store.services();
    assert.ok(web !== undefined);
    const why = waitsFor(store, web.Spec, () => row.trust !== false);
    assert.equal(why, row.want === undefined ? undefined : `waits for ${row.want}`);
  });
}

const stack = { "com.docker.stack.namespace": "shop" };

test("a name means a service of the same stack first", () => {
  const log = new TestLog();
  const Labels = { ...stack, "gam.depends_on": "db, cache" };
  log.write(aService("db"), aService("cache"), aService("shop_db"));
  const { spec } = aService("shop_web", { spec: { Labels } });
  const why = waitsFor(log.store, spec, () => true);
  assert.equal(why, "waits for shop_db to start, cache to start");
});

test("an update also waits while a dependency is updated", () => {
  const { store, log } = updatingLog();
  const [web] = store.services();
  assert.ok(web !== undefined);
  assert.equal(
    waitsFor(store, web.Spec, () => true),
    undefined,
  );
  assert.equal(
    updateWaitsFor(store, web.Spec, () => true),
    "waits for db to be updated",
  );
  assert.ok(log);
});

function updatingLog(): { readonly store: TestLog["store"]; readonly log: TestLog } {
  const log = logOf({ name: "", on: "db", db: {}, tasks: [{ node: "a" }], want: undefined });
  const db = log.store.services()[1];
  assert.ok(db !== undefined);
  const status = { State: "updating", StartedAt: "", Message: "" } as const;
  const basedOn = db.Version.Index;
  log.write({ kind: "progressUpdate", id: db.ID, basedOn, status, waveAtMs: 0, updated: [] });
  return { store: log.store, log };
}

test("a circle of services is refused with its path, when it is created and when it is closed", () => {
  const log = new TestLog();
  const waiting = (name: string, on: string) =>
    aService(`shop_${name}`, { spec: { Labels: { ...stack, "gam.depends_on": on } } });
  const refusal = (change: Change): string => {
    const { outcome } = log.write(change);
    return outcome.kind === "refused" ? outcome.message : outcome.kind;
  };
  assert.match(
    refusal(waiting("a", "a")),
    /shop_a would wait for itself: shop_a -> shop_a\. Remove/,
  );
  assert.equal(refusal(waiting("a", "b")), "applied");
  assert.equal(refusal(waiting("b", "c")), "applied");
  assert.match(refusal(waiting("c", "x, a")), /shop_c -> shop_a -> shop_b -> shop_c\. Remove/);
  assert.equal(refusal(waiting("c", "x")), "applied");
  const { id, spec } = waiting("c", "shop_a");
  const basedOn = log.store.service(id)?.Version.Index ?? 0;
  assert.match(refusal({ kind: "updateService", id, spec, basedOn }), /shop_c -> shop_a -> /);
});

test("services of a pod that would wait for each other are refused", () => {
  const labels = (on: string, role = ""): Labels => ({
    "gam.depends_on": on,
    "gam.pod.role": role,
  });
  const main = (on = "") => aService("web", { spec: { Labels: labels(on) } });
  const part = (on = "", role = "") =>
    aService("part", { spec: { Labels: { "gam.pod": "web", ...labels(on, role) } } });
  const cases = [
    ["the main service waits for a part that runs beside it", main("part"), part(), "refused"],
    ["the same for a sidecar", main("part"), part("", "sidecar"), "refused"],
    ["the same with ?", main("part?"), part(), "refused"],
    ["an init container waits for its main service", main(), part("web", "init"), "refused"],
    [
      "the main service waits for an init container",
      main("part:completed"),
      part("", "init"),
      "applied",
    ],
    ["a part waits for its main service", main(), part("web:healthy"), "applied"],
  ] as const;
  for (const [title, first, second, want] of cases) {
    for (const [one, other] of [
      [first, second],
      [second, first],
    ] as const) {
      const log = new TestLog();
      assert.equal(log.write(one).outcome.kind, "applied", title);
      assert.equal(log.write(other).outcome.kind, want, title);
    }
  }
});

test("the replicas in an init container's own spec do not count", () => {
  const log = new TestLog();
  const Labels = { "gam.pod": "web", "gam.pod.role": "init" };
  log.write({ kind: "joinNode", node: aNode("a") });
  log.write(aService("web", { spec: { Labels: { "gam.depends_on": "prepare:completed" } } }));
  log.write(aService("prepare", { replicas: 3, spec: { Labels } }));
  const { spec } = aService("x", { spec: { Labels: { "gam.depends_on": "prepare:completed" } } });
  const why = () => waitsFor(log.store, spec, () => true);
  assert.equal(why(), "waits for prepare to complete");
  const templateVersion = log.store.service("prepare" as ServiceId)?.Gam.templateVersion ?? 0;
  const extra = { templateVersion };
  const task = aTask("prepare", "t", { node: "a", slot: 1, state: "complete", extra });
  log.write({ kind: "createTask", task });
  assert.equal(why(), undefined);
});

const graphs = fc.array(fc.uniqueArray(fc.integer({ min: 0, max: 7 }), { maxLength: 3 }), {
  minLength: 8,
  maxLength: 8,
});

test("a graph of services is accepted exactly when it has no circle", () => {
  fc.assert(
    fc.property(graphs, (graph) => {
      const log = new TestLog();
      const kept = new Map<number, readonly number[]>();
      for (const [from, to] of graph.entries()) {
        const Labels = { "gam.depends_on": to.map((one) => `s${one}`).join(",") };
        const service = aService(`s${from}`, { spec: { Labels } });
        const circle = dependencyCircle(log.store, service.spec);
        const closes = reaches(new Map([...kept, [from, to]]), from, from);
        assert.equal(circle !== undefined, closes);
        assert.equal(log.write(service).outcome.kind, closes ? "refused" : "applied");
        if (circle === undefined) kept.set(from, to);
        else assert.equal(circle[0], circle.at(-1));
      }
    }),
  );
});

/** Whether a way of at least one step leads from one to the other. */
function reaches(graph: ReadonlyMap<number, readonly number[]>, from: number, to: number): boolean {
  const seen = new Set<number>();
  const open = [...(graph.get(from) ?? [])];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (next === to) return true;
    if (seen.has(next)) continue;
    seen.add(next);
    open.push(...(graph.get(next) ?? []));
  }
  return false;
}
