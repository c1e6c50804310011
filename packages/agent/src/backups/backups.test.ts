import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import {
  encode,
  GamError,
  type NodeId,
  type SecretId,
  type TaskId,
  type VolumeName,
} from "@gam/core";
import { counterMint, testId } from "@gam/core/testing";
import type { AskedChange, BackupEnd, Labels, View, VolumeRecord } from "@gam/state";
import { aCluster, aNode, aSecret, aService, aTask, TestLog } from "@gam/state/testing";
import { FakeMesh } from "../testing/fake-mesh.ts";
import { FakeVolumes } from "../testing/fake-volumes.ts";
import { S3Server } from "../testing/s3-server.ts";
import { BackupDesk } from "./backup-desk.ts";
import { BackupMaker } from "./backup-maker.ts";
import { backupSecret, backupStream } from "./backup-question.ts";
import { BackupRunner } from "./backup-runner.ts";
import { BackupStores } from "./backup-stores.ts";
import { shortAnswer } from "./frames.ts";
import { Restorer } from "./restorer.ts";
import { SentCounter } from "./sent-counter.ts";

const id = "data" as VolumeName;
const [a, b, w] = [testId<NodeId>("a"), testId<NodeId>("b"), testId<NodeId>("w")];
const task = testId<TaskId>("t1");
const secret = testId<SecretId>("s3");
const Mounts = [{ Type: "volume" as const, Source: "data", Target: "/data" }];
const template = { ContainerSpec: { Image: "db:1", Mounts } };
const status = { Timestamp: "2026-01-01T00:00:00.000Z", State: "running" } as const;
const patienceMs = 20_000;
const dueMs = Date.UTC(2026, 0, 2, 3);

interface Host {
  readonly volumes: FakeVolumes;
  readonly desk: BackupDesk;
  readonly maker: BackupMaker;
  runner: BackupRunner;
  restorer: Restorer;
}

/** Managers a and b and a worker w. The volume "data" with a file is on `owner`, where a service's task uses it. */
class World {
  readonly log = new TestLog();
  readonly mesh = new FakeMesh();
  readonly home = mkdtempSync(join(tmpdir(), "gam-backups-"));
  readonly hosts = new Map<NodeId, Host>();
  readonly warnings: string[] = [];
  /** Called before each change; what it throws is the answer. */
  onPropose: (change: AskedChange) => void = () => undefined;
  s3 = "";
  /** How often each of these hosts still finds its state empty. */
  readonly behind = new Map<NodeId, number>();
  readonly #mint = counterMint("m");
  readonly #t: TestContext;

