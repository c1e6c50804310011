import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { json } from "@gam/engine/testing";
import { Rig } from "../testing/rig.ts";

let rig: Rig;

/** The engine's networks, by name and id. */
const local = {
  br_default: { Name: "br_default", Id: "e1", Driver: "bridge", Labels: {} },
  docker_gwbridge: { Name: "docker_gwbridge", Id: "e2", Driver: "bridge", Labels: {} },
  none: { Name: "none", Id: "e3", Driver: "null", Labels: {} },
  "182f4003c701": { Name: "bridge", Id: "182f4003c701d543", Driver: "bridge", Labels: {} },
  "0.ingress": { Name: "0.ingress", Id: "e5", Driver: "bridge", Labels: { "gam.network": "n" } },
};

before(async () => {
  rig = await Rig.start(2);
  for (const [ref, network] of Object.entries(local)) {
    rig.engine.on(`GET /networks/${ref}`, (_call, answer) => json(answer, network));
  }
});
after(() => rig.stop());

const localOnly = (name: string): string =>
  `The network ${name} cannot be used with services. Only networks scoped to the swarm can be used, such as those created with the overlay driver.`;

const refused: readonly (readonly [target: string, status: number, message: string])[] = [
  ["br_default", 403, localOnly("br_default")],
  ["docker_gwbridge", 403, localOnly("docker_gwbridge")],
  [
    "none",
    500,
    "could not find the corresponding predefined swarm network: network none not found",
  ],
  ["nosuch", 500, "network nosuch not found"],
  ["0.ingress", 500, "network 0.ingress not found"],
  [
    "ingress",
    400,
    'rpc error: code = InvalidArgument desc = Service cannot be explicitly attached to the ingress network "ingress"',
  ],
];

const spec = (name: string, targets: readonly string[]): object => ({
  Name: name,
  TaskTemplate: {
    ContainerSpec: { Image: "tiny:1" },
    Networks: targets.map((Target) => ({ Target })),
  },
});

for (const [target, status, message] of refused) {
  test(`a service cannot be in network ${target}`, async () => {
    const created = await rig.call("POST", "/services/create", spec("web", [target]));
    assert.deepEqual([created.status, created.body], [status, { message }]);
    const old = { Name: "old", TaskTemplate: { ContainerSpec: { Image: "tiny:1" } } };
    const { ID } = (await rig.call("POST", "/services/create", old)).body;
    const { Version } = (await rig.call("GET", `/services/${ID}`)).body;
    const path = `/services/${ID}/update?version=${Version.Index}`;
    const updated = await rig.call("POST", path, spec("old", [target]));
    assert.deepEqual([updated.status, updated.body], [status, { message }]);
    await rig.call("DELETE", `/services/${ID}`);
  });
}

test("a service may be in the networks that every engine has, by name or by this engine's id", async () => {
  const { body } = await rig.call("POST", "/services/create", spec("open", ["182f4003c701"]));
  const service = (await rig.call("GET", `/services/${body.ID}`)).body;
  assert.deepEqual(service.Spec.TaskTemplate.Networks, [{ Target: "bridge" }]);
  const host = await rig.call("POST", "/services/create", spec("near", ["host"]));
  assert.equal(host.status, 201, host.text);
  const [task] = (await rig.call("GET", '/tasks?filters={"service":["near"]}')).body;
  const [attachment] = task.NetworksAttachments;
  assert.deepEqual(
    [attachment.Network.ID, attachment.Network.Spec.Name, attachment.Addresses],
    ["host", "host", undefined],
  );
});

test("fields that differ in case are found, in services, networks and containers", async () => {
  const python = {
    Name: "py",
    TaskTemplate: { ContainerSpec: { Image: "tiny:1", HealthCheck: { Test: ["CMD", "true"] } } },
    Mode: { replicated: { Replicas: 3 } },
    Labels: { Tier: "front", tier: "back" },
  };
  const { body } = await rig.call("POST", "/services/create", python);
  const { Spec } = (await rig.call("GET", `/services/${body.ID}`)).body;
  assert.deepEqual(Spec.Mode, { Replicated: { Replicas: 3 } });
  assert.deepEqual(Spec.TaskTemplate.ContainerSpec.Healthcheck, { Test: ["CMD", "true"] });
  assert.deepEqual(Spec.Labels, { Tier: "front", tier: "back" });
  const network = { name: "lower", driver: "overlay", attachable: true };
  assert.equal((await rig.call("POST", "/networks/create", network)).status, 201);
  const container = { image: "x", hostconfig: { networkmode: "lower" } };
  const created = await rig.call("POST", "/containers/create", container);
  // The fake engine has no network for it: what matters is that the cluster's was found.
  assert.match(
    created.body.message,
    /^Could not attach to network lower: the engine has no network/,
  );
});

test("a new service has its ports and addresses at once", async () => {
  const { body } = await rig.call("POST", "/services/create", {
    ...spec("shown", []),
    EndpointSpec: { Ports: [{ TargetPort: 80 }, { TargetPort: 81, PublishedPort: 8081 }] },
  });
  const { Endpoint } = (await rig.call("GET", `/services/${body.ID}`)).body;
  assert.deepEqual(
    Endpoint.Ports.map(({ PublishedPort }: { PublishedPort: number }) => PublishedPort > 0),
    [true, true],
  );
  assert.match(Endpoint.VirtualIPs[0].Addr, /^10\.\d+\.\d+\.\d+\/\d+$/);
});
