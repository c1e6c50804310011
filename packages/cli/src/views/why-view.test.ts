import assert from "node:assert/strict";
import { test } from "node:test";
import type { WhyReport } from "@gam/state/answers";
import type { Paint } from "./status-view.ts";
import { whyView } from "./why-view.ts";

const plain = (text: string): string => text;
const paint: Paint = { bold: plain, dim: plain, green: plain, yellow: plain, red: plain };
const gib = 2 ** 30;
const node = {
  ...{ ofService: 1, failing: false, cost: 30, hasImage: true },
  ...{ freeNanoCpus: 1.5e9, nanoCpus: 4e9, freeMemoryBytes: gib, memoryBytes: 8 * gib },
};
const report: WhyReport = {
  ...{ kind: "service", id: "s", name: "web", causes: ["web.1: No room", "web.2: It failed"] },
  asked: {
    ...{ nanoCpus: 5e8, memoryBytes: 2 * gib, generic: ["gpu=1"], ports: ["tcp/80"] },
    constraints: ["node.role == worker"],
  },
  nodes: [
    { id: "a", hostname: "host1", obstacles: [], rank: 1, ...node, failing: true },
    { id: "b", hostname: "host2", obstacles: ["it is down", "no plugin"], rank: null, ...node },
  ],
  tasks: [
    {
      ...{
        id: "abcdefghijklmnop",
        name: "web.2",
        node: "host1",
        state: "failed",
        desired: "running",
      },
      ...{ at: "2026-01-01T00:00:00Z", error: "exit (killed: out of memory)", exitCode: 137 },
      ...{ engine: ["killed: out of memory", "more"], log: ["last line"], unread: "" },
    },
  ],
};

test("whyView() shows causes, what is asked, nodes and failed tasks, and no fact twice", () => {
  const nowMs = Date.parse("2026-01-01T00:05:00Z");
  assert.deepEqual(whyView(report, { paint, nowMs }), [
    "web (service)",
    "  web.1: No room",
    "  web.2: It failed",
    "",
    "Asks for 0.5 CPUs, 2 GiB of memory, gpu=1, port tcp/80 of its host, a node with node.role == worker",
    "",
    "NODE   RANK  TASKS  LOAD  IMAGE  CPUS FREE  MEMORY FREE     AGAINST IT",
    "host1  1     1      50%   yes    1.5 of 4   1 GiB of 8 GiB  the service keeps failing here",
    "host2  -     1      50%   yes    1.5 of 4   1 GiB of 8 GiB  it is down; no plugin",
    "",
    "web.2 abcdefghijkl failed on host1 5 minutes ago, exit code 137",
    "  exit (killed: out of memory)",
    "  more",
    "  | last line",
  ]);
});

test("whyView() of a node has no request", () => {
  const lines = whyView(
    { ...report, kind: "node", asked: null, nodes: [], tasks: [] },
    { paint, nowMs: 0 },
  );
  assert.deepEqual(lines, ["web (node)", "  web.1: No room", "  web.2: It failed"]);
});
