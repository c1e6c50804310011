import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { NodeId } from "@gam/core";
import { json } from "@gam/engine/testing";
import type { Usage } from "@gam/state";
import { Rig } from "../testing/rig.ts";

const [idA, idB] = ["a", "b"].map((one) => `sha256:${one.repeat(64)}`) as [string, string];

async function start(t: TestContext): Promise<Rig> {
  const rig = await Rig.start(3);
  t.after(() => rig.stop());
  return rig;
}

/** What the hosts say of their images, the asked one first. */
function say(rig: Rig, ...hosts: readonly (readonly string[])[]): void {
  for (const [at, { ID }] of rig.door.view().nodes().entries()) {
    const images = hosts[at];
    if (images !== undefined) rig.door.usages.set(ID as NodeId, { images } as unknown as Usage);
  }
}

async function deploy(rig: Rig, image: string, version?: number): Promise<string> {
  const body = { Name: "shop", TaskTemplate: { ContainerSpec: { Image: image } } };
  const path =
    version === undefined ? "/services/create" : `/services/shop/update?version=${version}`;
  const { status, text } = await rig.call("POST", path, body);
  assert.ok(status < 300, text);
  const found = await rig.call("GET", "/services/shop");
  return `${found.body.Spec.TaskTemplate.ContainerSpec.Image} ${found.body.Version.Index}`;
}

test("a tag is pinned to the image of the asked host's engine", async (t) => {
  const rig = await start(t);
  rig.engine.on("GET /images/shop:1/json", (_, answer) =>
    json(answer, { Id: idA, RepoTags: ["shop:1"], RepoDigests: [] }),
  );
  const [image, version] = (await deploy(rig, "shop:1")).split(" ");
  assert.equal(image, `shop:1@${idA}`);
  const [again] = (await deploy(rig, "shop:1", Number(version))).split(" ");
  assert.equal(again, `shop:1@${idA}`);
});

test("a tag is pinned to another host's image, and a name that is the beginning of an id is not", async (t) => {
  const rig = await start(t);
  rig.engine.on("GET /images/bbb/json", (_, answer) =>
    json(answer, { Id: idB, RepoTags: ["else:1"], RepoDigests: [] }),
  );
  say(rig, [], [idA, "bbb:latest"]);
  const [image] = (await deploy(rig, "bbb")).split(" ");
  assert.equal(image, `bbb@${idA}`);
});

test("a tag that nobody has stays as it is", async (t) => {
  const rig = await start(t);
  const [image] = (await deploy(rig, "shop:1")).split(" ");
  assert.equal(image, "shop:1");
});

test("the list names the hosts of each image", async (t) => {
  const rig = await start(t);
  say(rig, [idA, "shop:1", idB], [idA]);
  const { body } = await rig.call("GET", "/gam/v1/images");
  assert.deepEqual(body, {
    images: [
      { id: idA, names: ["shop:1"], hosts: ["host1", "host2"] },
      { id: idB, names: [], hosts: ["host1"] },
    ],
    silent: ["host3"],
  });
});

test("orders go to the named hosts, or to all", async (t) => {
  const rig = await start(t);
  const ids = rig.door
    .view()
    .nodes()
    .map(({ ID }) => ID);
  const push = await rig.call("POST", "/gam/v1/images/push", { image: "shop:1", hosts: ["host2"] });
  assert.deepEqual(
    push.body.hosts.map(({ host }: { host: string }) => host),
    [ids[1]],
  );
  const prune = await rig.call("POST", "/gam/v1/images/prune", { all: true });
  assert.deepEqual(
    prune.body.hosts.map(({ host }: { host: string }) => host),
    ids,
  );
  assert.equal(prune.body.hosts[0].problem, '{"all":true,"apply":false}');
  const unknown = await rig.call("POST", "/gam/v1/images/push", {
    image: "shop:1",
    hosts: ["host9"],
  });
  assert.deepEqual([unknown.status, unknown.body.message], [404, "node host9 not found"]);
});
