/**
 * Slow: makes the machine slow, runs a command on it, and exits with the command's code.
 *
 *   scripts/node test/bench/slow.ts cpu scripts/test --only lab      a busy loop on each core
 *   scripts/node test/bench/slow.ts disk scripts/test --only lab     four writers that sync 1 MiB in a loop, where labs have their disks
 *
 * The loops end with the command, and within a second when this process is killed.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";

const diskWriters = 4;
const usageCode = 2;
const signalCode = 128;

// Each checks that its parent still runs, since no other process would end it.
const busy = `const parent = process.ppid;
while (process.ppid === parent) for (const end = Date.now() + 500; Date.now() < end; );`;
const writer = `const { openSync, writeSync, fdatasyncSync } = require("node:fs");
const parent = process.ppid;
const bytes = Buffer.alloc(1 << 20, 1);
const handle = openSync(process.argv[1], "w");
while (process.ppid === parent) { writeSync(handle, bytes, 0, bytes.length, 0); fdatasyncSync(handle); }`;

const [kind, file, ...args] = process.argv.slice(2);
if ((kind !== "cpu" && kind !== "disk") || file === undefined) {
  process.stderr.write("Wanted: test/bench/slow.ts cpu|disk COMMAND…\n");
  process.exit(usageCode);
}
const folder = mkdtempSync(join(tmpdir(), "gam-slow-"));
const count = kind === "cpu" ? availableParallelism() : diskWriters;
const loops = Array.from({ length: count }, (_, n) => {
  const words = kind === "cpu" ? [busy] : [writer, join(folder, String(n))];
  return spawn(process.execPath, ["-e", ...words], { stdio: "ignore" });
});
const command = spawn(file, args, { stdio: "inherit" });
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => command.kill(signal));
process.exitCode = await codeOf(command);
for (const loop of loops) loop.kill("SIGKILL");
await Promise.all(loops.map(codeOf));
rmSync(folder, { recursive: true });

function codeOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve(child.exitCode ?? signalCode);
    child.on("error", reject);
    child.on("close", (code) => resolve(code ?? signalCode));
  });
}
