import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { backgroundVariable, holderOfFile, holderOfPort, holderText } from "./process-holder.ts";

test("a process is found by a file that it has open, and by its port", async (context) => {
  const folder = mkdtempSync(join(tmpdir(), "gam-holder-"));
  const path = join(folder, "lock");
  writeFileSync(path, "");
  const program = `const { openSync } = require("node:fs");
    openSync(${JSON.stringify(path)}, "a");
    const server = require("node:net").createServer().listen(0, "127.0.0.1", () => console.log(server.address().port));`;
  const child = spawn(process.execPath, ["-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, [backgroundVariable]: "1" },
  });
  context.after(() => {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true });
  });
  const [said] = await once(child.stdout, "data");
  const byFile = await holderOfFile(path);
  const byPort = await holderOfPort(Number(String(said)));
  for (const found of [byFile, byPort]) {
    assert.deepEqual([found?.pid, found?.name, found?.isBackground], [child.pid, "node", true]);
  }
  assert.equal(await holderOfFile(join(folder, "none")), undefined);
  child.kill("SIGKILL");
  await once(child, "exit");
  assert.equal(await holderOfFile(path), undefined);
  assert.equal(await holderOfPort(Number(String(said))), undefined);
});

test("holderText() says how it was started", () => {
  const holder = { pid: 7, name: "gam agent", unit: "", isBackground: false };
  assert.equal(holderText(holder), "process 7 (gam agent)");
  assert.equal(
    holderText({ ...holder, unit: "gam.service" }),
    "process 7 (gam agent, of systemd's gam.service)",
  );
  assert.equal(
    holderText({ ...holder, isBackground: true }),
    "process 7 (gam agent, started in the background by a gam command)",
  );
});
