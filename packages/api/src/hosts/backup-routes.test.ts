/** Backups and restores by the API, with volumes and backups in memory. */
import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, beforeEach, test } from "node:test";
import { GamError, type NodeId, type TaskId, type VolumeName } from "@gam/core";
import type { Task } from "@gam/state";
import { checkBackupList, checkBackupManifest, checkRestorePlan } from "@gam/state/answers";
import { aTask } from "@gam/state/testing";
import { FakeBackups } from "../testing/fake-backups.ts";
import { Rig } from "../testing/rig.ts";

let rig: Rig;
let host1: NodeId;
let host2: NodeId;
const id = "data" as VolumeName;
const Mounts = [{ Type: "volume", Source: "data", Target: "/data" }];
const digest = "0".repeat(64);

before(async () => {
  rig = await Rig.start(2);
  [host1, host2] = [rig.door.self, rig.far[0]?.id ?? rig.door.self];
  const TaskTemplate = { ContainerSpec: { Image: "db:1", Mounts } };
  const Labels = { "gam.backup.schedule": "0 3 1 1 *", "gam.backup.to": "host2:/srv/b" };
  const service = await rig.call("POST", "/services/create", {
    ...{ Name: "db", TaskTemplate, Labels },
  });
  assert.equal(service.status, 201, service.text);
  const template = TaskTemplate as never;
  const extra = { serviceName: "db" };
  const task = aTask(service.body.ID, "t9", { slot: 1, template, extra });
  rig.door.apply([{ kind: "createTask", task }]);
  const status = { Timestamp: "2026-01-01T00:00:00.000Z", State: "assigned" };
  const assign = { kind: "assignTask", id: "t9" as TaskId, node: host1, status };
  rig.door.apply([assign] as never);
  rig.door.fakeBackups.volumes.set("data", "the files");
});
after(() => rig.stop());
beforeEach(() => {
  const { fakeBackups } = rig.door;
  fakeBackups.failure = undefined;
  fakeBackups.blockers = [];
  fakeBackups.restored.length = 0;
});

interface Streamed {
  readonly status: number;
  readonly text: string;
  readonly trailers: NodeJS.Dict<string>;
}

function stream(name: string, body: object = {}): Promise<Streamed> {
  return new Promise((settle, fail) => {
    const call = request({
      socketPath: rig.socketPath,
      method: "POST",
      path: `/gam/v1/volumes/${name}/backup`,
      headers: { "content-type": "application/json" },
    });
    call.on("error", fail);
    call.on("response", async (response) => {
      const pieces: Buffer[] = [];
      for await (const piece of response as AsyncIterable<Buffer>) pieces.push(piece);
      const text = Buffer.concat(pieces).toString();
      settle({ status: response.statusCode ?? 0, text, trailers: response.trailers });
    });
    call.end(JSON.stringify(body));
  });
}

const plain = (trailer: string | undefined): string =>
  Buffer.from(trailer ?? "", "base64").toString();

test("a backup is a stream with a manifest behind it", async () => {
  const { status, text, trailers } = await stream("data");
  assert.deepEqual([status, text], [200, "the files"]);
  const manifest = checkBackupManifest(JSON.parse(plain(trailers["gam-manifest"])), "manifest");
  assert.equal(manifest.bytes, 9);
});

test("one that breaks has the reason behind it, and no manifest", async () => {
  rig.door.fakeBackups.failure = new GamError("IN_USE", "files changed – while read");
  const { status, trailers } = await stream("data");
  assert.equal(status, 200);
  assert.equal(plain(trailers["gam-error"]), "files changed – while read");
  assert.equal(trailers["gam-manifest"], undefined);
});

test("one that fails at once is a plain refusal", async () => {
  const { status, text } = await stream("none");
  assert.deepEqual([status, JSON.parse(text)], [404, { message: "there is no volume none" }]);
  assert.equal((await stream("data", { from: "host9" })).status, 404);
});

test("a backup by hand goes to its service's place, once at a time, and is listed", async () => {
  const first = await rig.call("POST", "/gam/v1/volumes/data/backups", {});
  assert.equal(first.status, 200, first.text);
  const second = await rig.call("POST", "/gam/v1/volumes/data/backups", {});
  assert.match(second.text, /is being backed up on host1/);
  const list = async () => checkBackupList((await rig.call("GET", "/gam/v1/backups")).body, "list");
  const [row] = (await list()).backups;
  assert.deepEqual(
    [row?.id, row?.to, row?.host, row?.state],
    [first.body.backup, "host2:/srv/b", "host1", "running"],
  );
  const whole = {
    result: "complete",
    atMs: 5,
    reason: "",
    file: "data-x.tar",
    bytes: 9,
    digest,
  } as const;
  rig.door.apply([{ kind: "endBackup", id, backup: first.body.backup, end: whole, dropped: [] }]);
  const { backups, schedules } = await list();
  assert.deepEqual([backups[0]?.state, backups[0]?.file], ["complete", "data-x.tar"]);
  assert.deepEqual(
    schedules.map(({ volume, service, keep }) => [volume, service, keep]),
    [["data", "db", 7]],
  );
});

