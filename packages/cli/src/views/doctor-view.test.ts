import assert from "node:assert/strict";
import { test } from "node:test";
import type { DoctorCheck } from "@gam/state/answers";
import { doctorView } from "./doctor-view.ts";
import type { Paint } from "./status-view.ts";

const plain = (text: string): string => text;
const paint: Paint = { bold: plain, dim: plain, green: plain, yellow: plain, red: plain };

function one(topic: string, subject: string, wish: Partial<DoctorCheck> = {}): DoctorCheck {
  return { topic, subject, result: "passed", found: "", remedy: "", ...wish };
}

const unknown = { result: "unknown", found: "No network is on both hosts" } as const;

test("doctorView() of a healthy mesh, with checks that could not run", () => {
  const checks = [
    one("agents", "host1"),
    one("agents", "host2"),
    one("overlay", "host1 to host2", unknown),
    one("overlay", "host2 to host1", unknown),
  ];
  assert.deepEqual(doctorView({ healthy: true, checks }, paint), [
    "ok  agents   2 passed",
    "?   overlay  2 unknown",
    "",
    "overlay: No network is on both hosts (host1 to host2 and 1 more)",
    "",
    "Nothing is wrong",
  ]);
});

test("doctorView() says what is wrong and what to do", () => {
  const found = "Its clock is 3.5 s behind";
  const remedy = "Run a time service on host2, such as chrony";
  const checks = [
    one("clocks", "host1"),
    one("clocks", "host2", { result: "failed", found, remedy }),
    one("overlay", "host1 to host2", unknown),
    one("overlay", "host2 to host1"),
  ];
  assert.deepEqual(doctorView({ healthy: false, checks }, paint), [
    "FAIL  clocks   1 passed, 1 failed",
    "ok    overlay  1 passed, 1 unknown",
    "",
    "clocks, host2: Its clock is 3.5 s behind",
    "  Run a time service on host2, such as chrony",
    "",
    "overlay: No network is on both hosts (host1 to host2)",
    "",
    "1 thing is wrong",
  ]);
});
