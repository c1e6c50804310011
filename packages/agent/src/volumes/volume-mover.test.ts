import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { GamError, type NodeId, type TaskId, type VolumeName } from "@gam/core";
import { counterMint, testId } from "@gam/core/testing";
import type { AskedChange, VolumeRecord } from "@gam/state";
import { aNode, aService, aTask, TestLog } from "@gam/state/testing";
import { FakeMesh } from "../testing/fake-mesh.ts";
import { FakeVolumes } from "../testing/fake-volumes.ts";
import { VolumeGiver } from "./volume-giver.ts";
import { VolumeMover } from "./volume-mover.ts";

const id = "data" as VolumeName;
const [a, b] = [testId<NodeId>("a"), testId<NodeId>("b")];
const move = testId("move");
const Mounts = [{ Type: "volume" as const, Source: "data", Target: "/data" }];
const template = { ContainerSpec: { Image: "db:1", Mounts } };
const status = { Timestamp: "2026-01-01T00:00:00.000Z", State: "assigned" } as const;
const patienceMs = 20_000;

/** Host a has the volume with a file, and its move to host b has begun. */
class World {
  readonly log = new TestLog();
  readonly mesh = new FakeMesh();
  readonly volumes: Readonly<Record<"a" | "b", FakeVolumes>>;
  readonly warnings: string[] = [];
  /** Called before each change; what it throws is the answer. */
  onPropose: (change: AskedChange) => void = () => undefined;
  readonly #mint = counterMint("c");
  readonly #movers: VolumeMover[] = [];