const refusals: readonly (readonly [body: object, want: RegExp])[] = [
  [{ to: "srv" }, /"srv" is no place/],
  [{ to: "s3://backups" }, /is a bucket: name the secret/],
  [{ to: "s3://backups", secret: "none" }, /secret none not found/],
  [{ to: "/srv", secret: "x" }, /a secret has no effect/],
  [{ too: "/srv" }, /unknown field "too"/],
  [{ to: "/srv", from: "host2" }, /no service has used volume data on host2/],
];

for (const [body, want] of refusals) {
  test(`refused: a backup with ${JSON.stringify(body)}`, async () => {
    const answer = await rig.call("POST", "/gam/v1/volumes/data/backups", body);
    assert.ok(answer.status >= 400);
    assert.match(answer.body.message, want);
  });
}

async function planned(body: object) {
  const answer = await rig.call("POST", "/gam/v1/volumes/data/restore/plan", body);
  return answer.status === 200 ? checkRestorePlan(answer.body, "plan") : answer.text;
}

test("a plan says what a restore replaces and stops, and does nothing", async () => {
  rig.door.fakeBackups.stored.set("host2:/srv/b/data-x.tar", "older files");
  const plan = await planned({});
  assert.ok(typeof plan === "object", plan as string);
  const { host, source, manifest, exists, stops, obstacle } = plan;
  assert.deepEqual(
    [host, source, exists, obstacle],
    ["host1", "host2:/srv/b/data-x.tar", true, ""],
  );
  assert.equal(manifest?.bytes, 11);
  assert.ok(stops.includes("db.1"), stops.join());
  assert.deepEqual(rig.door.fakeBackups.restored, []);
});

test("a plan says that a task takes its pod with it", async () => {
  const mounts = [{ Type: "volume", Source: "side", Target: "/data" }];
  const template = { ContainerSpec: { Image: "side:1", Mounts: mounts } } as never;
  const created = await rig.call("POST", "/services/create", {
    ...{ Name: "side", TaskTemplate: template, Labels: { "gam.pod": "db" } },
  });
  assert.equal(created.status, 201, created.text);
  const extra = { serviceName: "side" };
  const task = aTask(created.body.ID, "t8", { slot: 1, template, extra });
  const main = rig.door.view().tasksOn(host1).find(isOfDb);
  place({ ...task, Gam: { ...task.Gam, pod: main?.ID } }, host1);
  const source = { backup: backupOf("side", host1, "k8") };
  const answer = await rig.call("POST", "/gam/v1/volumes/side/restore/plan", source);
  assert.equal(answer.status, 200, answer.text);
  assert.ok(answer.body.stops.includes("db.1"), answer.text);
});

function isOfDb({ Gam, Status }: Task): boolean {
  return Gam.serviceName === "db" && Status.State === "running";
}

test("each of several hosts gets a backup of its own data, unless another one is named", async () => {
  const template = {
    ContainerSpec: {
      Image: "kv:1",
      Mounts: [{ Type: "volume", Source: "kv", Target: "/data" }],
    },
  } as never;
  const Mode = { Replicated: { Replicas: 2 } };
  const created = await rig.call("POST", "/services/create", {
    ...{ Name: "kv", TaskTemplate: template, Mode },
  });
  const extra = { serviceName: "kv" };
  place(aTask(created.body.ID, "k1", { slot: 1, template, extra }), host1);
  place(aTask(created.body.ID, "k2", { slot: 2, template, extra }), host2);
  const [first, second] = [backupOf("kv", host1, "kx1"), backupOf("kv", host1, "kx2")];
  const plan = async (body: object) =>
    await rig.call("POST", "/gam/v1/volumes/kv/restore/plan", body);
  assert.equal((await plan({ host: "host1" })).body.backup, second);
  assert.match(
    (await plan({ host: "host2" })).body.message,
    /no whole backup of its data on host2 is known/,
  );
  assert.equal((await plan({ host: "host2", backup: first })).body.backup, first);
  const several = await plan({ host: "host2", backup: "kx" });
  assert.deepEqual(several.status, 400);
  assert.match(several.body.message, /"kx" begins the ids of several backups/);
});

