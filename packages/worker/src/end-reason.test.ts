import assert from "node:assert/strict";
import { test } from "node:test";
import type { TaskId } from "@gam/core";
import type { ContainerState } from "./action.ts";
import { endReason } from "./end-reason.ts";

const ended: ContainerState = {
  ...{ id: "c", task: "t" as TaskId, phase: "exited", exitCode: 1, pid: 0 },
  ...{ health: "none", ports: [] },
};
const plain = { Spec: { ContainerSpec: { Image: "app" } } };
const sick = { health: "unhealthy", exitCode: 143 } as const;

const cases: readonly {
  readonly name: string;
  readonly container: Partial<ContainerState>;
  readonly memoryBytes?: number;
  readonly want: string;
}[] = [
  { name: "an exit code", container: {}, want: "task: non-zero exit (1)" },
  {
    name: "a container that reached its limit",
    container: { exitCode: 137, oomKilled: true },
    memoryBytes: 64 * 2 ** 20,
    want: "task: non-zero exit (137) (killed: out of memory, limit 64 MiB)",
  },
  {
    name: "a container on a host without memory",
    container: { exitCode: 137, oomKilled: true },
    want: "task: non-zero exit (137) (killed: out of memory, the task has no limit of its own)",
  },
  {
    name: "an unhealthy container of an engine that keeps no log",
    container: sick,
    want: "task: non-zero exit (143): dockerexec: unhealthy container",
  },
  {
    name: "an unhealthy container",
    container: { ...sick, probe: { exitCode: 1, output: "no\u001b[1m\n  answer\n" } },
    want: 'task: non-zero exit (143): dockerexec: unhealthy container (last health check: exit 1, "no [1m answer")',
  },
  {
    name: "a check that says nothing",
    container: { ...sick, probe: { exitCode: -1, output: "" } },
    want: "task: non-zero exit (143): dockerexec: unhealthy container (last health check: exit -1)",
  },
  {
    name: "a check of a healthy container",
    container: { health: "healthy", probe: { exitCode: 0, output: "fine" } },
    want: "task: non-zero exit (1)",
  },
];

for (const { name, container, memoryBytes, want } of cases) {
  test(`endReason() of ${name}`, () => {
    const limits = memoryBytes === undefined ? {} : { Limits: { MemoryBytes: memoryBytes } };
    const task = { Spec: { ContainerSpec: { Image: "app" }, Resources: limits } };
    assert.equal(endReason({ ...ended, ...container }, task), want);
  });
}

test("endReason() cuts what a check says", () => {
  const output = "ä".repeat(5000);
  const text = endReason({ ...ended, ...sick, probe: { exitCode: 1, output } }, plain);
  assert.ok(text.length < 300, `${text.length} characters`);
  assert.match(text, /ä…"\)$/);
});