  constructor(t: TestContext) {
    const home = mkdtempSync(join(tmpdir(), "gam-mover-"));
    this.volumes = { a: new FakeVolumes(join(home, "a")), b: new FakeVolumes(join(home, "b")) };
    for (const node of [a, b]) this.log.write({ kind: "joinNode", node: aNode(node) });
    this.log.write(aService("db", { template }));
    const task = testId<TaskId>("t1");
    this.log.write({ kind: "createTask", task: aTask("db", task, { slot: 1, template }) });
    this.log.write({ kind: "assignTask", id: task, node: a, status });
    const ended = { ...status, State: "shutdown" } as const;
    this.log.write({ kind: "reportTask", id: task, status: ended });
    this.log.write({ kind: "moveVolume", id, move, from: a, to: b });
    writeFileSync(join(this.volumes.a.folderOf("data"), "file"), "kept");
    const giver = new VolumeGiver({ ...this.#around(a), volumes: this.volumes.a });
    t.after(() => {
      giver.stop();
      for (const mover of this.#movers) mover.stop();
      rmSync(home, { recursive: true, force: true });
    });
  }

  /** An agent of the host starts. */
  start(host: "a" | "b"): VolumeMover {
    const self = { a, b }[host];
    const mover = new VolumeMover({
      ...this.#around(self),
      volumes: this.volumes[host],
      mint: () => this.#mint.id(),
      propose: async (changes) => {
        for (const change of changes) this.onPropose(change);
        const { outcome } = this.log.write(...changes);
        if (outcome.kind === "refused") throw new GamError(outcome.code, outcome.message);
      },
      log: {
        debug: () => undefined,
        info: () => undefined,
        warn: (fields) => void this.warnings.push(String((fields as { reason?: string }).reason)),
      },
    });
    this.#movers.push(mover);
    return mover;
  }

  get record(): VolumeRecord {
    const record = this.log.store.volume(id);
    assert.ok(record !== undefined);
    return record;
  }

  get homes(): string {
    return this.record.Homes.map(({ node }) => (node === a ? "a" : "b")).join();
  }

  /** Lets the agent look until it is so. */
  async until(mover: VolumeMover, holds: () => boolean): Promise<void> {
    const untilMs = performance.now() + patienceMs;
    while (!holds()) {
      assert.ok(performance.now() < untilMs, `waited too long: ${this.warnings.join("; ")}`);
      mover.notice();
      await setImmediate();
    }
  }

  #around(self: NodeId) {
    return { self, mesh: this.mesh.of(self), view: () => this.log.store };
  }
}

test("a volume moves, and each host removes what is left", async (t) => {
  const world = new World(t);
  const mover = world.start("b");
  await world.until(mover, () => world.record.Move === undefined);
  assert.equal(world.homes, "b");
  assert.equal(readFileSync(join(world.volumes.b.folderOf("data"), "file"), "utf8"), "kept");
  assert.match(world.record.LastMove?.digest ?? "", /^[0-9a-f]{64}$/);
  assert.equal((await world.volumes.b.find("data"))?.labels.by, "hand");
  const old = world.start("a");
  await world.until(old, () => world.record.Leftovers?.length === 0);
  assert.equal(await world.volumes.a.find("data"), undefined);
});

test("a stream that is cut off leaves the old host the owner, and the next try ends the move", async (t) => {
  const world = new World(t);
  writeFileSync(join(world.volumes.a.folderOf("data"), "big"), Buffer.alloc(200_000, "x"));
  world.mesh.cutAfter = 50_000;
  const mover = world.start("b");
  await world.until(mover, () => world.warnings.some((reason) => reason.includes("it was lost")));
  assert.equal(world.homes, "a");
  world.mesh.cutAfter = Number.POSITIVE_INFINITY;
  await world.until(mover, () => world.record.Move === undefined);
  assert.equal(world.homes, "b");
  assert.ok(existsSync(join(world.volumes.b.folderOf("data"), "big")));
});

test("an agent that is killed before it could tell the end begins again", async (t) => {
  const world = new World(t);
  let kills = 0;
  world.onPropose = ({ kind }) => {
    if (kind !== "endVolumeMove" || kills > 0) return;
    kills += 1;
    first.stop();
    throw new GamError("NO_LEADER", "Cannot write: no leader");
  };
  const first = world.start("b");
  await world.until(first, () => kills === 1);
  assert.equal(world.homes, "a");
  const copy = world.record.Move?.copy;
  const second = world.start("b");
  await world.until(second, () => world.record.Move === undefined);
  assert.equal(world.homes, "b");
  assert.notEqual(copy, undefined);
});

const hopeless: readonly (readonly [
  title: string,
  before: (world: World) => void,
  want: RegExp,
])[] = [
  ["the disk is too small", ({ volumes }) => (volumes.b.free = 10), /has 10 bytes free/],
  [
    "the new host has a volume of that name",
    ({ volumes }) => volumes.b.folderOf("data"),
    /has a volume of that name already/,
  ],
  [
    "the new host's volume has another driver",
    ({ volumes }) => volumes.b.foreign.add("data"),
    /has a volume of that name already/,
  ],
  [
    "the old host's volume has another driver",
    ({ volumes }) => volumes.a.foreign.add("data"),
    /it has another driver/,
  ],
];

for (const [title, before, want] of hopeless) {
  test(`given up: ${title}`, async (t) => {
    const world = new World(t);
    before(world);
    const mover = world.start("b");
    await world.until(mover, () => world.record.Move === undefined);
    assert.match(world.record.LastMove?.error ?? "", want);
    assert.equal(world.homes, "a");
    await world.until(mover, () => world.record.Leftovers?.length === 0);
    // A volume that is no copy of the move is somebody's.
    const isForeign = title.includes("of that name");
    if (isForeign) assert.notEqual(await world.volumes.b.find("data"), undefined);
    else if (!title.includes("new host's")) {
      assert.equal(await world.volumes.b.find("data"), undefined);
    }
  });
}

const waits: readonly (readonly [
  title: string,
  hinder: (world: World) => () => void,
  want: RegExp,
])[] = [
  [
    "the old host does not answer",
    ({ mesh }) => {
      mesh.silent.add(a);
      return () => mesh.silent.delete(a);
    },
    /Cannot reach/,
  ],
  [
    "a container uses the volume",
    ({ volumes }) => {
      volumes.a.using.set("data", [{ id: "c1", name: "mine", task: undefined }]);
      return () => volumes.a.using.delete("data");
    },
    /container mine uses it/,
  ],
];

for (const [title, hinder, want] of waits) {
  test(`waits while ${title}`, async (t) => {
    const world = new World(t);
    const free = hinder(world);
    const mover = world.start("b");
    await world.until(mover, () => world.warnings.some((reason) => want.test(reason)));
    assert.notEqual(world.record.Move, undefined);
    free();
    await world.until(mover, () => world.record.Move === undefined);
    assert.equal(world.homes, "b");
  });
}

test("a move that a person stops leaves the volume where it is, and no copy", async (t) => {
  const world = new World(t);
  world.volumes.a.using.set("data", [{ id: "c1", name: "mine", task: undefined }]);
  const mover = world.start("b");
  await world.until(mover, () => world.warnings.length > 0);
  world.log.write({ kind: "stopVolumeMove", id, move, error: "stopped by a person" });
  world.volumes.a.using.delete("data");
  await world.until(mover, () => world.record.Leftovers?.length === 0);
  assert.equal(world.homes, "a");
  assert.equal(await world.volumes.b.find("data"), undefined);
});

test("a host that is not the target gets nothing", async (t) => {
  const world = new World(t);
  world.log.write({ kind: "stopVolumeMove", id, move, error: "stopped" });
  const { encode } = await import("@gam/core");
  const question = encode({ volume: id, move, wants: "copy" });
  const stream = await world.mesh.of(b).stream(a, "volume", question);
  await assert.rejects(async () => {
    for await (const piece of stream) assert.fail(`got ${piece}`);
  }, /not being moved there/);
  assert.deepEqual(world.mesh.refusals, [`${b}: no volume is being moved there`]);
});