function place(task: ReturnType<typeof aTask>, node: NodeId): void {
  rig.door.apply([{ kind: "createTask", task }]);
  const status = { Timestamp: "2026-01-01T00:00:00.000Z", State: "assigned" };
  rig.door.apply([{ kind: "assignTask", id: task.ID, node, status }] as never);
}

/** Returns: the id of a whole backup that the state now has. */
function backupOf(volume: string, node: NodeId, name: string): string {
  const [backup, file] = [name.padEnd(25, "0"), `${volume}-${name}.tar`];
  rig.door.fakeBackups.stored.set(`host2:/srv/b/${file}`, "older files");
  const start = { id: backup, node, to: "host2:/srv/b", dueMs: 1 };
  const end = { result: "complete", atMs: 5, reason: "", file, bytes: 11, digest };
  rig.door.apply([{ kind: "backupVolume", id: volume as VolumeName, backup: start }]);
  const ended = { kind: "endBackup", id: volume as VolumeName, backup, end, dropped: [] } as const;
  rig.door.apply([ended as never]);
  return backup;
}

test("a plan says why it cannot be done", async () => {
  rig.door.fakeBackups.blockers = ["container mine uses it"];
  const blocked = await planned({});
  assert.ok(typeof blocked === "object");
  assert.equal(blocked.obstacle, "container mine uses it");
  const elsewhere = await planned({ host: "host2" });
  assert.ok(typeof elsewhere === "object");
  assert.match(elsewhere.obstacle, /has its data on host1, not on host2/);
});

test("what is restored: the newest backup, one by its id, a file at a place, or what the client sends", async () => {
  const { fakeBackups } = rig.door;
  fakeBackups.stored.set("s3://backups/a/x.tar", "from a bucket");
  rig.door.apply([
    {
      ...{ kind: "createSecret", id: "s3".padEnd(25, "0"), spec: { Name: "s3", Labels: {} } },
      content: { version: 1, ...rig.door.sealer().sealSecret("s3" as never, 1, Buffer.from("x")) },
    } as never,
  ]);
  const bodies = [{}, { from: "s3://backups/a/x.tar", secret: "s3" }];
  for (const body of bodies) {
    const { status, text } = await rig.call("POST", "/gam/v1/volumes/data/restore", body);
    assert.equal(status, 200, text);
  }
  const list = checkBackupList((await rig.call("GET", "/gam/v1/backups")).body, "list");
  const copy = { backup: list.backups[0]?.id, host: "host2" };
  const copied = await rig.call("POST", "/gam/v1/volumes/copy/restore", copy);
  assert.equal(copied.status, 200, copied.text);
  const sent = await rig.call(
    "PUT",
    "/gam/v1/volumes/fresh/restore?host=host2&source=x.tar",
    "a tar",
    {
      "content-type": "application/x-tar",
    },
  );
  assert.equal(sent.status, 200, sent.text);
  assert.deepEqual(fakeBackups.restored, [
    { volume: "data", node: host1, tar: "older files" },
    { volume: "data", node: host1, tar: "from a bucket" },
    { volume: "copy", node: host2, tar: "older files" },
    { volume: "fresh", node: host2, tar: "a tar" },
  ]);
});

const wrong: readonly (readonly [body: object, want: RegExp])[] = [
  [{ backup: "nosuch" }, /no whole backup "nosuch" is known/],
  [{ from: "x.tar" }, /is no backup: use the place/],
  [{ from: "host2:/srv/b/none.tar" }, /there is no host2:\/srv\/b\/none.tar/],
  [{ from: "s3://backups/x.tar" }, /is a bucket/],
  [{ host: "host9" }, /node host9 not found/],
];

for (const [body, want] of wrong) {
  test(`refused: a restore with ${JSON.stringify(body)}`, async () => {
    const answer = await rig.call("POST", "/gam/v1/volumes/data/restore", body);
    assert.ok(answer.status >= 400);
    assert.match(answer.body.message, want);
  });
}

test("a manifest that is none is refused before anything is read", async () => {
  const { status } = await rig.call("PUT", "/gam/v1/volumes/fresh/restore?manifest=e30=", "a tar", {
    "content-type": "application/x-tar",
  });
  assert.equal(status, 400);
  assert.deepEqual(rig.door.fakeBackups.restored, []);
  assert.equal(FakeBackups.manifest("x", "y").bytes, 1);
});
