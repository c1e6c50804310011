import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { json } from "@gam/engine/testing";
import { Rig } from "../testing/rig.ts";

let rig: Rig;

before(async () => {
  rig = await Rig.start(2);
});
after(() => rig.stop());

test("a network's name is unique over the cluster and the engine", async () => {
  rig.engine.on("GET /networks", (_call, answer) =>
    json(answer, [
      { Id: "e1", Name: "mine", Labels: {} },
      { Id: "e2", Name: "ours", Labels: { "gam.network": "n1" } },
    ]),
  );
  const made = async (body: object): Promise<[number, string | undefined]> => {
    const answer = await rig.call("POST", "/networks/create", body);
    return [answer.status, answer.body.message];
  };
  const taken = (name: string): string => `network with name ${name} already exists`;
  assert.deepEqual(await made({ Name: "mine", Driver: "overlay" }), [409, taken("mine")]);
  assert.equal((await made({ Name: "ours", Driver: "overlay" }))[0], 201);
  assert.deepEqual(await made({ Name: "ours", Driver: "bridge" }), [409, taken("ours")]);
  assert.deepEqual(await made({ Name: "ours" }), [409, taken("ours")]);
  assert.equal((await rig.call("DELETE", "/networks/ours")).status, 204);
});

test("a new network has its subnet, or a warning that it has none", async () => {
  const { body } = await rig.call("POST", "/networks/create", { Name: "near", Driver: "overlay" });
  assert.equal(body.Warning, "");
  const { IPAM, Options, Peers } = (await rig.call("GET", "/networks/near")).body;
  assert.match(IPAM.Config[0].Subnet, /^10\.0\.\d+\.0\/24$/);
  assert.match(Options["com.docker.network.driver.overlay.vxlanid_list"], /^\d+$/);
  assert.deepEqual(Peers, [
    { Name: "aaa000000000", IP: "10.88.0.1" },
    { Name: "bbb000000000", IP: "10.88.0.2" },
  ]);
  rig.door.full = true;
  const late = await rig.call("POST", "/networks/create", { Name: "late", Driver: "overlay" });
  rig.door.full = false;
  assert.deepEqual(
    [late.status, late.body.Warning],
    [201, "Network late has no subnet yet: the address pools may be used up"],
  );
  for (const name of ["near", "late"]) await rig.call("DELETE", `/networks/${name}`);
});

test("inspect shows containers and peers, and with verbose the services", async () => {
  const network = { Name: "seen", Driver: "overlay", Attachable: true };
  const { Id } = (await rig.call("POST", "/networks/create", network)).body;
  const Containers = {
    c1: { Name: "web.1.x", EndpointID: "e1", IPv4Address: "10.0.9.7/24", MacAddress: "m" },
  };
  rig.engine.on("GET /networks", (_call, answer) =>
    json(answer, [{ Id: "b1", Name: "seen", Labels: { "gam.network": Id } }]),
  );
  rig.engine.on("GET /networks/b1", (_call, answer) => json(answer, { Id: "b1", Containers }));
  const made = await rig.call("POST", "/services/create", {
    Name: "web",
    TaskTemplate: { ContainerSpec: { Image: "tiny:1" }, Networks: [{ Target: "seen" }] },
    Mode: { Replicated: { Replicas: 2 } },
  });
  assert.equal(made.status, 201, made.text);
  const quiet = (await rig.call("GET", "/networks/seen")).body;
  assert.deepEqual(quiet.Containers, Containers);
  assert.equal("Services" in quiet, false);
  const { Services } = (await rig.call("GET", "/networks/seen?verbose=true")).body;
  const { VIP, Ports, LocalLBIndex, Tasks } = Services.web;
  const service = (await rig.call("GET", "/services/web")).body;
  assert.equal(service.Endpoint.VirtualIPs[0].Addr, `${VIP}/24`);
  assert.deepEqual([Ports, LocalLBIndex], [[], 0]);
  const tasks = (await rig.call("GET", "/tasks")).body;
  assert.deepEqual(
    Tasks,
    tasks.map(
      (task: { ID: string; Slot: number; NetworksAttachments: { Addresses: string[] }[] }) => ({
        Name: `web.${task.Slot}.${task.ID}`,
        EndpointID: task.ID,
        EndpointIP: task.NetworksAttachments[0]?.Addresses[0]?.split("/")[0],
        Info: { "Host IP": `10.88.0.${task.Slot}` },
      }),
    ),
  );
  await rig.call("DELETE", "/services/web");
  assert.equal((await rig.call("DELETE", "/networks/seen")).status, 204);
});

