import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { json } from "@gam/engine/testing";
import type { Task } from "@gam/state";
import { encodeFrame } from "../logs/log-frames.ts";
import { Rig } from "../testing/rig.ts";

let rig: Rig;
let tasks: readonly Task[];

before(async () => {
  rig = await Rig.start(2);
  const { body } = await rig.call("POST", "/services/create", {
    Name: "web",
    TaskTemplate: {
      ContainerSpec: { Image: "tiny:1" },
      Resources: { Limits: { MemoryBytes: 64 * 2 ** 20 } },
    },
    Mode: { Replicated: { Replicas: 2 } },
  });
  tasks = rig.door.store.tasksOf(body.ID);
  const shown = tasks.map(({ ID }) => ({
    ...{ id: ID, name: "web", node: "", state: "failed", desired: "running", at: "" },
    ...{ error: "", exitCode: 1, engine: [], log: [], unread: "" },
  }));
  rig.door.explained = { name: "web", causes: ["It failed"], asked: null, nodes: [], tasks: shown };
});
after(() => rig.stop());

function containerOf(task: Task | undefined): string {
  return task?.Status.ContainerStatus?.ContainerID ?? "";
}

function engineOf(task: Task | undefined): Rig["engine"] {
  return rig.far.find(({ id }) => id === task?.NodeID)?.engine ?? rig.engine;
}

test("gam why finds services, tasks and nodes by name and by id", async () => {
  const [first] = tasks;
  const named = [
    ["web", "service"],
    ["web.1", "task"],
    [`web.1.${first?.ID}`, "task"],
    [first?.ID ?? "", "task"],
    ["host2", "node"],
    ["bbb", "node"],
  ] as const;
  for (const [ref, kind] of named) {
    const { status, body } = await rig.call("GET", `/gam/v1/why/${ref}`);
    assert.deepEqual([status, body.kind, body.causes], [200, kind, ["It failed"]], ref);
  }
  const { status, body } = await rig.call("GET", "/gam/v1/why/nothing");
  assert.equal(status, 404);
  assert.match(body.message, /^Cannot explain "nothing": there is no such thing\. Name a service/);
});

test("gam why adds what each host knows of its container, and names a host that does not answer", async () => {
  const [first, second] = tasks;
  const Log = [
    { ExitCode: 0, Output: "fine" },
    { ExitCode: 1, Output: "no\u001b\nanswer" },
  ];
  const State = {
    Status: "exited",
    ExitCode: 137,
    OOMKilled: true,
    Error: "",
    Health: { Log, Status: "unhealthy" },
  };
  engineOf(first).on(`GET /containers/${containerOf(first)}/json`, (_call, answer) =>
    json(answer, { State }),
  );
  engineOf(first).on(`GET /containers/${containerOf(first)}/logs`, (call, answer) => {
    assert.match(call.url ?? "", /tail=10/);
    const line = (text: string): Buffer => encodeFrame({ stream: 2, payload: Buffer.from(text) });
    answer.end(Buffer.concat([line("starting\n"), line("x".repeat(5000))]));
  });
  const { body } = await rig.call("GET", "/gam/v1/why/web");
  const [shown, other] = body.tasks;
  assert.deepEqual(shown.engine, [
    "killed: out of memory, limit 64 MiB",
    'last health check: exit 1, "no answer"',
  ]);
  assert.equal(shown.log[0], "starting");
  assert.match(shown.log[1], /^x{300}[^x]{1,3}$/, "cut");
  assert.equal(shown.unread, "");
  assert.equal(other.unread, "page not found", `task ${second?.ID} has no container there`);
});
