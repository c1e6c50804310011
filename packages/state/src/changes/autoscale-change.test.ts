import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServiceId } from "@gam/core";
import type { Change } from "../log/change.ts";
import { aService, TestLog } from "../testing/index.ts";

const web = "web" as ServiceId;
const labels = { "gam.autoscale.max": "10", "gam.autoscale.cpu": "50%" };

/** Deploys the spec again, with this number of replicas. */
function deploy(log: TestLog, replicas: number, more: Record<string, string> = {}): void {
  const Labels = { ...labels, "gam.autoscale.min": "2", ...more };
  const { spec } = aService("web", { replicas, spec: { Labels } });
  const service = log.store.service(web);
  if (service === undefined) log.write({ kind: "createService", id: web, spec });
  else log.write({ kind: "updateService", id: web, spec, basedOn: service.Version.Index });
}

function plan(log: TestLog, to: number): Extract<Change, { kind: "scaleService" }> {
  const basedOn = log.store.service(web)?.Version.Index ?? 0;
  const from = replicasNow(log);
  const advice = { now: to, before: [] };
  return { kind: "scaleService", id: web, basedOn, from, to, reason: "load", advice };
}

function scale(log: TestLog, to: number): void {
  log.write(plan(log, to));
}

function replicasNow(log: TestLog): number {
  return log.store.service(web)?.Spec.Mode.Replicated?.Replicas ?? 1;
}

test("the number in a spec counts only if it is a new wish", () => {
  const log = new TestLog();
  deploy(log, 1);
  assert.equal(replicasNow(log), 2, "at least the minimum");
  scale(log, 5);
  deploy(log, 1);
  assert.equal(replicasNow(log), 5, "the same file again");
  deploy(log, 5);
  scale(log, 6);
  deploy(log, 1);
  assert.equal(replicasNow(log), 6, "the file again, after an update of the running number");
  deploy(log, 4);
  assert.equal(replicasNow(log), 4, "another number");
  assert.equal(
    log.store.service(web)?.Gam.autoscale?.decisions.at(-1)?.reason,
    "a client asked for it",
  );
  deploy(log, 99);
  assert.equal(replicasNow(log), 10, "at most the maximum");
  deploy(log, 0);
  assert.equal(replicasNow(log), 0, "a client stops the service");
  scale(log, 3);
  deploy(log, 1);
  assert.equal(replicasNow(log), 2, "a client starts it again");
  deploy(log, 7, { "gam.autoscale.max": "" });
  assert.deepEqual(
    [replicasNow(log), log.store.service(web)?.Gam.autoscale],
    [7, undefined],
    "without the labels the number is the spec's",
  );
});

test("a rollback keeps the number of replicas", () => {
  const log = new TestLog();
  deploy(log, 2);
  scale(log, 4);
  deploy(log, 2, { other: "label" });
  scale(log, 8);
  const basedOn = log.store.service(web)?.Version.Index ?? 0;
  log.write({ kind: "rollbackService", id: web, basedOn, message: "it failed" });
  assert.equal(replicasNow(log), 8);
  assert.equal(log.store.service(web)?.Spec.Labels?.other, undefined);
});

test("a plan is void for another version, other replicas, or a number out of bounds", () => {
  const log = new TestLog();
  deploy(log, 3);
  for (const wrong of [{ basedOn: 7 }, { from: 2 }, { to: 11 }, { to: 1 }]) {
    log.write({ ...plan(log, 4), ...wrong });
    assert.deepEqual([replicasNow(log), memory(log)?.decisions], [3, []], JSON.stringify(wrong));
  }
  log.write(plan(log, 3));
  assert.deepEqual([memory(log)?.decisions, memory(log)?.advice?.now], [[], 3], "only advice");
});

test("the last twenty decisions are kept", () => {
  const log = new TestLog();
  deploy(log, 2);
  for (let round = 1; round <= 30; round += 1) scale(log, 2 + (round % 2));
  const decisions = memory(log)?.decisions ?? [];
  assert.deepEqual([decisions.length, decisions.at(-1)?.to], [20, 2]);
});

function memory(log: TestLog) {
  return log.store.service(web)?.Gam.autoscale;
}
