import assert from "node:assert/strict";
import { test } from "node:test";
import type { DoctorCheck, DoctorFinding } from "@gam/state/answers";
import { doctorView, fixesView } from "./doctor-view.ts";
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
  assert.deepEqual(doctorView({ healthy: true, findings: [], checks }, paint), [
    "ok  agents   2 passed",
    "?   overlay  2 unknown",
    "",
    "overlay: No network is on both hosts (host1 to host2 and 1 more)",
    "",
    "Nothing is wrong",
  ]);
});

const finding: DoctorFinding = {
  topic: "clocks",
  cause: "host2: Its clock is 3.5 s behind",
  remedy: "Run a time service on host2, such as chrony",
  follows: [],
  hosts: ["host2"],
  fix: "",
};

test("doctorView() begins with the first cause and what to do", () => {
  const found = "Its clock is 3.5 s behind";
  const { remedy } = finding;
  const checks = [
    one("clocks", "host1"),
    one("clocks", "host2", { result: "failed", found, remedy }),
    one("overlay", "host1 to host2", unknown),
    one("overlay", "host2 to host1"),
  ];
  assert.deepEqual(doctorView({ healthy: false, findings: [finding], checks }, paint), [
    "host2: Its clock is 3.5 s behind",
    "  Run a time service on host2, such as chrony",
    "",
    "FAIL  clocks   1 passed, 1 failed",
    "ok    overlay  1 passed, 1 unknown",
    "",
    "overlay: No network is on both hosts (host1 to host2)",
    "",
    "1 thing is wrong",
  ]);
});

test("doctorView() says what follows in one line, and what --fix would do", () => {
  const follows = ["a", "b", "c", "d", "e", "f", "g"];
  const fix = "start the engine of host2";
  const shown = doctorView(
    { healthy: false, findings: [{ ...finding, follows, fix }], checks: [] },
    paint,
  );
  assert.deepEqual(shown, [
    "host2: Its clock is 3.5 s behind",
    "  Run a time service on host2, such as chrony",
    "  From this follows: a; b; c; d; e",
    "  and 2 more",
    '  "gam doctor --fix" would start the engine of host2',
    "",
    "",
    "1 thing is wrong",
    '"gam doctor --fix" mends what hosts can mend by themselves',
  ]);
});

test("fixesView() says what was done, and what was not and why", () => {
  const fix = "start the engine of host2";
  assert.deepEqual(fixesView([], paint), ["There is nothing that hosts can mend by themselves"]);
  assert.deepEqual(
    fixesView(
      [
        { host: "host1", fix, done: "Ran systemctl start docker", failure: "" },
        { host: "host2", fix, done: "", failure: "systemctl is not installed" },
      ],
      paint,
    ),
    [
      "host1: Ran systemctl start docker",
      "host2: Could not start the engine of host2: systemctl is not installed",
    ],
  );
});