test("prune removes unused networks, here and in the cluster", async () => {
  rig.engine.on("GET /networks", (_call, answer) => json(answer, []));
  rig.engine.on("POST /networks/prune", (_call, answer) =>
    json(answer, { NetworksDeleted: ["l"] }),
  );
  for (const [Name, Labels] of [
    ["kept", { keep: "1" }],
    ["idle", {}],
    ["used", {}],
  ] as const) {
    await rig.call("POST", "/networks/create", { Name, Labels, Driver: "overlay" });
  }
  const TaskTemplate = { ContainerSpec: { Image: "tiny:1" }, Networks: [{ Target: "used" }] };
  await rig.call("POST", "/services/create", { Name: "user", TaskTemplate });
  const prune = async (filters: object): Promise<unknown> => {
    const path = `/networks/prune?filters=${encodeURIComponent(JSON.stringify(filters))}`;
    return (await rig.call("POST", path)).body.NetworksDeleted;
  };
  // The fake's clock stands in the past of ours or in its future: what was made until 1970 is nothing.
  assert.deepEqual(await prune({ until: ["0"] }), ["l"]);
  assert.deepEqual(await prune({ "label!": ["keep"] }), ["l", "idle"]);
  assert.deepEqual(await prune({}), ["l", "kept"]);
  await rig.call("DELETE", "/services/user");
});

test("there is one network of published ports, and it can be removed when no service publishes", async () => {
  const second = await rig.call("POST", "/networks/create", {
    Name: "in",
    Driver: "overlay",
    Ingress: true,
  });
  assert.equal(second.status, 409);
  assert.match(
    second.body.message,
    /^rpc error: code = AlreadyExists desc = ingress network \(\w+\) is already present$/,
  );
  const TaskTemplate = { ContainerSpec: { Image: "tiny:1" } };
  const Ports = [{ TargetPort: 80, PublishedPort: 8080 }];
  const create = (Name: string, more: object) =>
    rig.call("POST", "/services/create", { Name, TaskTemplate, ...more });
  const { ID } = (await create("front", { EndpointSpec: { Ports } })).body;
  const held = await rig.call("DELETE", "/networks/ingress");
  assert.deepEqual(
    [held.status, held.body.message],
    [
      400,
      `rpc error: code = FailedPrecondition desc = ingress network cannot be removed because service ${ID} depends on it`,
    ],
  );
  await rig.call("DELETE", "/services/front");
  const Networks = [{ Target: "ingress" }];
  const explicit = await create("in", { TaskTemplate: { ...TaskTemplate, Networks } });
  assert.deepEqual(
    [explicit.status, explicit.body.message],
    [
      400,
      'rpc error: code = InvalidArgument desc = Service cannot be explicitly attached to the ingress network "ingress"',
    ],
  );
  assert.equal((await rig.call("DELETE", "/networks/ingress")).status, 204);
  const without = await create("front", { EndpointSpec: { Ports } });
  assert.equal(
    without.body.message,
    "rpc error: code = FailedPrecondition desc = service needs ingress network, but no ingress network is present",
  );
  const again = { Name: "ingress", Driver: "overlay", Ingress: true };
  assert.equal((await rig.call("POST", "/networks/create", again)).status, 201);
});
