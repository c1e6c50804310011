/** Loads, and how their results are judged, without a lab. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { overloaded } from "./clusters/rolling-update.ts";
import {
  deadlineMs,
  healthSeconds,
  loadPerSecond,
  type Machine,
  machineText,
} from "./hosts/machine.ts";
import { behind, type ClosedLoop, type LoadResult, type Rate } from "./load/load.ts";

const program = new URL("./load/load-generator.ts", import.meta.url).pathname;
const machine: Machine = {
  containersPerSecond: 8,
  requestsPerSecond: 2000,
  requestsPerSecondBusy: 900,
  writeMs: 0.5,
  loopMs: 30,
};
const good: LoadResult = {
  sent: 1000,
  answered: 1000,
  unsent: 0,
  lateMs: 40,
  failures: {},
  servers: { a: 1000 },
  lastedMs: 10_000,
  p50Ms: 2,
  p99Ms: 30,
};

test("a deadline is its base plus the time of its work on this machine", () => {
  assert.equal(deadlineMs(machine, 4000), 4000);
  assert.equal(deadlineMs(machine, 4000, { containers: 10, writes: 100 }), 4000 + 1250 + 50);
  assert.equal(deadlineMs({ ...machine, containersPerSecond: 7 }, 0, { containers: 1 }), 143);
});

test("health checks are less frequent if the engines are slow", () => {
  assert.equal(healthSeconds(machine, 15, 2), 2);
  assert.equal(healthSeconds({ ...machine, containersPerSecond: 1.5 }, 15, 2), 10);
});

test("a load is a quarter of what the busy machine carries, and no more than asked for", () => {
  assert.equal(loadPerSecond(machine, 500), 225);
  assert.equal(loadPerSecond(machine, 100), 100);
  const { requestsPerSecondBusy: _, ...ofOneHost } = machine;
  assert.throws(() => loadPerSecond(ofOneHost, 100), { name: "LabError" });
});

test("the machine's figures are one line", () => {
  assert.equal(
    machineText(machine),
    "the engines alone start 8.0 containers a second, " +
      "a bare DNAT carries 2000 requests a second (900 while containers start), " +
      "a write with fsync takes 0.50 ms, a fixed loop 30 ms",
  );
});

const endings = {
  tasks: 10,
  killed: 0,
  open: 0,
  opened: 0,
  accepted: 0,
  waiting: 0,
  overflowed: 0,
  refused: 0,
  lingeredMs: 110,
};
const cases: readonly (readonly [string, Partial<LoadResult>, Partial<LoadResult>, RegExp?])[] = [
  ["in time", {}, {}],
  ["losses of the service alone", { failures: { ECONNREFUSED: 3 } }, {}],
  ["a slow part of the service", { p99Ms: 9000 }, {}],
  ["a slow service", { p50Ms: 400 }, {}, /half of the requests waited longer than 400 ms/],
  ["requests that were not sent", { unsent: 4 }, {}, /4 of 1004 requests were not sent/],
  ["requests that were sent late", { lateMs: 2500 }, {}, /sent 2500 ms late/],
  ["losses without gam, too", {}, { failures: { ECONNRESET: 2 } }, /lost requests, too: 2 ECONN/],
  ["late answers without gam, too", {}, { p99Ms: 2001 }, /answered late, too: p99 2001 ms/],
];
for (const [what, load, bare, why] of cases) {
  test(`${what}: ${why === undefined ? "measured" : "not measured"}`, () => {
    const found = overloaded({ load: { ...good, ...load }, bare: { ...good, ...bare }, endings });
    if (why === undefined) assert.equal(found, undefined);
    else assert.match(found ?? "", why);
  });
}

test("a load by rate sends at that rate, and counts its requests", async () => {
  const result = await loadAt({ perSecond: 100 }, (_, response) => response.end("{}"), 50);
  assert.deepEqual([result.failures, result.unsent], [{}, 0]);
  assert.equal(result.answered, result.sent);
  assert.ok(result.sent >= 50);
});

test("unanswered requests fail, and never exceed the bound at once", async () => {
  let most = 0;
  let open = 0;
  const silent: RequestListener = (request) => {
    open += 1;
    most = Math.max(most, open);
    request.on("close", () => {
      open -= 1;
    });
  };
  const result = await loadAt({ perSecond: 200, answerMsMax: 500 }, silent, 100);
  assert.equal(result.answered, 0);
  assert.ok(most <= 50, `${most} at once`);
  assert.equal(Object.values(result.failures)[0], result.sent);
  assert.match(Object.keys(result.failures)[0] ?? "", /nothing in 500 ms$/);
  assert.ok(result.unsent > 0);
  assert.match(behind(result) ?? "", /were not sent/);
});

test("a closed loop ends after its count of requests, and after its time", async () => {
  const answer: RequestListener = (_, response) => response.end("{}");
  assert.equal((await loadAt({ atOnce: 4, count: 25 }, answer)).sent, 25);
  const { sent, lastedMs } = await loadAt({ atOnce: 2, forMs: 100 }, answer);
  assert.ok(sent > 0 && lastedMs >= 100);
});

/** Runs the generator against a server, and ends it after `endAfter` requests. */
async function loadAt(
  options: Rate | ClosedLoop,
  listener: RequestListener,
  endAfter = Number.POSITIVE_INFINITY,
): Promise<LoadResult> {
  let asked = 0;
  const enough = Promise.withResolvers<void>();
  const server = createServer((request, response) => {
    asked += 1;
    if (asked === endAfter) enough.resolve();
    listener(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const urls = [`http://127.0.0.1:${(server.address() as AddressInfo).port}/`];
  const words = [program, JSON.stringify({ urls, ...options })];
  const child = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "ignore"] });
  const said = text(child.stdout);
  if (endAfter !== Number.POSITIVE_INFINITY) {
    await enough.promise;
    child.kill("SIGTERM");
  }
  try {
    return JSON.parse(await said) as LoadResult;
  } finally {
    server.close();
    server.closeAllConnections();
  }
}
