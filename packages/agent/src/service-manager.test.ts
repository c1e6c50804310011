import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { serviceManager } from "./service-manager.ts";

const folder = mkdtempSync(join(tmpdir(), "gam-notify-"));
after(() => rmSync(folder, { recursive: true }));
const said = join(folder, "said");

/** A folder whose systemd-notify writes down what it was told. */
function notify(script = `echo "$*" >>${said}`): string {
  writeFileSync(join(folder, "systemd-notify"), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  writeFileSync(said, "");
  return `${folder}:${process.env.PATH}`;
}

async function until(pattern: RegExp): Promise<string> {
  const deadlineMs = performance.now() + 30_000;
  for (;;) {
    const text = readFileSync(said, "utf8");
    if (pattern.test(text)) return text;
    assert.ok(performance.now() < deadlineMs, `systemd was told: ${text}`);
    await pause(10);
  }
}

const nothing = { warn: () => assert.fail("nothing to warn of") };

test("systemd is told that the agent is ready, again and again that it works, and that it stops", async () => {
  const environment = { PATH: notify(), NOTIFY_SOCKET: "/run/x", WATCHDOG_USEC: "60000" };
  const manager = serviceManager({ environment, log: nothing });
  manager.ready();
  await until(/READY=1\n(WATCHDOG=1\n){3}/);
  manager.stopping();
  await until(/STOPPING=1/);
});

test("without a watchdog it is told once", async () => {
  const environment = { PATH: notify(), NOTIFY_SOCKET: "/run/x" };
  const manager = serviceManager({ environment, log: nothing });
  manager.ready();
  await until(/READY=1/);
  manager.stopping();
  assert.equal(await until(/STOPPING=1/), "READY=1\nSTOPPING=1\n");
});

test("where systemd did not start the agent, nothing is run", () => {
  const environment = { PATH: notify("exit 3"), WATCHDOG_USEC: "60000" };
  const manager = serviceManager({ environment, log: nothing });
  manager.ready();
  manager.stopping();
});

test("a systemd-notify that fails is told in the log once", async () => {
  const warned: string[] = [];
  const log = { warn: (_: object, text: string) => warned.push(text) };
  const environment = { PATH: notify(`echo x >>${said}; exit 1`), NOTIFY_SOCKET: "/run/x" };
  const manager = serviceManager({ environment, log });
  manager.ready();
  await until(/x/);
  manager.stopping();
  await until(/x\nx/);
  const deadlineMs = performance.now() + 30_000;
  while (warned.length === 0 && performance.now() < deadlineMs) await pause(10);
  assert.deepEqual(warned, ["Cannot tell systemd how the agent is"]);
});