  constructor(
    t: TestContext,
    { owner = a, labels = {} }: { owner?: NodeId; labels?: Labels } = {},
  ) {
    this.#t = t;
    this.log.write({ kind: "createCluster", cluster: aCluster() });
    for (const [node, Hostname, Role] of [
      [a, "host-a", "manager"],
      [b, "host-b", "manager"],
      [w, "host-w", "worker"],
    ] as const) {
      const wish = { description: { Hostname }, spec: { Role } };
      this.log.write({ kind: "joinNode", node: aNode(node, wish) });
    }
    this.log.write(aService("db", { template, spec: { Labels: labels } }));
    this.log.write({ ...aSecret("s3"), id: secret });
    this.log.write({ kind: "createTask", task: aTask("db", task, { slot: 1, template }) });
    this.log.write({
      kind: "assignTask",
      id: task,
      node: owner,
      status: { ...status, State: "assigned" },
    });
    this.log.write({ kind: "reportTask", id: task, status });
    for (const node of [a, b, w]) this.hosts.set(node, this.#host(node));
    const { volumes } = this.at(owner);
    writeFileSync(join(volumes.folderOf("data"), "file"), "kept");
    volumes.using.set("data", [{ id: "c1", name: "db.1", task }]);
    mkdirSync(this.store);
    t.after(() => {
      for (const { runner, restorer, desk } of this.hosts.values()) {
        runner.stop();
        restorer.stop();
        desk.stop();
      }
      rmSync(this.home, { recursive: true, force: true });
    });
  }

  /** A folder that all hosts can reach by name. */
  get store(): string {
    return join(this.home, "store");
  }

  at(node: NodeId): Host {
    const host = this.hosts.get(node);
    assert.ok(host !== undefined);
    return host;
  }

  get record(): VolumeRecord {
    const record = this.log.store.volume(id);
    assert.ok(record !== undefined);
    return record;
  }

  /** The task has ended, and its container is gone. */
  stopTask(owner = a): void {
    this.log.write({ kind: "reportTask", id: task, status: { ...status, State: "shutdown" } });
    this.at(owner).volumes.using.clear();
  }

  /** Begins a backup by hand and waits for its end. */
  async backup(
    to: string,
    node = a,
    name = "x1",
    by: "hand" | "schedule" = "hand",
  ): Promise<BackupEnd> {
    const service = this.log.store.services()[0]?.ID;
    const of = { ...(to.startsWith("s3") && { secret }), ...(service && { service }) };
    const start = { id: testId(name), node, to, dueMs, ...of };
    const { handledMs: sinceMs } = this.record.Backups ?? {};
    const { outcome } = this.log.write(
      by === "hand"
        ? { kind: "backupVolume", id, backup: start }
        : {
            ...{ kind: "handleBackupDue", id, sinceMs, handledMs: (sinceMs ?? 0) + 1 },
            ...{ schedule: "x", missed: [], starts: [start] },
          },
    );
    assert.equal(outcome.kind, "applied");
    const end = (): BackupEnd | undefined => {
      return this.record.Backups?.list.find((one) => one.id === testId(name))?.end;
    };
    await this.until(
      () => this.at(node).runner.notice(),
      () => end() !== undefined,
    );
    return end() as BackupEnd;
  }

  async until(look: () => void, holds: () => boolean): Promise<void> {
    const untilMs = performance.now() + patienceMs;
    while (!holds()) {
      assert.ok(performance.now() < untilMs, `waited too long: ${this.warnings.join("; ")}`);
      look();
      await setImmediate();
    }
  }

  /** The agent of the host starts again. */
  restart(node: NodeId): void {
    const { runner, restorer } = this.at(node);
    runner.stop();
    restorer.stop();
    this.hosts.set(node, this.#host(node, this.at(node).volumes));
  }

  #host(self: NodeId, volumes = new FakeVolumes(join(this.home, self))): Host {
    const around = {
      ...{ self, volumes, mesh: this.mesh.of(self), view: () => this.#viewOf(self) },
      mint: () => this.#mint.id(),
      nowMs: () => this.log.nowMs,
      propose: async (changes: readonly AskedChange[]) => {
        for (const change of changes) this.onPropose(change);
        const { outcome } = this.log.write(...changes);
        if (outcome.kind === "refused") throw new GamError(outcome.code, outcome.message);
      },
      openSecret: () => {
        const isWorker = this.log.store.node(self)?.Spec.Role === "worker";
        if (isWorker) throw new GamError("NOT_SUPPORTED", "a worker has no keys");
        return Buffer.from(this.s3);
      },
      log: {
        debug: () => undefined,
        info: () => undefined,
        warn: (fields: object) => void this.warnings.push(JSON.stringify(fields)),
      },
    };
    const maker = new BackupMaker(around);
    const stores = new BackupStores(around);
    const restorer = new Restorer(around);
    const runner = new BackupRunner({ ...around, maker, stores, againMs: 1 });
    const desk = new BackupDesk({ ...around, maker, stores, restorer, patienceMs: 200 });
    return { volumes, maker, desk, runner, restorer };
  }

  #viewOf(node: NodeId): View {
    const looks = this.behind.get(node) ?? 0;
    this.behind.set(node, looks - 1);
    return looks > 0 ? new TestLog().store : this.log.store;
  }

  async s3Server(): Promise<S3Server> {
    const server = await S3Server.start();
    this.#t.after(() => server.stop());
    this.s3 = server.credentials;
    return server;
  }

  textOn(node: NodeId, name = "data"): string {
    return readFileSync(join(this.at(node).volumes.folderOf(name), "file"), "utf8");
  }

  /** Restores a backup of the place, by the asked host. */
  async restore(
    asked: NodeId,
    from: { to: string; file: string; maker?: NodeId },
    node = a,
    volume = id,
  ) {
    const { desk } = this.at(asked);
    const of = { to: from.to, secret: from.to.startsWith("s3") ? secret : undefined };
    const source = await desk.source(of, from.maker ?? asked);
    const manifest = await source.manifest(from.file);
    const tar = await source.read(from.file);
    return await desk.restore({ volume, node, source: from.file, manifest, tar });
  }

  async settled(node = a): Promise<void> {
    await this.until(
      () => this.at(node).restorer.notice(),
      () => this.log.store.volumes().every(({ Restore }) => Restore === undefined),
    );
  }
}

const hooks = { "gam.backup.pre": "freeze", "gam.backup.post": "thaw" };

test("a backup goes to a folder of its host, of another host, and to a bucket; each is restored", async (t) => {
  const world = new World(t, { labels: hooks });
  await world.s3Server();
  const places = [world.store, `host-b:${world.store}`, "s3://backups/gam"];
  for (const [at, to] of places.entries()) {
    const { result, file = "", reason } = await world.backup(to, a, `x${at}y`);
    assert.equal(result, "complete", reason);
    assert.match(file, new RegExp(`^data-host-a-20260102T030000Z-x${at}y000.tar$`));
    writeFileSync(join(world.at(a).volumes.folderOf("data"), "file"), "changed");
    writeFileSync(join(world.at(a).volumes.folderOf("data"), "more"), "later");
    world.stopTask();
    await world.restore(b, { to, file, maker: a });
    await world.settled();
    assert.equal(world.record.LastRestore?.error, undefined);
    assert.equal(world.textOn(a), "kept");
    assert.deepEqual(readdirSync(world.at(a).volumes.folderOf("data")), ["file"]);
  }
  assert.deepEqual(world.at(a).volumes.ran, ["db.1: freeze", "db.1: thaw"]);
});

test("a worker's volume goes to a bucket, by a secret that a manager gives for this backup only", async (t) => {
  const world = new World(t, { owner: w });
  const server = await world.s3Server();
  const { result, reason } = await world.backup("s3://backups/gam", w);
  assert.equal(result, "complete", reason);
  assert.equal(server.objects.size, 2);
  const asked = { volume: id, backup: testId("x1"), secret, asOf: 0 };
  const body = encode(asked);
  await assert.rejects(
    world.mesh.of(w).request(a, { name: backupSecret, body }),
    /no backup of its uses this secret/,
  );
});

test("a worker's volume goes to a folder of a named host, and nobody writes there without a backup", async (t) => {
  const world = new World(t, { owner: w });
  const { result, reason } = await world.backup(`host-b:${world.store}`, w);
  assert.equal(result, "complete", reason);
  for (const wants of ["store", "drop"] as const) {
    const question = { wants, volume: id, backup: testId("x1"), file: "data-x.tar", asOf: 0 };
    const stream = await world.mesh.of(w).stream(b, backupStream, encode(question));
    stream.end();
    await assert.rejects(shortAnswer(stream), /no backup of its goes here/);
  }
  for (const question of [
    { wants: "give", volume: id },
    { wants: "look", volume: id },
    { wants: "stage", volume: id, restore: testId("r"), source: "x", bytes: 0, labels: {} },
    { wants: "fetch", folder: world.store, file: "data-x.tar" },
  ]) {
    const stream = await world.mesh.of(w).stream(b, backupStream, encode(question));
    stream.end();
    await assert.rejects(shortAnswer(stream), /backups are for managers/);
  }
  assert.equal(world.mesh.refusals.length, 6);
});

test("a host with a backup of its own replaces no other file, and removes none", async (t) => {
  const world = new World(t, { owner: w });
  const start = { id: testId("x1"), node: w, to: `host-b:${world.store}`, dueMs };
  world.log.write({ kind: "backupVolume", id, backup: start });
  for (const [wants, want] of [
    ["store", /this file is not its own/],
    ["drop", /this backup is not its own/],
  ] as const) {
    const file = "data-host-a-20260102T030000Z-x10000.tar";
    const question = { wants, volume: id, backup: testId("x1"), file, asOf: 0 };
    const stream = await world.mesh.of(w).stream(b, backupStream, encode(question));
    stream.end();
    await assert.rejects(shortAnswer(stream), want);
  }
  assert.deepEqual(readdirSync(world.store), []);
});

test("the host of a folder waits for its state to have the backup", async (t) => {
  const world = new World(t);
  world.behind.set(b, 3);
  const { result, reason } = await world.backup(`host-b:${world.store}`);
  assert.equal(result, "complete", reason);
  assert.deepEqual(world.mesh.refusals, []);
});

test("scheduled backups beyond those that are kept are removed, by hand made ones stay", async (t) => {
  const labels = {
    "gam.backup.schedule": "@daily",
    "gam.backup.to": "/srv/anywhere",
    "gam.backup.keep": "2",
  };
  const world = new World(t, { labels });
  const to = `host-b:${world.store}`;
  await world.backup(to, a, "hand1");
  for (const name of ["s1x", "s2x", "s3x", "s4x"]) {
    const { result, reason } = await world.backup(to, a, name, "schedule");
    assert.equal(result, "complete", reason);
  }
  const list = world.record.Backups?.list.map((one) => one.id.slice(0, 3));
  assert.deepEqual(list, ["han", "s3x", "s4x"]);
  const files = readdirSync(world.store).filter((file) => file.endsWith(".tar"));
  assert.deepEqual(files.map((file) => file.slice(-10, -7)).sort(), ["han", "s3x", "s4x"]);
});

const failures: readonly (readonly [
  title: string,
  before: (world: World) => void,
  to: (world: World) => string,
  want: RegExp,
  ran: readonly string[],
])[] = [
  [
    "the command before fails: the one after runs all the same",
    (world) => world.at(a).volumes.failing.add("freeze"),
    ({ store }) => store,
    /the command before it failed: the command in db.1 ended with code 1: no/,
    ["db.1: freeze", "db.1: thaw"],
  ],
  [
    "the folder is missing: no command runs in vain",
    () => undefined,
    ({ home }) => join(home, "no", "such"),
    /there is no folder/,
    [],
  ],
  ["the host is unknown", () => undefined, () => "host-x:/srv", /no host is called "host-x"/, []],
  [
    "the other host is lost in the middle",
    (world) => {
      const { volumes } = world.at(a);
      writeFileSync(join(volumes.folderOf("data"), "big"), Buffer.alloc(300_000));
      world.mesh.cutAfter = 100_000;
    },
    ({ store }) => `host-b:${store}`,
    /it was lost/,
    ["db.1: freeze", "db.1: thaw"],
  ],
  [
    "the other host does not answer",
    (world) => world.mesh.silent.add(b),
    ({ store }) => `host-b:${store}`,
    /"host-b" does not answer/,
    [],
  ],
  [
    "the volume is gone",
    (world) => {
      world.at(a).volumes.using.clear();
      return void world.at(a).volumes.remove("data");
    },
    ({ store }) => store,
    /this host's engine has none/,
    [],
  ],
];

for (const [title, before, to, want, ran] of failures) {
  test(`failed: ${title}`, async (t) => {
    const world = new World(t, { labels: hooks });
    before(world);
    const { result, reason } = await world.backup(to(world));
    assert.equal(result, "failed");
    assert.match(reason, want);
    // The host of the folder may learn later that the other one is lost.
    await world.until(
      () => undefined,
      () => readdirSync(world.store).length === 0,
    );
    if (ran.length > 0) {
      await world.until(
        () => undefined,
        () => world.at(a).volumes.ran.length === ran.length,
      );
    }
    assert.deepEqual(
      world.at(a).volumes.ran.filter((line) => ran.includes(line)),
      ran,
    );
  });
}

test("a command after that fails is a note of a whole backup", async (t) => {
  const world = new World(t, { labels: hooks });
  world.at(a).volumes.failing.add("thaw");
  const { result, reason } = await world.backup(world.store);
  assert.equal(result, "complete");
  assert.match(reason, /the command after it failed/);
});

test("a container that starts while the volume is read: the backup is made again, with the commands", async (t) => {
  const world = new World(t, { labels: hooks });
  const { volumes } = world.at(a);
  const container = { id: "c2", name: "db.1", task };
  volumes.using.clear();
  const pack = volumes.pack;
  volumes.pack = async (...asked) => {
    const said = await pack(...asked);
    volumes.using.set("data", [container]);
    return said;
  };
  const { result, reason } = await world.backup(world.store);
  assert.equal(result, "complete", reason);
  assert.deepEqual(volumes.ran, ["db.1: freeze", "db.1: thaw"]);
});

test("a killed agent makes the backup again, under the same name", async (t) => {
  const world = new World(t);
  let kills = 0;
  world.onPropose = ({ kind }) => {
    if (kind !== "endBackup" || kills > 0) return;
    kills += 1;
    world.at(a).runner.stop();
    throw new GamError("NO_LEADER", "Cannot write: no leader");
  };
  const backing = world.backup(world.store);
  await world.until(
    () => undefined,
    () => kills === 1,
  );
  world.restart(a);
  assert.equal((await backing).result, "complete");
  assert.equal(readdirSync(world.store).length, 2);
});

test("a client gets a backup of a volume of another host, and of one that no service has used", async (t) => {
  const world = new World(t);
  writeFileSync(join(world.at(b).volumes.folderOf("own"), "file"), "own");
  for (const [name, node] of [
    ["data", a],
    ["own", b],
  ] as const) {
    for (const asked of [a, b]) {
      const { tar, manifest } = await world.at(asked).desk.take(name as VolumeName, node);
      const counter = new SentCounter();
      const bytes = await buffer(counter.through(tar));
      assert.ok(counter.hasTarEnd);
      assert.equal(manifest(counter.found()).bytes, bytes.length);
    }
  }
});

test("a client that hangs up ends the backup, and the command after runs", async (t) => {
  const world = new World(t, { labels: hooks });
  const big = Buffer.alloc(5_000_000, "x");
  writeFileSync(join(world.at(a).volumes.folderOf("data"), "big"), big);
  const { tar } = await world.at(b).desk.take(id, a);
  await new Promise((resolve) => tar.once("readable", resolve));
  tar.destroy();
  await world.until(
    () => undefined,
    () => world.at(a).volumes.ran.includes("db.1: thaw"),
  );
});

test("a restore waits for the task to stop; an agent that is killed meanwhile goes on", async (t) => {
  const world = new World(t);
  const { file = "" } = await world.backup(world.store);
  writeFileSync(join(world.at(a).volumes.folderOf("data"), "file"), "changed");
  await world.restore(a, { to: world.store, file });
  await world.until(
    () => world.at(a).restorer.notice(),
    () => world.warnings.some((text) => text.includes(`task ${task} uses it`)),
  );
  assert.equal(world.textOn(a), "changed");
  world.restart(a);
  world.stopTask();
  await world.settled();
  assert.equal(world.textOn(a), "kept");
});

test("a restore whose write has an unknown outcome, and is in the state: the data is whole", async (t) => {
  const world = new World(t);
  const { file = "" } = await world.backup(world.store);
  writeFileSync(join(world.at(a).volumes.folderOf("data"), "file"), "changed");
  world.onPropose = (change) => {
    if (change.kind !== "restoreVolume") return;
    world.log.write(change);
    world.stopTask();
    throw new GamError("NO_LEADER", "no answer in time");
  };
  await assert.rejects(world.restore(a, { to: world.store, file }), { code: "NO_LEADER" });
  await world.settled();
  assert.equal(world.textOn(a), "changed");
  assert.match(world.record.LastRestore?.error ?? "", /the new data is gone/);

  const fresh = "fresh" as VolumeName;
  world.onPropose = (change) => {
    if (change.kind !== "restoreVolume") return;
    world.log.write(change);
    throw new GamError("NO_LEADER", "no answer in time");
  };
  await assert.rejects(world.restore(a, { to: world.store, file }, b, fresh), {
    code: "NO_LEADER",
  });
  assert.ok((await world.at(b).volumes.find(fresh)) !== undefined, "the state has it");
});

test("a host that is lost after it had the backup whole: the restore is known all the same", async (t) => {
  const world = new World(t);
  const { bytes, manifest } = await taken(world);
  const wish = { volume: id, node: a, source: "x", manifest };
  world.onPropose = ({ kind }) => {
    // The answer is lost: the stream is cut behind the write.
    if (kind === "restoreVolume") world.mesh.cutAfter = 0;
  };
  const restore = await world.at(b).desk.restore({ ...wish, tar: Readable.from([bytes]) });
  assert.equal(world.record.Restore?.id, restore);
  world.stopTask();
  await world.settled();
  assert.equal(world.record.LastRestore?.id, restore);
});

test("a restore makes a volume that its host does not have, with the labels of the first one", async (t) => {
  const world = new World(t);
  const { file = "" } = await world.backup(world.store);
  const fresh = "fresh" as VolumeName;
  await world.restore(a, { to: world.store, file }, b, fresh);
  await world.settled(b);
  assert.equal(world.textOn(b, "fresh"), "kept");
  assert.deepEqual(world.log.store.volume(fresh)?.Homes, [{ node: b, users: [] }]);
  assert.equal((await world.at(b).volumes.find("fresh"))?.labels.by, "hand");
});

/** A backup of the volume as bytes, with its manifest. */
async function taken(world: World) {
  const { tar, manifest } = await world.at(a).desk.take(id, a);
  const counter = new SentCounter();
  const bytes = await buffer(counter.through(tar));
  return { bytes, manifest: manifest(counter.found()) };
}

type Taken = Awaited<ReturnType<typeof taken>>;

const refusals: readonly (readonly [
  title: string,
  before: (world: World) => void,
  change: (made: Taken) => Partial<Taken>,
  want: RegExp,
])[] = [
  [
    "a tar that was cut off",
    () => undefined,
    ({ bytes }) => ({ bytes: bytes.subarray(0, 1024) }),
    /Cannot|cut|tar/,
  ],
  [
    "another tar than the manifest says",
    () => undefined,
    ({ manifest }) => ({ manifest: { ...manifest, sha256: "0".repeat(64) } }),
    /its manifest says/,
  ],
  [
    "a disk that is too small",
    (world) => {
      world.at(a).volumes.free = 100;
    },
    () => ({}),
    /has 100 bytes free/,
  ],
  [
    "a container that no service stops",
    (world) =>
      void world.at(a).volumes.using.set("data", [{ id: "c", name: "mine", task: undefined }]),
    () => ({}),
    /container mine uses it/,
  ],
  [
    "a volume with a driver of its own",
    (world) => void world.at(a).volumes.foreign.add("data"),
    () => ({}),
    /another driver/,
  ],
  [
    "a write that finds no leader",
    (world) => {
      world.onPropose = () => {
        throw new GamError("NO_LEADER", "Cannot write: no leader");
      };
    },
    () => ({}),
    /no leader/,
  ],
];

for (const [title, before, change, want] of refusals) {
  for (const asked of [a, b]) {
    test(`a restore by host ${asked[0]} refuses ${title}, and the volume is as it was`, async (t) => {
      const world = new World(t);
      const made = await taken(world);
      const { bytes, manifest } = { ...made, ...change(made) };
      before(world);
      const tar = Readable.from([bytes]);
      const wish = { volume: id, node: a, source: "x", manifest, tar };
      await assert.rejects(world.at(asked).desk.restore(wish), want);
      assert.equal(world.textOn(a), "kept");
      const beside = readdirSync(join(world.at(a).volumes.folderOf("data"), ".."));
      assert.deepEqual(beside, ["_data"]);
    });
  }
}

test("a cut off tar without a manifest is refused too, also between two files", async (t) => {
  const world = new World(t);
  const { bytes } = await taken(world);
  const tar = Readable.from([bytes.subarray(0, 1536)]);
  const wish = { volume: "fresh" as VolumeName, node: b, source: "x", tar };
  await assert.rejects(world.at(a).desk.restore(wish), /has no end|Cannot run tar/);
  assert.equal(await world.at(b).volumes.find("fresh"), undefined);
});

test("files that change while they are read: the backup fails, unless the service allows it", async (t) => {
  for (const labels of [hooks, { ...hooks, "gam.backup.changes": "allow" }]) {
    const world = new World(t, { labels });
    const path = join(world.at(a).volumes.folderOf("data"), "growing");
    writeFileSync(path, Buffer.alloc(30_000_000));
    const { tar, manifest } = world.at(a).maker.make(id);
    const counter = new SentCounter();
    const reading = (async () => {
      let isFirst = true;
      for await (const _ of counter.through(tar)) {
        if (isFirst) writeFileSync(path, "grown", { flag: "a" });
        isFirst = false;
      }
    })();
    if ("gam.backup.changes" in labels) {
      await reading;
      const { notes } = manifest(counter.found());
      assert.match(notes.join(), /growing: file changed as we read it/);
    } else {
      await assert.rejects(reading, {
        code: "IN_USE",
        message: /growing: file changed as we read it\. Let the service stop writing/,
      });
    }
    assert.deepEqual(world.at(a).volumes.ran, ["db.1: freeze", "db.1: thaw"]);
  }
});
