import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { GamError } from "@gam/core";
import { readRows, Store } from "@gam/state";
import { Rig } from "../testing/index.ts";

describe("writes at a peer whose copy may be old", () => {
  let rig: Rig;
  let reads = 0;
  before(async () => {
    rig = await Rig.start(1);
    rig.door.fresh = async () => {
      reads += 1;
      rig.door.view = () => rig.door.store;
      return true;
    };
  });
  beforeEach(() => {
    rig.door.view = () => rig.door.store;
    rig.door.failure = undefined;
    reads = 0;
  });
  after(() => rig.stop());

  /** Returns: the current state, for a peer that gets no newer one until it asks. */
  function copy(): Store {
    const old = new Store();
    old.restore(readRows(rig.door.store.dump()));
    return old;
  }

  /** Makes this peer use that copy. */
  function have(old: Store): void {
    rig.door.view = () => old;
    reads = 0;
  }

  const spec = (name: string, image: string, networks: readonly string[] = []) => ({
    Name: name,
    TaskTemplate: {
      ContainerSpec: { Image: image },
      Networks: networks.map((Target) => ({ Target })),
    },
  });

  async function create(name: string): Promise<void> {
    const { status } = await rig.call("POST", "/services/create", spec(name, "one"));
    assert.equal(status, 201);
  }

  function versionOf(name: string): number {
    const found = rig.door.store.services().find(({ Spec }) => Spec.Name === name);
    return found?.Version.Index ?? 0;
  }

  async function update(name: string, version: number, body: object) {
    return await rig.call("POST", `/services/${name}/update?version=${version}`, body);
  }

  test("a copy that is new enough needs no request to the leader", async () => {
    await create("plain");
    const { status } = await update("plain", versionOf("plain"), spec("plain", "two"));
    assert.deepEqual([status, reads], [200, 0]);
  });

  test("a service that this copy does not know", async () => {
    const old = copy();
    await create("later");
    have(old);
    const { status } = await update("later", versionOf("later"), spec("later", "two"));
    assert.deepEqual([status, reads], [200, 1]);
  });

  test("a version that this copy does not know", async () => {
    await create("twice");
    const old = copy();
    await update("twice", versionOf("twice"), spec("twice", "two"));
    have(old);
    const { status } = await update("twice", versionOf("twice"), spec("twice", "three"));
    assert.equal(status, 200);
    const found = rig.door.store.services().find(({ Spec }) => Spec.Name === "twice");
    const images = [found?.Spec, found?.PreviousSpec].map(
      (one) => one?.TaskTemplate.ContainerSpec.Image,
    );
    assert.deepEqual(images, ["three", "two"]);
  });

  test("a network that this copy does not know", async () => {
    const network = { Name: "net", Driver: "overlay" };
    await rig.call("POST", "/networks/create", network);
    const old = copy();
    await rig.call("DELETE", "/networks/net");
    await rig.call("POST", "/networks/create", network);
    have(old);
    const { status } = await rig.call("POST", "/services/create", spec("in-net", "one", ["net"]));
    assert.deepEqual([status, reads], [201, 1]);
  });

  test("a write that is wrong in the newest copy too is refused", async () => {
    await create("known");
    const stale = await update("known", versionOf("known") - 1, spec("known", "two"));
    assert.deepEqual(
      [stale.status, stale.body.message],
      [500, "rpc error: code = Unknown desc = update out of sequence"],
    );
    const missing = await update("nothing", 1, spec("nothing", "two"));
    assert.deepEqual([missing.status, missing.body.message], [404, "service nothing not found"]);
    const name = await rig.call("POST", "/services/create", spec("known", "one"));
    assert.equal(name.status, 409);
  });

  test("a write that is lost is not written again", async () => {
    await create("lost");
    let asked = 0;
    const { propose } = rig.door;
    rig.door.propose = async () => {
      asked += 1;
      throw new GamError("NO_LEADER", "Cannot write: nobody answers");
    };
    const { status } = await update("lost", versionOf("lost"), spec("lost", "two"));
    rig.door.propose = propose;
    assert.deepEqual([status, asked, reads], [503, 1, 0]);
  });
});
