import assert from "node:assert/strict";
import { test } from "node:test";
import { AgentClient } from "../agent/agent-client.ts";
import type { CommandIo } from "../agent/command-io.ts";
import { fakeAgent } from "../testing/fake-agent.ts";
import { difference, history, rollback } from "./service-commands.ts";

const image = (before: string, after: string) => ({ path: "Image", before, after });

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
  const io: CommandIo = {
    ...{ environment: {}, cwd: "/", isTerminal: false },
    nowMs: () => Date.parse("2026-01-01T00:10:00Z"),
    pause: () => Promise.resolve(),
    onInterrupt: () => () => undefined,
    print: (line) => printed.push(line),
    complain: () => undefined,
  };
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
