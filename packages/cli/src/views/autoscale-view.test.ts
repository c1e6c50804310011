import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServiceId } from "@gam/core";
import type { AutoscaledService } from "@gam/state/answers";
import { createColors } from "picocolors";
import { autoscaleView } from "./autoscale-view.ts";

const paint = createColors(false);
const web: AutoscaledService = {
  id: "web" as ServiceId,
  name: "shop_web",
  replicas: 4,
  running: 3,
  min: 1,
  max: 10,
  targets: [
    { metric: "cpu", target: "70%", now: "31%" },
    { metric: "memory", target: "80%", now: "" },
  ],
  advised: 2,
  decisions: [
    {
      atMs: Date.UTC(2026, 0, 1, 12, 0, 5),
      from: 1,
      to: 4,
      reason: "cpu at 280% of 1 task, target 70%",
    },
  ],
};

test("all services, a row for each", () => {
  const lines = autoscaleView(
    { services: [web, { ...web, name: "db", decisions: [] }] },
    { paint, isOne: false },
  );
  assert.deepEqual(lines, [
    "SERVICE   REPLICAS  BOUNDS   LOAD                     TARGET               LAST DECISION",
    "shop_web  3/4       1 to 10  cpu 31%, memory unknown  cpu 70%, memory 80%  2026-01-01 12:00:05 1 to 4",
    "db        3/4       1 to 10  cpu 31%, memory unknown  cpu 70%, memory 80%  none",
  ]);
});

test("one service, with each decision and why", () => {
  assert.deepEqual(autoscaleView({ services: [web] }, { paint, isOne: true }), [
    "SERVICE   REPLICAS  BOUNDS   LOAD                     TARGET",
    "shop_web  3/4       1 to 10  cpu 31%, memory unknown  cpu 70%, memory 80%",
    "",
    "WHEN                 REPLICAS  WHY",
    "2026-01-01 12:00:05  1 to 4    cpu at 280% of 1 task, target 70%",
    "The load asks for 2 now; the window is not over",
  ]);
});

test("a service without a decision, and none at all", () => {
  const quiet = { ...web, decisions: [], advised: 4 };
  const lines = autoscaleView({ services: [quiet] }, { paint, isOne: true });
  assert.equal(lines.at(-1), "No decision yet");
  assert.match(autoscaleView({ services: [] }, { paint, isOne: false })[0] ?? "", /^No service/);
});
