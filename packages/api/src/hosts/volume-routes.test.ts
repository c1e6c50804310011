import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import type { NodeId, TaskId, VolumeName } from "@gam/core";
import { type FakeEngineServer, json } from "@gam/engine/testing";
import { aService, aTask } from "@gam/state/testing";
import { Rig } from "../testing/rig.ts";

let rig: Rig;
let held: Map<FakeEngineServer, Set<string>>;

before(async () => {
  rig = await Rig.start(3);
});
after(() => rig.stop());

/** Answers as an engine with these volumes. */
function serve(engine: FakeEngineServer, ...names: string[]): void {
  const own = new Set(names);
  held.set(engine, own);
  engine.calls.length = 0;
  engine.onAll((call, answer) => {
    const [path = "", query = ""] = (call.url ?? "").replace(/^\/v[\d.]+/, "").split("?");
    if (path === "/_ping") return answer.setHeader("Api-Version", "1.41").end();
    const name = path.split("/")[2];
    const rowOf = (Name: string) => ({ Name, Driver: "local", Labels: null });
    if (path === "/volumes") {
      assert.ok(!query.includes("gam.hosts"), query);
      return json(answer, { Volumes: [...own].map(rowOf), Warnings: null });
    }
    if (path === "/volumes/prune") {
      const VolumesDeleted = [...own];
      own.clear();
      return json(answer, { VolumesDeleted, SpaceReclaimed: VolumesDeleted.length });
    }
    if (path === "/volumes/create") {
      const pieces: Buffer[] = [];
      call.on("data", (piece: Buffer) => pieces.push(piece));
      call.on("end", () => {
        const { Name } = JSON.parse(Buffer.concat(pieces).toString());
        own.add(Name);
        answer.statusCode = 201;
        json(answer, rowOf(Name));
      });
      return;
    }
    if (name === undefined || !own.has(name)) {
      answer.statusCode = 404;
      return json(answer, { message: `get ${name}: no such volume` });
    }
    if (call.method !== "DELETE") return json(answer, rowOf(name));
    own.delete(name);
    answer.statusCode = 204;
    answer.end();
  });
}

const volumesOn = (at: number): readonly string[] => {
  const engine = at === 1 ? rig.engine : rig.far[at - 2]?.engine;
  return [...((engine && held.get(engine)) ?? [])];
};

let services = 0;

/** The record that a task with the volume leaves on the node. */
function record(name: string, node: NodeId): void {
  services += 1;
  const service = `s${services}`;
  const Mounts = [{ Type: "volume" as const, Source: name, Target: "/data" }];
  const template = { ContainerSpec: { Image: "db:1", Mounts } };
  const id = `t${services}` as TaskId;
  rig.door.apply([
    aService(service, { template, replicas: 2 }),
    { kind: "createTask", task: aTask(service, id, { slot: 9, template }) },
    {
      kind: "assignTask",
      id,
      node,
      status: { Timestamp: "2026-01-01T00:00:00.000Z", State: "assigned" },
    },
  ]);
}
const homesOf = (name: string): readonly NodeId[] | undefined =>
  rig.door
    .view()
    .volume(name as VolumeName)
    ?.Homes.map(({ node }) => node);

beforeEach(() => {
  held = new Map();
  serve(rig.engine, "own", "both");
  const [host2, host3] = rig.far;
  assert.ok(host2 && host3);
  serve(host2.engine, "both", "db", "plain");
  serve(host3.engine, "plain");
});

const host2 = (): NodeId => rig.far[0]?.id as NodeId;
const filters = (value: string) =>
  `filters=${encodeURIComponent(JSON.stringify({ "gam.hosts": [value] }))}`;

test("the list is this host's, and with the filter that of all hosts or of one", async () => {
  const names = async (query: string) => {
    const { body } = await rig.call("GET", `/v1.41/volumes?${query}`);
    return body.Volumes.map(({ Name }: { Name: string }) => Name).sort();
  };
  assert.deepEqual(await names(""), ["both", "own"]);
  const all = ["host1/both", "host1/own", "host2/both", "host2/db", "host2/plain", "host3/plain"];
  assert.deepEqual(await names(filters("all")), all);
  assert.deepEqual(await names(filters("host3")), ["host3/plain"]);
  const { status, body } = await rig.call("GET", `/volumes?${filters("host9")}`);
  assert.equal(status, 400);
  assert.match(body.message, /no such host/);
});

test("a bare name is this host's volume, or that of a service; else the error names the hosts", async () => {
  const found = async (ref: string) => {
    const { status, body } = await rig.call("GET", `/v1.41/volumes/${ref}`);
    return status === 200 ? (body.Labels?.["gam.host"] ?? "here") : body.message;
  };
  record("db", host2());
  assert.equal(await found("both"), "here");
  assert.equal(await found("host2/both"), "host2");
  assert.equal(await found("db"), "host2");
  assert.equal(
    await found("plain"),
    "get plain: no such volume. Other hosts have one, use host2/plain or host3/plain",
  );
  assert.equal(await found("nowhere"), "get nowhere: no such volume");
  assert.match(await found("host9/db"), /no node is called host9/);
});

test("a bare name removes only this host's volume; the record goes with the volume", async () => {
  record("drop", host2());
  held.get(rig.far[0]?.engine as FakeEngineServer)?.add("drop");
  const bare = await rig.call("DELETE", "/v1.41/volumes/drop");
  assert.equal(bare.status, 404);
  assert.match(bare.body.message, /use host2\/drop/);
  assert.deepEqual(homesOf("drop"), [host2()]);
  const whole = await rig.call("DELETE", "/v1.41/volumes/host2/drop");
  assert.equal(whole.status, 204);
  assert.ok(!volumesOn(2).includes("drop"));
  assert.equal(homesOf("drop"), undefined);
});

test("a record whose volume is gone from the engine can be removed, too", async () => {
  record("gone", rig.door.self);
  assert.equal((await rig.call("DELETE", "/volumes/gone")).status, 204);
  assert.equal(homesOf("gone"), undefined);
  assert.equal((await rig.call("DELETE", "/volumes/gone")).status, 404);
});

test("a volume is made on the host in its name", async () => {
  const made = await rig.call("POST", "/v1.41/volumes/create", { Name: "host3/new" });
  assert.equal(made.status, 201);
  assert.equal(made.body.Name, "host3/new");
  assert.ok(volumesOn(3).includes("new"));
  assert.equal((await rig.call("POST", "/volumes/create", { Name: "mine" })).status, 201);
  assert.ok(volumesOn(1).includes("mine"));
});

test("prune is for this host, and with the filter for all; records go with the volumes", async () => {
  record("plain", host2());
  const own = await rig.call("POST", "/volumes/prune");
  assert.deepEqual(own.body.VolumesDeleted, ["own", "both"]);
  assert.deepEqual(volumesOn(2), ["both", "db", "plain"]);
  const all = await rig.call("POST", `/volumes/prune?${filters("all")}`);
  assert.deepEqual(all.body.VolumesDeleted.sort(), [
    "host2/both",
    "host2/db",
    "host2/plain",
    "host3/plain",
  ]);
  assert.equal(all.body.SpaceReclaimed, 4);
  assert.equal(homesOf("plain"), undefined);
});
