import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { BrokenInvariant, type TaskId } from "@gam/core";
import { EngineClient } from "@gam/engine";
import { FakeEngineServer } from "@gam/engine/testing";
import { type NodeDescription, planNetwork, type Usage } from "@gam/state";
import { type ActionOutcome, type EngineAction, planContainer } from "@gam/worker";
import { aNode, anOverlay, aTask, SimEngine } from "@gam/worker/testing";
import type { ContainerEngine, EngineNews } from "./container-engine.ts";
import type { EngineContents } from "./contents/file-room.ts";
import { MemoryFolder } from "./contents/memory-folder.ts";
import { DockerEngine } from "./docker-engine.ts";
import { engineSuite } from "./engine-suite.ts";
import { EngineWatch } from "./engine-watch.ts";
import { registriesOnly } from "./image-source.ts";
import { NetworkBook } from "./network-book.ts";
import { Performer } from "./perform-action.ts";

/** The fake of `@gam/worker/testing`; it ticks as fast as it is called. */
class TickingEngine implements ContainerEngine {
  readonly #fake = new SimEngine({
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

const contents: EngineContents = {
  folder: join(tmpdir(), `gam-files-${process.pid}`),
  source: {
    files: async (_, files) => files.map(({ name }) => Buffer.from(`data of ${name}`)),
    credentials: async () => "",
  },
};

const socketPath = process.env.GAM_TEST_ENGINE;
const image = process.env.GAM_TEST_IMAGE ?? "gam-test:1";

if (socketPath === undefined) {
  test("Engine", { skip: "GAM_TEST_ENGINE names no engine's socket" });
} else {
  engineSuite("Engine", async () => ({
    engine: new DockerEngine({ socketPath, contents }),
    image,
    imageMissing: "registry.invalid/nowhere:1",
    failing: ["sh", "-c", "exit 3"],
  }));

  test("Engine describes its node and its usage", async () => {
    const engine = new DockerEngine({ socketPath, contents });
    const listed = new Promise<void>((resolve) => {
      engine.watch((news) => news.kind === "containers" && resolve());
    });
    await listed;
    const description = await engine.describe();
    assert.equal(description.Platform.OS, "linux");
    assert.ok(description.Resources.NanoCPUs >= 1e9);
    assert.ok(description.Engine.Plugins.some(({ Type, Name }) => Type === "Network" && Name));
    let usage = await engine.usage();
    // The list of images is being fetched; each measurement takes about a millisecond.
    for (let n = 0; n < 1000 && usage.images.length === 0; n += 1) usage = await engine.usage();
    assert.ok(usage.images.includes(image), usage.images.join(" "));
    assert.ok(usage.memoryBytes > 0 && usage.memoryBytes < usage.memoryTotalBytes);
    assert.ok(usage.diskFreeBytes > 0);
    await engine.close();
  });

  test("Engine reports health and ports", async () => {
    const engine = new DockerEngine({ socketPath, contents });
    const listed = Promise.withResolvers<void>();
    const sick = Promise.withResolvers<void>();
    engine.watch((news) => {
      if (news.kind === "containers") listed.resolve();
      if (news.kind === "container" && news.container.health === "unhealthy") sick.resolve();
    });
    await listed.promise;
    const made = aTask(`sick${process.pid}`);
    const ContainerSpec = {
      Image: image,
      Args: ["sh", "-c", "i=0; while true; do echo line $i; i=$((i+1)); done"],
      Healthcheck: {
        Test: ["CMD-SHELL", "echo no answer; exit 1"],
        Interval: 1e8,
        Retries: 1,
        Timeout: 5e9,
      },
      StopGracePeriod: 0,
    };
    const Ports = [{ TargetPort: 80, PublishedPort: 18080, PublishMode: "host" as const }];
    const task = { ...made, Spec: { ContainerSpec }, Gam: { ...made.Gam, endpoint: { Ports } } };
    const network = anOverlay(`sick${process.pid}`, 3);
    const part = planNetwork(network, aNode(), "suite");
    assert.ok(part !== undefined);
    await engine.perform({ kind: "ensureNetwork", id: 1, network: part });
    const attachments = [{ network: network.Id, address: "10.253.3.7" }];
    const joined = { ...task, Gam: { ...task.Gam, attachments } };
    const planned = planContainer(joined, {
      cluster: "suite",
      node: aNode(),
      networks: [network],
    });
    assert.ok("plan" in planned);
    const born = await engine.perform({ kind: "create", id: 2, task: task.ID, plan: planned.plan });
    assert.ok(born.ok && born.container, JSON.stringify(born));
    const on = { task: task.ID, container: born.container.id };
    const started = await engine.perform({ kind: "start", id: 3, ...on });
    assert.ok(started.ok && started.container, JSON.stringify(started));
    assert.notEqual(started.container.health, "none");
    assert.deepEqual(started.container.ports[0], { Protocol: "tcp", ...Ports[0] });

    await sick.promise;
    const stopped = await engine.perform({ kind: "stop", id: 5, ...on });
    assert.ok(stopped.ok && stopped.container, JSON.stringify(stopped));
    assert.equal(stopped.container.health, "unhealthy", "kept after the exit");
    assert.equal(stopped.container.exitCode, 137);
    assert.deepEqual(stopped.container.probe, { exitCode: 1, output: "no answer\n" });
    assert.equal(stopped.container.oomKilled, undefined);
    await engine.perform({ kind: "remove", id: 6, ...on });
    await engine.perform({ kind: "pruneNetworks", id: 7, keep: [] });
    await engine.close();
  });
}

const newsOf = async (socket: string): Promise<EngineNews> => {
  const engine = new DockerEngine({ socketPath: socket, contents });
  const news = await new Promise<EngineNews>((resolve) => engine.watch(resolve));
  const outcome = await engine.perform({
    kind: "ensureImage",
    id: 1,
    image: "x",
  });
  assert.ok(!outcome.ok && outcome.failure === "engine");
  await engine.close();
  return news;
};

test("a missing engine is reported with a reason, and actions fail", async () => {
  const news = await newsOf(join(tmpdir(), "gam-no-such.sock"));
  assert.ok(news.kind === "engine" && !news.ready);
  assert.match(news.reason, /^Cannot reach engine: .*ENOENT/);
});

test("an engine that is too old is reported with both versions", async () => {
  const socket = join(tmpdir(), `gam-old-engine-${process.pid}.sock`);
  const server = await FakeEngineServer.listen(socket, "1.40");
  const news = await newsOf(socket);
  await server.close();
  assert.ok(news.kind === "engine" && !news.ready);
  assert.equal(news.reason, "Cannot use engine: it speaks API 1.40, gam needs 1.41 or later");
});

test("files are refused where the engine maps user ids, with what to do", async (t) => {
  const socket = join(tmpdir(), `gam-mapping-engine-${process.pid}.sock`);
  const server = await FakeEngineServer.listen(socket);
  t.after(async () => {
    await server.close();
    await new MemoryFolder(contents.folder).remove();
  });
  const client = new EngineClient(socket);
  const performer = new Performer({
    ...{ client, networks: new NetworkBook(client), contents },
    images: registriesOnly(),
  });
  const task = "t1" as TaskId;
  const place = async (SecurityOptions: readonly string[]): Promise<string> => {
    server.on("GET /info", (_, answer) => answer.end(JSON.stringify({ SecurityOptions })));
    const outcome = await performer.perform({ kind: "placeFiles", id: 1, task, files: [] });
    return outcome.ok ? "" : outcome.message;
  };
  assert.match(
    await place(["name=seccomp,profile=default", "name=userns"]),
    /userns-remap.*switch/,
  );
  assert.match(await place(["name=rootless"]), /maps user ids/);
  assert.doesNotMatch(await place(["name=seccomp,profile=usernsx"]), /maps user ids/);
});

test("a broken invariant in the listener rejects the watch, and does not count as a lost engine", async (t) => {
  const socket = join(tmpdir(), `gam-watched-engine-${process.pid}.sock`);
  const server = await FakeEngineServer.listen(socket);
  t.after(() => server.close());
  server.on("GET /events", (_, answer) => answer.writeHead(200).flushHeaders());
  const client = new EngineClient(socket);
  const performer = new Performer({
    ...{ client, networks: new NetworkBook(client), contents },
    images: registriesOnly(),
  });
  const broken = new BrokenInvariant("the worker hears of one engine");
  const heard: EngineNews[] = [];
  const watch = new EngineWatch(client, performer, {
    onNews: (news) => {
      heard.push(news);
      throw broken;
    },
    onConnect: () => undefined,
    onImagesChanged: () => undefined,
  });
  await assert.rejects(watch.run(), broken);
  assert.deepEqual(heard, [{ kind: "engine", ready: true, reason: "" }]);
});
