import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Duplex, duplexPair, Readable } from "node:stream";
import { type TestContext, test } from "node:test";
import { GamError, type NodeId, type TaskId } from "@gam/core";
import { testId } from "@gam/core/testing";
import { LayerCache, type LocalImage, layersIn } from "@gam/runtime";
import type { Usage } from "@gam/state";
import { aCluster, aNode, aService, aTask, TestLog, withFiles } from "@gam/state/testing";
import type { Depot } from "./depot.ts";
import { ImageDesk, type ImageDeskParts } from "./image-desk.ts";
import { layers as layerStream } from "./image-question.ts";

type RequestHandler = Parameters<ImageDeskParts["mesh"]["handle"]>[1];
type StreamHandler = Parameters<ImageDeskParts["mesh"]["handleStream"]>[1];

const digestOf = (bytes: Uint8Array): string =>
  `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

interface Made {
  readonly id: string;
  readonly config: Uint8Array;
  readonly blobs: ReadonlyMap<string, Buffer>;
}

/** An image of layers with these texts. */
function anImage(...texts: string[]): Made {
  const blobs = new Map(texts.map((text) => [digestOf(Buffer.from(text)), Buffer.from(text)]));
  const config = Buffer.from(JSON.stringify({ rootfs: { diff_ids: [...blobs.keys()] } }));
  return { id: digestOf(config), config, blobs };
}

/** An engine in memory with a real cache. */
class FakeDepot implements Depot {
  readonly cache: LayerCache;
  readonly images = new Map<string, Made>();
  readonly names = new Map<string, string>();
  readonly #recipes = new Map<string, ReturnType<Depot["recipe"]>>();
  openings = 0;
  freeBytes = 1e9;

  constructor(folder: string) {
    this.cache = new LayerCache(folder);
  }

  find: Depot["find"] = async (image): Promise<LocalImage | undefined> => {
    const digest = image.slice(image.indexOf("@") + 1);
    const found = this.images.get(this.names.get(image) ?? this.names.get(digest) ?? digest);
    if (found === undefined) return undefined;
    const layers = [...found.blobs.keys()];
    const digests = [...this.names].filter(([, id]) => id === found.id).map(([name]) => name);
    return { id: found.id, layers, bytes: 1, tags: [], digests };
  };
  list: Depot["list"] = async () =>
    [...this.images.keys()].map((id) => ({ id, bytes: 7, tags: [], digests: [] }));
  remove: Depot["remove"] = async (image) => void this.images.delete(image);
  canExchange = async (): Promise<boolean> => true;
  held: Depot["held"] = async (layers) => {
    const counts = [...this.images.values()].map(({ blobs }) => {
      const own = [...blobs.keys()];
      const differs = layers.findIndex((layer, at) => own[at] !== layer);
      return differs < 0 ? layers.length : differs;
    });
    return Math.max(0, ...counts);
  };
  recipe: Depot["recipe"] = (id) => this.#recipes.get(id);
  note: Depot["note"] = (id, recipe) => void this.#recipes.set(id, recipe);
  takeOut: Depot["takeOut"] = async (id, wants) => {
    this.openings += 1;
    const found = this.images.get(id);
    assert.ok(found !== undefined);
    this.note(id, { layers: [...found.blobs.keys()], config: found.config });
    for (const [layer, bytes] of found.blobs) {
      if (wants(layer)) await this.cache.add(Readable.from([bytes]), { bytesMax: 1e6 });
    }
  };
  load: Depot["load"] = async (id, config) => {
    const names = layersIn(config, id);
    const held = await this.held(names);
    const blobs = new Map<string, Buffer>();
    for (const [at, layer] of names.entries()) {
      if (at >= held) assert.ok(this.cache.has(layer), `layer ${at} of ${names.length}`);
      blobs.set(layer, Buffer.from(""));
    }
    this.images.set(id, { id, config, blobs });
  };
  roomFor: Depot["roomFor"] = async (bytes) => ({
    fits: bytes <= this.freeBytes,
    freeBytes: this.freeBytes,
  });
}

interface Sent {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly layer: string;
}

/** Hosts in one mesh. The first is a manager, the others are as asked. */
class World {
  readonly ids: readonly NodeId[];
  readonly depots: readonly FakeDepot[];
  readonly desks: readonly ImageDesk[];
  readonly sent: Sent[] = [];
  readonly warnings: object[] = [];
  readonly usage = new Map<NodeId, Usage>();
  readonly log = new TestLog();
  /** Nodes whose connections are gone. */
  readonly silent = new Set<NodeId>();
  /** Nodes that send other bytes than they should. */
  readonly liars = new Set<NodeId>();
  readonly #handlers = new Map<string, RequestHandler>();
  readonly #streams = new Map<string, StreamHandler>();

  constructor(t: TestContext, count: number, role: "manager" | "worker" = "manager") {
    const folder = mkdtempSync(join(tmpdir(), "gam-images-"));
    this.ids = Array.from({ length: count }, (_, at) => testId<NodeId>(`host${at}`));
    this.log.write({ kind: "createCluster", cluster: aCluster() });
    for (const [at, id] of this.ids.entries()) {
      const Role = at === 0 ? "manager" : role;
      this.log.write({ kind: "joinNode", node: aNode(id, { spec: { Role } }) });
    }
    this.depots = this.ids.map((id) => new FakeDepot(join(folder, id)));
    this.desks = this.ids.map((id, at) => new ImageDesk(this.#parts(id, at)));
    t.after(async () => {
      for (const { cache } of this.depots) await cache.close();
      rmSync(folder, { recursive: true });
    });
  }

  at<T>(list: readonly T[], index: number): T {
    const found = list[index];
    assert.ok(found !== undefined);
    return found;
  }

  /** Puts an image into a host's engine, and tells all. */
  put(index: number, image: Made): void {
    this.at(this.depots, index).images.set(image.id, image);
    this.usage.set(this.at(this.ids, index), { images: [image.id] } as unknown as Usage);
  }

  /** Gives each host a task with the image. */
  runOn(image: string, indices: readonly number[]): void {
    const ContainerSpec = withFiles(image, {});
    this.log.write(aService("shop", { template: { ContainerSpec } }));
    for (const index of indices) {
      const node = this.at(this.ids, index);
      const task = aTask("shop", testId<TaskId>(`task${index}`), {
        node,
        template: { ContainerSpec },
      });
      this.log.write({ kind: "createTask", task });
    }
  }

  async fetch(index: number, image: string): ReturnType<ImageDesk["fetch"]> {
    return await this.at(this.desks, index).fetch(image);
  }

  #parts(self: NodeId, at: number): ImageDeskParts {
    const reach = (to: NodeId): void => {
      if (this.silent.has(to)) throw new GamError("UNREACHABLE", `Cannot reach ${to}`);
    };
    return {
      self,
      depot: this.at(this.depots, at),
      mesh: {
        handle: (name, handler) => {
          this.#handlers.set(`${self} ${name}`, handler);
          return () => undefined;
        },
        handleStream: (name, handler) => {
          this.#streams.set(`${self} ${name}`, handler);
          return () => undefined;
        },
        request: async (to, { name, body }) => {
          reach(to);
          const handler = this.#handlers.get(`${to} ${name}`);
          assert.ok(handler !== undefined);
          return await handler(self, body);
        },
        stream: async (to, name, header) => {
          reach(to);
          return this.#open(self, to, { name, header });
        },
        sender: (id) =>
          this.silent.has(id)
            ? undefined
            : { role: this.log.store.node(id)?.Spec.Role ?? "worker" },
      } as ImageDeskParts["mesh"],
      view: () => this.log.store,
      usage: () => this.usage,
      bytesPerSecond: 1e9,
      log: {
        debug: () => undefined,
        info: () => undefined,
        warn: (fields) => void this.warnings.push(fields),
      },
    };
  }

  #open(from: NodeId, to: NodeId, { name, header }: { name: string; header: Uint8Array }): Duplex {
    const [near, far] = duplexPair();
    const handler = this.#streams.get(`${to} ${name}`);
    assert.ok(handler !== undefined && name === layerStream);
    near.on("error", () => undefined);
    far.on("error", () => undefined);
    const hash = createHash("sha256");
    const write = far.write.bind(far) as (chunk: Buffer) => boolean;
    far.write = ((chunk: Buffer) => {
      const said = this.liars.has(to) ? Buffer.alloc(chunk.length, "x") : chunk;
      hash.update(said);
      return write(said);
    }) as typeof far.write;
    far.once("finish", () =>
      this.sent.push({ from: to, to: from, layer: `sha256:${hash.digest("hex")}` }),
    );
    (async () => await handler(from, header, far))().catch((thrown: Error) => near.destroy(thrown));
    return near;
  }
}

test("hosts that fetch one image at once get each layer once, and give layers to each other", async (t) => {
  const world = new World(t, 5);
  const image = anImage("base", "one", "two", "three", "four", "five", "six", "seven");
  const name = `shop:1@${image.id}`;
  world.put(0, image);
  world.runOn(name, [0, 1, 2, 3, 4]);
  const ended = await Promise.all([1, 2, 3, 4].map((at) => world.fetch(at, name)));
  assert.deepEqual(
    ended.map(({ kind }) => kind),
    ["loaded", "loaded", "loaded", "loaded"],
  );
  for (const at of [1, 2, 3, 4]) {
    const got = world.sent.filter(({ to }) => to === world.ids[at]).map(({ layer }) => layer);
    assert.deepEqual(got.sort(), [...image.blobs.keys()].sort(), `host ${at}`);
  }
  const bySource = world.sent.filter(({ from }) => from === world.ids[0]).length;
  assert.ok(bySource < 32, `the source sent ${bySource} of 32`);
  assert.equal(world.at(world.depots, 0).openings, 1);
});

test("hosts of one push give layers to each other", async (t) => {
  const world = new World(t, 5);
  const image = anImage("base", "one", "two", "three", "four", "five", "six", "seven");
  world.put(0, image);
  const mates = world.ids.slice(1);
  const ended = await Promise.all(
    [1, 2, 3, 4].map((at) => world.at(world.desks, at).fetch(image.id, mates)),
  );
  assert.ok(ended.every(({ kind }) => kind === "loaded"));
  const bySource = world.sent.filter(({ from }) => from === world.ids[0]).length;
  assert.ok(bySource < 32, `the source sent ${bySource} of 32`);
});

test("layers that the engine has are not sent", async (t) => {
  const world = new World(t, 2);
  const image = anImage("base", "libraries", "shop");
  world.put(0, image);
  world.at(world.depots, 1).images.set("other", anImage("base", "libraries", "else"));
  assert.equal((await world.fetch(1, `shop:1@${image.id}`)).kind, "loaded");
  assert.deepEqual(
    world.sent.map(({ layer }) => layer),
    [digestOf(Buffer.from("shop"))],
  );
});

test("a peer that sends other bytes is named and left alone, and the image comes from others", async (t) => {
  const world = new World(t, 3);
  const image = anImage("base", "one", "two");
  for (const at of [0, 1]) world.put(at, image);
  const [liar, honest] = world.ids;
  assert.ok(liar !== undefined && honest !== undefined);
  world.liars.add(liar);
  for (const { openings } of world.depots) assert.equal(openings, 0);
  await world.at(world.depots, 0).takeOut(image.id, () => true);
  assert.equal((await world.fetch(2, `shop:1@${image.id}`)).kind, "loaded");
  assert.deepEqual(world.warnings.map((fields) => (fields as { peer: NodeId }).peer).slice(0, 1), [
    liar,
  ]);
  const good = world.sent.filter(({ from }) => from === honest).map(({ layer }) => layer);
  assert.deepEqual(good.sort(), [...image.blobs.keys()].sort());
  const before = world.sent.length;
  const another = anImage("base", "one", "two", "three");
  for (const at of [0, 1]) world.put(at, another);
  assert.equal((await world.fetch(2, `shop:2@${another.id}`)).kind, "loaded");
  assert.ok(world.sent.slice(before).every(({ from }) => from === honest));
});

test("a holder that is lost is replaced by another one", async (t) => {
  const world = new World(t, 3);
  const image = anImage("base", "one");
  for (const at of [0, 1]) world.put(at, image);
  world.silent.add(world.at(world.ids, 0));
  assert.equal((await world.fetch(2, `shop:1@${image.id}`)).kind, "loaded");
  assert.ok(world.sent.every(({ from }) => from === world.ids[1]));
});

test("a worker gets the images of its own tasks only", async (t) => {
  const world = new World(t, 2, "worker");
  const image = anImage("base", "secret");
  const name = `shop:1@${image.id}`;
  world.put(0, image);
  assert.equal((await world.fetch(1, name)).kind, "none");
  assert.deepEqual(world.sent, []);
  world.runOn(name, [1]);
  assert.equal((await world.fetch(1, name)).kind, "loaded");
});

test("a worker gets an image that a manager sends it", async (t) => {
  const world = new World(t, 2, "worker");
  const image = anImage("base", "later");
  world.put(0, image);
  world.at(world.desks, 0).giver.invite(image.id, world.at(world.ids, 1));
  assert.equal((await world.fetch(1, image.id)).kind, "loaded");
});

test("only a manager says which image a registry's digest stands for", async (t) => {
  const registry = digestOf(Buffer.from("manifest"));
  const name = `shop:1@${registry}`;
  for (const [holder, want] of [
    [1, "none"],
    [0, "loaded"],
  ] as const) {
    const world = new World(t, 3, "worker");
    const image = anImage("base");
    world.put(holder, image);
    world.at(world.depots, holder).names.set(registry, image.id);
    world.runOn(name, [1, 2]);
    assert.equal((await world.fetch(2, name)).kind, want);
  }
});

test("an image that does not fit says how much is missing", async (t) => {
  const world = new World(t, 2);
  const image = anImage("base", "one");
  world.put(0, image);
  world.at(world.depots, 1).freeBytes = 10;
  const ended = await world.fetch(1, `shop:1@${image.id}`);
  assert.ok(ended.kind === "full");
  assert.match(
    ended.reason,
    /^it needs 1 MB of disk, and 1 MB are free\. Free some with "gam image prune"$/,
  );
});

test("an image that nobody has is left to the registry at once", async (t) => {
  const world = new World(t, 2);
  const ended = await world.fetch(1, "shop:1");
  assert.deepEqual(ended, { kind: "none", reason: "no other host has it" });
});
