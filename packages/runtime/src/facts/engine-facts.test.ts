import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { lookAtEngine } from "./engine-facts.ts";

/** An engine that answers these paths, whatever version is before them; undefined for no answer at all. */
async function engineOf(
  context: TestContext,
  answers: Readonly<Record<string, unknown>>,
): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "gam-engine-facts-"));
  const socket = join(folder, "docker.sock");
  const server = createServer((call, reply) => {
    const path = (call.url ?? "").replace(/\?.*$/, "").replace(/^\/v[\d.]+/, "");
    const found = answers[path];
    if (found !== undefined) reply.setHeader("content-type", "application/json");
    if (found !== undefined) reply.end(JSON.stringify(found));
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  context.after(() => {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  });
  return socket;
}

const nothing = { version: "", inSwarm: false, root: "" };
const info = { DockerRootDir: "/data", Swarm: { LocalNodeState: "inactive" } };

test("lookAtEngine() of an engine that runs, in Swarm mode and not", async (t) => {
  for (const [LocalNodeState, inSwarm] of [
    ["inactive", false],
    ["active", true],
    ["pending", true],
  ] as const) {
    const socket = await engineOf(t, {
      "/version": { Version: "28.0.1", ApiVersion: "1.44" },
      "/info": { ...info, Swarm: { LocalNodeState } },
    });
    assert.deepEqual(await lookAtEngine(socket), {
      ...{ state: "ready", reason: "", version: "28.0.1", inSwarm, root: "/data" },
    });
  }
});

test("lookAtEngine() of an engine that is too old", async (t) => {
  const socket = await engineOf(t, { "/version": { Version: "19.03.15", ApiVersion: "1.40" } });
  const { state, version, reason } = await lookAtEngine(socket);
  assert.deepEqual([state, version], ["old", "19.03.15"]);
  assert.match(reason, /it speaks API 1\.40, gam needs 1\.41 or later/);
});

test("lookAtEngine() tells an engine that does not run from one that hangs", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "gam-engine-facts-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "docker.sock");
  const stopped = { ...nothing, state: "stopped" };
  const found = await lookAtEngine(path);
  assert.deepEqual(found, { ...stopped, reason: `there is no socket ${path}` });
  writeFileSync(path, "");
  const refused = await lookAtEngine(path);
  assert.deepEqual(refused, { ...stopped, reason: `nothing listens at ${path}` });
  const hanging = await lookAtEngine(await engineOf(t, {}));
  assert.deepEqual(hanging, { ...nothing, state: "silent", reason: "no answer within 5 s" });
});
