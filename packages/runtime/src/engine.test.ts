import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { test } from "node:test";
import type { NodeDescription, Usage } from "@gam/state";
import type { ActionOutcome, EngineAction } from "@gam/worker";
import { FakeEngine } from "@gam/worker/testing";
import type { ContainerEngine, EngineNews } from "./container-engine.ts";
import { Engine } from "./engine.ts";
import { engineSuite } from "./engine-suite.ts";

/** The fake of `@gam/worker/testing`, ticking as fast as it is asked. */
class TickingEngine implements ContainerEngine {
  readonly #fake = new FakeEngine({
    images: ["tiny:1"],
    programs: { "tiny:1": { stopCode: 143, exitTicks: 50, exitCode: 3 } },
  });
  readonly #answers = new Map<number, (outcome: ActionOutcome) => void>();
  #hear: (news: EngineNews) => void = () => undefined;
  #timer: NodeJS.Timeout | undefined;

  watch(listener: (news: EngineNews) => void): void {
    this.#hear = listener;
    this.#fake.attach();
    this.#timer = setInterval(() => this.#tick(), 1);
  }

  perform(action: EngineAction): Promise<ActionOutcome> {
    this.#fake.perform(action);
    return new Promise((resolve) => this.#answers.set(action.id, resolve));
  }

  describe(): Promise<NodeDescription> {
    return Promise.reject(new Error("the fake has no host"));
  }

  usage(): Promise<Usage> {
    return Promise.reject(new Error("the fake has no host"));
  }

  logs(): Promise<Readable> {
    return Promise.resolve(Readable.from([]));
  }

  close(): Promise<void> {
    clearInterval(this.#timer);
    return Promise.resolve();
  }

  #tick(): void {
    for (const input of this.#fake.tick()) {
      if (input.kind === "acted") this.#answers.get(input.id)?.(input.outcome);
      else this.#hear(input as EngineNews);
    }
  }
}

engineSuite("FakeEngine", async () => ({
  engine: new TickingEngine(),
  image: "tiny:1",
  imageMissing: "nowhere:1",
  failing: [],
}));

const socketPath = process.env.GAM_TEST_ENGINE;
const image = process.env.GAM_TEST_IMAGE ?? "gam-test:1";

if (socketPath === undefined) {
  test("Engine", { skip: "GAM_TEST_ENGINE names no engine's socket" });
} else {
  engineSuite("Engine", async () => ({
    engine: new Engine({ socketPath }),
    image,
    imageMissing: "registry.invalid/nowhere:1",
    failing: ["sh", "-c", "exit 3"],
  }));

  test("Engine describes its node and its usage", async () => {
    const engine = new Engine({ socketPath });
    const listed = new Promise<void>((resolve) => {
      engine.watch((news) => news.kind === "containers" && resolve());
    });
    await listed;
    const description = await engine.describe();
    assert.equal(description.Platform.OS, "linux");
    assert.ok(description.Resources.NanoCPUs >= 1e9);
    assert.ok(description.Engine.Plugins.some(({ Type, Name }) => Type === "Network" && Name));
    const usage = await engine.usage();
    assert.ok(usage.images.includes(image), usage.images.join(" "));
    assert.ok(usage.memoryBytes > 0 && usage.memoryBytes < usage.memoryTotalBytes);
    assert.ok(usage.diskFreeBytes > 0);
    await assert.rejects(engine.logs("nosuch", { stdout: true }), { code: "NOT_FOUND" });
    await engine.close();
  });
}

const newsOf = async (socket: string): Promise<EngineNews> => {
  const engine = new Engine({ socketPath: socket });
  const news = await new Promise<EngineNews>((resolve) => engine.watch(resolve));
  const outcome = await engine.perform({
    kind: "ensureImage",
    id: 1,
    image: "x",
    registryAuth: "",
  });
  assert.ok(!outcome.ok && outcome.failure === "engine");
  await engine.close();
  return news;
};

test("a missing engine is news with a reason, and nothing is performed", async () => {
  const news = await newsOf(join(tmpdir(), "gam-no-such.sock"));
  assert.ok(news.kind === "engine" && !news.ready);
  assert.match(news.reason, /^Cannot reach engine: .*ENOENT/);
});

test("an engine that is too old is refused with both versions", async () => {
  const socket = join(tmpdir(), `gam-old-engine-${process.pid}.sock`);
  const body = '{"ApiVersion":"1.40"}';
  const head = `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
  const server = createServer((client) => {
    client.on("error", () => undefined);
    client.on("data", () => client.end(head + body));
  });
  server.listen(socket);
  await once(server, "listening");
  const news = await newsOf(socket);
  server.close();
  assert.ok(news.kind === "engine" && !news.ready);
  assert.equal(news.reason, "Cannot use engine: it speaks API 1.40, gam needs 1.41 or later");
});
