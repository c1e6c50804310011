import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Rig } from "./testing/rig.ts";

let rig: Rig;

before(async () => {
  rig = await Rig.start(2);
});
after(() => rig.stop());

test("whoever asks for what does not work yet is told, once", async () => {
  const network = await rig.call("POST", "/networks/create", { Name: "wide", Driver: "overlay" });
  const Ports = [
    { PublishedPort: 8099, TargetPort: 80 },
    { TargetPort: 84, Protocol: "udp" },
    { PublishedPort: 8098, TargetPort: 81, PublishMode: "host" },
  ];
  const Networks = [{ Target: "wide" }, { Target: "host" }];
  const ContainerSpec = { Image: "tiny:1" };
  const body = { Name: "loud", TaskTemplate: { ContainerSpec, Networks }, EndpointSpec: { Ports } };
  const created = await rig.call("POST", "/services/create", body);
  assert.deepEqual(created.body.Warnings, [
    "Published in ingress mode, which is not served yet: 8099->80/tcp, 84/udp; use mode=host",
    "Not reaching across hosts yet: network wide; only tasks on one host meet",
  ]);
  const update = async (more: object): Promise<unknown> => {
    const { body: service } = await rig.call("GET", `/services/${created.body.ID}`);
    const path = `/services/loud/update?version=${service.Version.Index}`;
    return (await rig.call("POST", path, { ...body, ...more })).body.Warnings;
  };
  assert.equal(await update({ Labels: { a: "b" } }), null);
  const more = { Ports: [...Ports, { PublishedPort: 8097, TargetPort: 82 }] };
  assert.deepEqual(await update({ EndpointSpec: more }), [
    "Published in ingress mode, which is not served yet: 8097->82/tcp; use mode=host",
  ]);
  assert.equal((await rig.call("DELETE", "/services/loud")).status, 200);
  assert.equal((await rig.call("DELETE", `/networks/${network.body.Id}`)).status, 204);
  const quiet = await rig.call("POST", "/services/create", { TaskTemplate: { ContainerSpec } });
  assert.equal("Warnings" in quiet.body, false);
});
