import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { TaskId } from "@gam/core";
import { testId } from "@gam/core/testing";
import { EngineClient } from "@gam/engine";
import { FakeEngineServer, json } from "@gam/engine/testing";
import { label } from "@gam/state";
import type { EngineNews } from "./container-engine.ts";
import { EngineWatch } from "./engine-watch.ts";
import { registriesOnly } from "./image-source.ts";
import { NetworkBook } from "./network-book.ts";
import { Performer } from "./perform-action.ts";

const task = testId<TaskId>("web");
const labels = { [label.cluster]: "c", [label.task]: task };
const path = "/containers/c1/json";
const noSource = {
  files: () => Promise.reject(new Error("no files")),
  credentials: () => Promise.reject(new Error("no credentials")),
};

/** An engine with one container, and a watch of it. */
async function watched(t: { after: (end: () => Promise<void>) => void }): Promise<{
  readonly server: FakeEngineServer;
  readonly start: () => ReturnType<EngineWatch["during"]>;
  /** Says that something happened to the container. Resolves when the watch has heard it. */
  readonly say: (action: string) => Promise<void>;
  readonly inspections: () => number;
  readonly nextNews: () => Promise<EngineNews>;
}> {
  const socket = join(tmpdir(), `gam-acted-engine-${process.pid}-${Math.random()}.sock`);
  const server = await FakeEngineServer.listen(socket);
  let events: ServerResponse | undefined;
  server.on("GET /events", (_, answer) => {
    answer.writeHead(200).flushHeaders();
    events = answer;
  });
  server.on("GET /containers/json", (_, answer) => json(answer, []));
  const client = new EngineClient(socket);
  const contents = { folder: tmpdir(), source: noSource };
  const performer = new Performer({
    ...{ client, networks: new NetworkBook(client), contents },
    images: registriesOnly(),
    asked: (one) => watch.asked(one),
  });
  let heard = (): void => undefined;
  const queue: EngineNews[] = [];
  let wanted: ((news: EngineNews) => void) | undefined;
  const watch = new EngineWatch(client, performer, {
    onNews: (news) => {
      if (wanted === undefined) queue.push(news);
      else wanted(news);
      wanted = undefined;
    },
    onConnect: () => undefined,
    onImagesChanged: () => heard(),
  });
  watch.start();
  t.after(async () => {
    await watch.close();
    await server.close();
  });
  const nextNews = (): Promise<EngineNews> => {
    const known = queue.shift();
    if (known !== undefined) return Promise.resolve(known);
    return new Promise((resolve) => {
      wanted = resolve;
    });
  };
  assert.equal((await nextNews()).kind, "engine");
  assert.equal((await nextNews()).kind, "containers");
  return {
    server,
    start: () =>
      watch.during(task, () => performer.perform({ kind: "start", id: 1, task, container: "c1" })),
    say: async (Action) => {
      const told = new Promise<void>((resolve) => {
        heard = resolve;
      });
      // Events come in order, so the watch has heard of the container when it hears of the image.
      for (const event of [
        { Type: "container", Action, Actor: { ID: "c1", Attributes: labels } },
        { Type: "image", Action: "pull", Actor: { ID: "i1" } },
      ])
        events?.write(`${JSON.stringify(event)}\n`);
      await told;
    },
    inspections: () => server.calls.filter(({ url }) => url.includes(path)).length,
    nextNews,
  };
}

const container = (Status: string): object => ({
  Id: "c1",
  State: { Status, Pid: 7, ExitCode: 0 },
  Config: { Labels: labels },
  NetworkSettings: {},
});

test("the events of an action are answered by its own inspection", async (t) => {
  const { server, start, say, inspections } = await watched(t);
  server.on("POST /containers/c1/start", async (_, answer) => {
    await say("start");
    answer.writeHead(204).end();
  });
  server.on(`GET ${path}`, (_, answer) => json(answer, container("running")));
  const outcome = await start();
  assert.ok(outcome.ok && outcome.container?.phase === "running");
  assert.equal(inspections(), 1);
});

test("what happens after an action's inspection was asked for is looked at", async (t) => {
  const { server, start, say, inspections, nextNews } = await watched(t);
  server.on("POST /containers/c1/start", (_, answer) => answer.writeHead(204).end());
  server.on(`GET ${path}`, async (_, answer) => {
    const isFirst = inspections() === 1;
    if (isFirst) await say("die");
    json(answer, container(isFirst ? "running" : "exited"));
  });
  const outcome = await start();
  assert.ok(outcome.ok && outcome.container?.phase === "running");
  const news = await nextNews();
  assert.ok(news.kind === "container" && news.container.phase === "exited");
  assert.equal(inspections(), 2);
});

test("an event that comes without an action is looked at", async (t) => {
  const { server, say, nextNews } = await watched(t);
  server.on(`GET ${path}`, (_, answer) => json(answer, container("exited")));
  await say("die");
  const news = await nextNews();
  assert.ok(news.kind === "container" && news.container.phase === "exited");
});
