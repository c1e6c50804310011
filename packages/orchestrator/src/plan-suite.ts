/** Tables of the plans for one service, place by place. Times are seconds after the start of the log. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServiceId } from "@gam/core";
import { counterMint } from "@gam/core/testing";
import type { Change, PlannedChange, Service, UpdateConfig } from "@gam/state";
import {
  aNode,
  aService,
  aTask,
  type ServiceWish,
  type TaskWish,
  TestLog,
} from "@gam/state/testing";
import { Orchestrator } from "./orchestrator.ts";

export const web = "web" as ServiceId;
export const startMs = Date.UTC(2026, 0, 1);

export interface PlanCase {
  readonly nodes?: readonly Parameters<typeof aNode>[];
  readonly service: ServiceWish;
  /** The service's image before its update. That template is version 1, the new one version 2. */
  readonly imageBefore?: string;
  readonly update?: Partial<Service["Gam"]> & { readonly status?: Service["UpdateStatus"] };
  readonly tasks?: readonly (readonly [id: string, wish: TaskWish & { readonly endS?: number }])[];
  readonly nowS?: number;
}

export function logOf(planCase: PlanCase): TestLog {
  const log = new TestLog();
  const nodes = planCase.nodes ?? [["a"], ["b"], ["c"]];
  const before = planCase.imageBefore === undefined ? {} : { image: planCase.imageBefore };
  const made = aService("web", { ...planCase.service, ...before });
  log.write(...nodes.map((node): Change => ({ kind: "joinNode", node: aNode(...node) })), made);
  if (planCase.imageBefore !== undefined) {
    const { spec } = aService("web", planCase.service);
    log.write({ kind: "updateService", id: web, spec, basedOn: 1 });
  }
  for (const [id, { endS, ...wish }] of planCase.tasks ?? []) {
    const Image = wish.extra?.templateVersion === 2 || !planCase.imageBefore ? "tiny:1" : "tiny:0";
    const template = { ...made.spec.TaskTemplate, ContainerSpec: { Image } };
    const extra = { templateVersion: 1, ...wish.extra };
    const task = aTask("web", id, { template, ...wish, extra });
    const Timestamp = new Date(startMs + 1000 * (endS ?? 0)).toISOString();
    log.write({ kind: "createTask", task: { ...task, Status: { ...task.Status, Timestamp } } });
  }
  if (planCase.update !== undefined) {
    const { waveAtMs = 0, updated = [], status, rollout } = planCase.update;
    const basedOn = log.store.service(web)?.Version.Index ?? 0;
    if (rollout !== undefined) {
      const serial = log.store.service(web)?.Gam.rollout?.serial ?? 0;
      const now = { ...rollout, serial };
      const said = status ?? updating;
      log.write({ kind: "progressRollout", id: web, basedOn, rollout: now, status: said, updated });
    } else log.write({ kind: "progressUpdate", id: web, basedOn, status, waveAtMs, updated });
  }
  log.nowMs = startMs + 1000 * (planCase.nowS ?? 0);
  return log;
}

export function plan(log: TestLog, prefix = "new"): PlannedChange[] {
  const orchestrator = new Orchestrator(counterMint(prefix));
  orchestrator.noticeAll();
  return orchestrator.plan(log.store, { nowMs: log.nowMs, verdicts: new Map() });
}

export function show(change: PlannedChange): string {
  switch (change.kind) {
    case "createTask": {
      const { Slot, NodeID, DesiredState, Gam } = change.task;
      const delayS = (Gam.startAfterMs - startMs) / 1000;
      return [
        `create ${Slot ?? NodeID} ${DesiredState}`,
        Gam.after === "" ? "" : ` after ${Gam.after}`,
        Gam.startAfterMs === 0 ? "" : ` at ${delayS}`,
        Gam.restart ? " restart" : "",
      ].join("");
    }
    case "desireTask":
      return `${change.id} ${change.desired}`;
    case "removeTask":
      return `${change.id} gone`;
    case "orphanTask":
      return `${change.id} ${change.status.State}`;
    case "progressUpdate": {
      const at = change.waveAtMs === 0 ? "" : ` at ${(change.waveAtMs - startMs) / 1000}`;
      return `${change.status?.State} [${change.updated}]${at}: ${change.status?.Message}`;
    }
    case "progressRollout": {
      const { step, phase, weight, failed, end } = change.rollout;
      const count = failed.length === 0 ? "" : ` failed ${failed.length}`;
      const how = end === undefined ? `${phase} ${weight}%` : end.result;
      return `rollout ${step} ${how}${count} [${change.updated}]: ${change.status.State}`;
    }
    case "rollbackService":
      return `rollback: ${change.message}`;
    default:
      return change.kind;
  }
}

/** A task in a slot on a node. */
export const on = (node: string, slot: number, wish: TaskWish = {}): TaskWish => ({
  slot,
  node,
  ...wish,
});
/** The status of a running update. */
export const updating = {
  State: "updating" as const,
  StartedAt: "",
  Message: "update in progress",
};
/** A service with this configuration for both updates and rollbacks. */
export const updatedBy = (UpdateConfig: UpdateConfig, replicas = 3): ServiceWish => ({
  replicas,
  spec: { UpdateConfig, RollbackConfig: UpdateConfig },
});
/** Fields of a task of the new template that has run. */
export const second = { templateVersion: 2, startedAtMs: startMs };

export interface Row extends PlanCase {
  readonly name: string;
  readonly want: readonly string[];
  /** Of the plan after that one; absent: nothing. */
  readonly again?: readonly string[];
}

export function planSuite(rows: readonly Row[]): void {
  for (const { name, want, again = [], ...world } of rows) {
    test(`the orchestrator ${name}`, () => {
      const log = logOf(world);
      const changes = plan(log);
      assert.deepEqual(changes.map(show), want);
      log.write(...changes);
      const rolledBack = changes.some(({ kind }) => kind === "rollbackService");
      if (!rolledBack) assert.deepEqual(plan(log, "again").map(show), again, "planned again");
    });
  }
}
