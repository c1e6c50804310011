import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Rig } from "../testing/rig.ts";

let rig: Rig;

before(async () => {
  rig = await Rig.start(1);
});
after(() => rig.stop());

test("the report of the HTTP proxy is answered", async () => {
  const { status, body } = await rig.call("GET", "/gam/v1/http");
  assert.deepEqual(
    { status, body },
    { status: 200, body: { proxy: null, sites: [], problems: [] } },
  );
});

const create = (Name: string, labels: Record<string, string>) =>
  rig.call("POST", "/services/create", {
    Name,
    Labels: labels,
    TaskTemplate: { ContainerSpec: { Image: "x:1" } },
    Mode: { Replicated: { Replicas: 1 } },
  });

test("a name that another service has is refused at create, with that service's name", async () => {
  const labels = { "gam.http.host": "a.example.com" };
  assert.equal((await create("web", labels)).status, 201);
  const { status, body } = await create("copy", labels);
  assert.equal(status, 400);
  assert.match(JSON.stringify(body), /a\.example\.com is already served for service web/);
});
