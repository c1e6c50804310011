import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { lockDataDir } from "./lock.ts";

async function folder(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "gam-lock-"));
  t.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

test("only one agent has the directory, and other users cannot read it", async (t) => {
  const dir = await folder(t);
  await chmod(dir, 0o755);
  const held = await lockDataDir(dir);
  assert.equal((await stat(dir)).mode & 0o777, 0o700);
  await assert.rejects(lockDataDir(dir), { code: "IN_USE", message: /another agent uses it/ });
  await held.close();
  await (await lockDataDir(dir)).close();
});

test("a directory that cannot be used is named, with the reason and what to do", async () => {
  await assert.rejects(lockDataDir("/dev/null/gam"), {
    code: "DISK_FAILED",
    message: /^Cannot write to "\/dev\/null\/gam": a part of the path is no folder/,
  });
});

test("the lock says which process has it, and ends when that is killed", async (t) => {
  const dir = await folder(t);
  const program = `
    const { lockDataDir } = await import(${JSON.stringify(new URL("./lock.ts", import.meta.url).href)});
    globalThis.held = await lockDataDir(${JSON.stringify(dir)});
    process.stdout.write("held");
    setInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", program]);
  t.after(() => child.kill("SIGKILL"));
  await once(child.stdout, "data");
  const stop = `process ${child.pid} \\(node\\) uses it\\. Stop it with "kill ${child.pid}"`;
  await assert.rejects(lockDataDir(dir), { code: "IN_USE", message: new RegExp(stop) });
  child.kill("SIGKILL");
  await once(child, "exit");
  await (await lockDataDir(dir)).close();
});
