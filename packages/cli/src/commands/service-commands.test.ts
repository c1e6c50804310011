import assert from "node:assert/strict";
import { test } from "node:test";
import { AgentClient } from "../agent/agent-client.ts";
import type { CommandIo } from "../agent/command-io.ts";
import { fakeAgent } from "../testing/fake-agent.ts";
import { difference, history, rollback, rollout, steer } from "./service-commands.ts";

const image = (before: string, after: string) => ({ path: "Image", before, after });

function ioOf(printed: string[]): CommandIo {
  return {
    ...{ environment: {}, cwd: "/", isTerminal: false },
    nowMs: () => Date.parse("2026-01-01T00:10:00Z"),
    pause: () => Promise.resolve(),
    onInterrupt: () => () => undefined,
    print: (line) => printed.push(line),
    complain: () => undefined,
  };
}

test("gam service rollout and its steering", async (context) => {
  const agent = await fakeAgent({
    "GET /gam/v1/services/web/rollout": {
      ...{ id: "s", name: "web", status: "updating: canary, step 2 of 3" },
      rollout: {
        ...{ strategy: "canary", weight: 10, step: 1, phase: "starting", paused: "person" },
        sinceMs: Date.parse("2026-01-01T00:09:00Z"),
        steps: [
          { weight: 10, waitMs: 60_000, tasks: 1 },
          { weight: 50, waitMs: null, tasks: 5 },
          { weight: 100, waitMs: 0, tasks: 10 },
        ],
        ...{ end: null, failed: ["t1"], failuresMax: 2 },
        ...{ old: { image: "app:1@sha256:a", running: 10 }, fresh: { image: "app:2", running: 1 } },
      },
    },
    "GET /gam/v1/services/db/rollout": { id: "d", name: "db", status: "", rollout: null },
    "POST /gam/v1/services/web/rollout": {},
  });
  context.after(() => agent.close());
  const printed: string[] = [];
  const client = new AgentClient(agent.socket);
  await rollout(client, ioOf(printed), { name: "web" });
  await rollout(client, ioOf(printed), { name: "db" });
  await steer(client, ioOf(printed), { name: "web", action: "abort" });
  assert.deepEqual(printed, [
    "web: updating: canary, step 2 of 3",
    "",
    "VERSION  IMAGE  RUNNING  NEW CONNECTIONS",
    "old      app:1  10       90 %",
    "new      app:2  1        10 %",
    "",
    "STEP  WEIGHT  TASKS  FOR            STATE",
    "1     10 %    1      60 s           done",
    "2     50 %    5      until resumed  began 1 minute ago, starts tasks, paused (person)",
    "3     100 %   10     0 s",
    "",
    "Failed tasks of the new version: 1; allowed: 2",
    'db has had no rollout. An update begins one if the service has the label "gam.rollout"',
    "The rollout of web is undone: all new connections go to the old version",
  ]);
  assert.deepEqual(agent.heard.at(-1)?.body, { action: "abort" });
});

test("gam service history, diff and rollback", async (context) => {
  const agent = await fakeAgent({
    "GET /gam/v1/services/web/history": {
      ...{ id: "s", name: "web" },
      revisions: [
        { number: 3, at: "2026-01-01T00:00:00Z", image: "app:1@sha256:a", changes: [] },
        { number: 4, at: "2026-01-01T00:09:00Z", image: "app:2", changes: [image("1", "2")] },
      ],
    },
    "GET /gam/v1/services/web/diff?from=3": { from: 3, to: 4, changes: [image("1", "2")] },
    "POST /gam/v1/services/web/rollback": {},
  });
  context.after(() => agent.close());
  const printed: string[] = [];
  const io = ioOf(printed);
  const client = new AgentClient(agent.socket);
  await history(client, io, { name: "web" });
  await difference(client, io, { name: "web", from: "3" });
  await rollback(client, io, { name: "web", to: 3 });
  assert.deepEqual(printed, [
    "REVISION  WRITTEN         IMAGE  CHANGED",
    "4 *       1 minute ago    app:2  Image",
    "3         10 minutes ago  app:1",
    "web: revision 3 → 4",
    "    Image: 1 → 2",
    'web returns to revision 3. Run "docker service ps web" to see its tasks',
  ]);
  assert.deepEqual(agent.heard.at(-1)?.body, { to: 3 });
});
