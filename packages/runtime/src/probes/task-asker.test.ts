import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import type { TaskId } from "@gam/core";
import type { HttpAnswer, TaskToMeasure } from "@gam/state";
import { httpGet } from "./http-get.ts";
import { TaskAsker } from "./task-asker.ts";

async function serve(t: TestContext, answer: Parameters<typeof createServer>[1]): Promise<string> {
  const server: Server = createServer(answer as never);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("a GET gets status and body", async (t) => {
  const url = await serve(t, ((_: unknown, response: import("node:http").ServerResponse) => {
    response.writeHead(503).end("no");
  }) as never);
  assert.deepEqual(await httpGet(`${url}/health`), { status: 503, body: "no" });
});

test("a GET without an answer says why, whatever the cause", async (t) => {
  const silent = await serve(t, (() => undefined) as never);
  assert.deepEqual(await httpGet(silent, 50), { error: "no answer within 0.05 s" });
  const closed = await httpGet("http://127.0.0.1:1/");
  assert.match("error" in closed ? closed.error : "", /ECONNREFUSED/);
  const wrong = await httpGet("http://[/");
  assert.ok("error" in wrong);
});

test("a GET reads no more of an endless answer than it may", async (t) => {
  const url = await serve(t, ((_: unknown, response: import("node:http").ServerResponse) => {
    const more = (): void => {
      while (response.write("x".repeat(10_000)));
      response.once("drain", more);
    };
    more();
  }) as never);
  const answer = await httpGet(url);
  assert.equal("body" in answer && answer.body.length, 65_536);
});

const ask = { address: "10.0.0.9", port: 80, path: "/load" };

test("a task is asked every five seconds, and failures in a row are counted", async () => {
  const urls: string[] = [];
  const answers: HttpAnswer[] = [
    { status: 200, body: "7" },
    { status: 500, body: "" },
    { error: "ECONNREFUSED" },
    { status: 204, body: "" },
  ];
  const asker = new TaskAsker((url) => {
    urls.push(url);
    return Promise.resolve(answers[urls.length - 1] ?? { error: "none is left" });
  });
  const tasks: TaskToMeasure[] = [{ id: "one" as TaskId, pid: 7, check: ask }];
  const at = async (nowMs: number) => {
    asker.ask(tasks, nowMs);
    await new Promise((resolve) => setImmediate(resolve));
    return asker.ask(tasks, nowMs).get("one");
  };
  assert.deepEqual(await at(0), { check: { failures: 0, reason: "" } });
  assert.deepEqual(await at(4999), { check: { failures: 0, reason: "" } });
  const failed = { failures: 1, reason: "it answered with status 500" };
  assert.deepEqual(await at(5000), { check: failed });
  assert.deepEqual(await at(10_000), { check: { failures: 2, reason: "ECONNREFUSED" } });
  assert.deepEqual(await at(15_000), { check: { failures: 0, reason: "" } });
  assert.deepEqual(urls, Array(4).fill("http://10.0.0.9:80/load"));
});

test("a number is forgotten when the task does not say it any more", async () => {
  const answers = ["12.5", "many"];
  const asker = new TaskAsker(() => Promise.resolve({ status: 200, body: answers.shift() ?? "" }));
  const tasks: TaskToMeasure[] = [{ id: "one" as TaskId, pid: 7, number: ask }];
  const at = async (nowMs: number) => {
    asker.ask(tasks, nowMs);
    await new Promise((resolve) => setImmediate(resolve));
    return asker.ask(tasks, nowMs).get("one");
  };
  assert.deepEqual(await at(0), { number: 12.5 });
  assert.deepEqual(await at(5000), {});
  assert.deepEqual(asker.ask([], 6000), new Map());
});
