import assert from "node:assert/strict";
import { test } from "node:test";
import type { ConfigId, SecretId, TaskId } from "@gam/core";
import { counterMint } from "@gam/core/testing";
import {
  aCluster,
  aConfig,
  aNode,
  aSeal,
  aSecret,
  aService,
  aTask,
  TestLog,
  withFiles,
} from "@gam/state/testing";
import { planContents } from "./contents.ts";
import { Orchestrator } from "./orchestrator.ts";

const pw = "pw" as SecretId;
const conf = "conf" as ConfigId;

/** A secret and a config whose content has changed, and a service with a task of the first ones. */
function changed(): TestLog {
  const log = new TestLog();
  log.write({ kind: "createCluster", cluster: aCluster() }, aSecret("pw"), aConfig("conf"));
  const ContainerSpec = withFiles("app:1", { secrets: ["pw"], configs: ["conf"] });
  log.write(aService("web", { template: { ContainerSpec } }));
  const extra = { contents: { pw: 1, conf: 1 } };
  log.write({ kind: "createTask", task: aTask("web", "old", { slot: 1, node: "a", extra }) });
  const content = { version: 2, ...aSeal("other") };
  log.write({ kind: "updateSecret", id: pw, labels: {}, content, basedOn: 1 });
  const data = new TextEncoder().encode("other");
  const config = { version: 2, data };
  log.write({ kind: "updateConfig", id: conf, labels: {}, content: config, basedOn: 1 });
  return log;
}

/** Ends the task, and the update with it. */
function settle(log: TestLog): void {
  const [service] = log.store.services();
  assert.ok(service);
  const Timestamp = "2026-01-01T00:00:00.000Z";
  const status = { Timestamp, State: "shutdown" } as const;
  log.write({ kind: "reportTask", id: "old" as TaskId, status });
}

test("a content stays while a task or a rollback may need it", () => {
  const log = changed();
  assert.deepEqual(planContents(log.store), []);
  settle(log);
  assert.deepEqual(planContents(log.store), [], "the service may go back to it");
});

test("a content that nothing needs is deleted, and then nothing is left to plan", () => {
  const log = changed();
  settle(log);
  const [service] = log.store.services();
  assert.ok(service);
  log.write({ kind: "removeService", id: service.ID });
  const changes = planContents(log.store);
  assert.deepEqual(changes, [
    { kind: "dropSecretContents", id: pw, versions: [1] },
    { kind: "dropConfigContents", id: conf, versions: [1] },
  ]);
  log.write(...changes);
  assert.deepEqual(
    log.store.secret(pw)?.Gam.contents.map(({ version }) => version),
    [2],
  );
  assert.deepEqual(planContents(log.store), []);
});

test("the orchestrator looks at contents when something may have become idle, and until it is gone", () => {
  const log = changed();
  settle(log);
  const orchestrator = new Orchestrator(counterMint("m"));
  const facts = { nowMs: log.nowMs, verdicts: new Map() };
  orchestrator.noticeAll();
  for (let turn = 0; turn < 5; turn += 1) log.write(...orchestrator.plan(log.store, facts));
  const [service] = log.store.services();
  assert.ok(service);
  const { events } = log.write({ kind: "removeService", id: service.ID });
  for (const event of events) orchestrator.notice(event);
  const drops = (): number =>
    orchestrator.plan(log.store, facts).filter(({ kind }) => kind === "dropSecretContents").length;
  assert.deepEqual([drops(), drops()], [1, 1], "a plan may be lost on its way");
  log.write(...orchestrator.plan(log.store, facts));
  assert.equal(drops(), 0);
});

test("an update by new content waits for other objects of the service, and takes them along", () => {
  const log = changed();
  log.write({ kind: "joinNode", node: aNode("a") });
  const made = (nowMs: number): readonly unknown[] => {
    const orchestrator = new Orchestrator(counterMint("m"));
    orchestrator.noticeAll();
    const changes = orchestrator.plan(log.store, { nowMs, verdicts: new Map() });
    return changes.flatMap((change) =>
      change.kind === "createTask" ? [change.task.Gam.contents] : [],
    );
  };
  const [service] = log.store.services();
  const changedAtMs = Date.parse(service?.UpdatedAt ?? "");
  assert.deepEqual(made(changedAtMs), []);
  assert.deepEqual(made(changedAtMs + 999), []);
  assert.deepEqual(made(changedAtMs + 1000), [{ pw: 2, conf: 2 }]);
});

test("new tasks get the current contents", () => {
  const log = changed();
  settle(log);
  const orchestrator = new Orchestrator(counterMint("m"));
  orchestrator.noticeAll();
  log.write(...orchestrator.plan(log.store, { nowMs: log.nowMs, verdicts: new Map() }));
  const made = log.store.tasks().filter(({ ID }) => ID !== "old");
  assert.deepEqual(
    made.map(({ Gam }) => Gam.contents),
    [{ pw: 2, conf: 2 }],
  );
});

test("new content is a finished update where no task holds another, so nothing leads back to it", () => {
  const log = new TestLog();
  log.write({ kind: "createCluster", cluster: aCluster() }, aSecret("pw"));
  const ContainerSpec = withFiles("app:1", { secrets: ["pw"] });
  log.write(aService("idle", { replicas: 0, template: { ContainerSpec } }));
  const orchestrator = new Orchestrator(counterMint("m"));
  const turn = (): void => {
    orchestrator.noticeAll();
    log.write(...orchestrator.plan(log.store, { nowMs: log.nowMs, verdicts: new Map() }));
  };
  for (const version of [2, 3]) {
    const basedOn = log.store.secret(pw)?.Version.Index ?? 0;
    const content = { version, ...aSeal(`content ${version}`) };
    log.write({ kind: "updateSecret", id: pw, labels: {}, content, basedOn });
    turn();
  }
  const [idle] = log.store.services();
  assert.ok(idle);
  assert.equal(idle.UpdateStatus?.State, "completed");
  assert.deepEqual(idle.Gam.earlier, { pw: 2 });
  const other = { ContainerSpec: withFiles("app:2", { secrets: ["pw"] }) };
  const { spec } = aService("idle", { replicas: 1, template: other });
  log.write({ kind: "updateService", id: idle.ID, spec, basedOn: idle.Version.Index });
  const [updated] = log.store.services();
  assert.ok(updated);
  assert.deepEqual(updated.Gam.earlier, {});
  turn();
  assert.deepEqual(
    log.store.secret(pw)?.Gam.contents.map(({ version }) => version),
    [3],
  );
});
