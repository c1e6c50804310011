import assert from "node:assert/strict";
import type { IncomingMessage, ServerResponse } from "node:http";
import { after, before, beforeEach, test } from "node:test";
import { GamError } from "@gam/core";
import { json } from "@gam/engine/testing";
import type { Network } from "@gam/state";
import { Rig } from "../testing/rig.ts";

let rig: Rig;
/** The bodies that the engine got, by route. */
let got: { route: string; body: unknown }[];
/** What the engine lists. */
let containers: unknown[];
/** The engine's answers that are not a success. */
let refusals: Map<string, [status: number, message: string]>;

const made = "c".repeat(64);
const shortId = "c".repeat(12);
const engineId = (name: string): string => `${name}-`.padEnd(64, "0");

before(async () => {
  rig = await Rig.start(2);
  for (const [Name, Attachable] of [
    ["open", true],
    ["wide", true],
    ["shut", false],
  ] as const) {
    await rig.call("POST", "/networks/create", { Name, Attachable, Driver: "overlay" });
  }
  rig.engine.on("GET /networks", (_call, answer) =>
    json(
      answer,
      ["open", "wide"].map((name) => ({
        Id: engineId(name),
        // Another network has this name already.
        Name: name === "wide" ? `wide.${network(name).Id}` : name,
        Labels: { "gam.network": network(name).Id },
      })),
    ),
  );
  rig.engine.on("GET /containers/json", (_call, answer) => json(answer, containers));
  rig.engine.on("GET /containers/box/json", (_call, answer) =>
    json(answer, { Name: "/box", Id: made }),
  );
  take("POST /containers/create", 201, { Id: made, Warnings: [] });
  take(`DELETE /containers/${made}`, 204);
  for (const name of ["open", "wide", "mine"]) {
    const id = name === "mine" ? name : engineId(name);
    take(`POST /networks/${id}/connect`, 200);
    take(`POST /networks/${id}/disconnect`, 200);
  }
});
after(() => rig.stop());
beforeEach(() => {
  got = [];
  containers = [];
  refusals = new Map();
  rig.door.failure = undefined;
  rig.door.full = false;
});

function take(route: string, status: number, body?: object): void {
  rig.engine.on(route, async (call: IncomingMessage, answer: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of call as AsyncIterable<Buffer>) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString("utf8");
    got.push({ route, body: text === "" ? undefined : JSON.parse(text) });
    const [refused, message] = refusals.get(route) ?? [];
    answer.statusCode = refused ?? status;
    if (refused !== undefined) return json(answer, { message });
    if (body === undefined) return void answer.end();
    json(answer, body);
  });
}

function network(name: string): Network {
  const found = rig.door.store.networks().find(({ Name }) => Name === name);
  assert.ok(found);
  return found;
}

/** The first body that the engine got. */
function sent(): Readonly<Record<string, Readonly<Record<string, unknown>> | string>> {
  assert.ok(got[0]);
  return got[0].body as ReturnType<typeof sent>;
}

const attachmentsOf = (name: string) => Object.values(network(name).Gam.attachments);

/** Returns: a container with this address, as the engine lists it. */
const holder = (name: string, IPv4Address: string) => ({
  NetworkSettings: { Networks: { [name]: { NetworkID: "", IPAMConfig: { IPv4Address } } } },
});

const create = (body: object, name = "box") =>
  rig.call("POST", `/v1.44/containers/create?name=${name}`, { Image: "tiny:1", ...body });

/** Deletes the containers and waits for a sweep. */
async function clear(...names: string[]): Promise<void> {
  containers = [];
  for (const name of names) {
    await rig.call("POST", `/networks/${name}/disconnect`, { Container: "box" });
    assert.deepEqual(attachmentsOf(name), []);
  }
}

test("a container of an attachable network is created with the leader's address", async () => {
  const { status, body } = await create({ HostConfig: { NetworkMode: "open", Dns: [] } });
  assert.deepEqual([status, body.Id], [201, made]);
  const [attachment] = attachmentsOf("open");
  assert.ok(attachment);
  const { address, name, node } = attachment;
  assert.deepEqual([name, node], ["box", rig.door.self]);
  const MacAddress = `02:42:0a:00:0${address.split(".")[2]}:${Number(address.split(".")[3]).toString(16).padStart(2, "0")}`;
  assert.deepEqual(got, [
    {
      route: "POST /containers/create",
      body: {
        Image: "tiny:1",
        // The engine is older than the MAC addresses of endpoints.
        MacAddress,
        HostConfig: { NetworkMode: "open", Dns: [network("open").Gam.gateways[rig.door.self]] },
        NetworkingConfig: {
          EndpointsConfig: { open: { IPAMConfig: { IPv4Address: address }, MacAddress } },
        },
      },
    },
  ]);
  assert.deepEqual(rig.door.ensured.at(-1), network("open").Id);
  // The engine lists no such container, so the attachment is removed.
  await clear("open");
});

test("an address stays with its container until that is deleted, running or not", async () => {
  await create({ HostConfig: { NetworkMode: "open" } });
  const [attachment] = attachmentsOf("open");
  containers = [holder("open", attachment?.address ?? "")];
  const refused = await rig.call("DELETE", "/networks/open");
  assert.equal(refused.status, 400);
  assert.match(refused.body.message, /network open has active endpoints: box on node host1$/);
  await clear("open");
});

test("an address is free as soon as the deletion of its container is answered", async () => {
  await create({ HostConfig: { NetworkMode: "open" } });
  assert.equal(attachmentsOf("open").length, 1);
  assert.equal((await rig.call("DELETE", `/containers/${made}`)).status, 204);
  assert.deepEqual(attachmentsOf("open"), []);
});

test("the client's endpoint and DNS settings are kept", async () => {
  await create({
    HostConfig: { NetworkMode: "default", Dns: ["10.9.9.9"], Memory: 7 },
    NetworkingConfig: { EndpointsConfig: { [network("wide").Id]: { Aliases: ["a"] } } },
  });
  const { HostConfig, NetworkingConfig } = sent();
  const name = `wide.${network("wide").Id}`;
  assert.deepEqual(HostConfig, { NetworkMode: name, Dns: ["10.9.9.9"], Memory: 7 });
  const { EndpointsConfig } = NetworkingConfig as { EndpointsConfig: Record<string, object> };
  assert.deepEqual(Object.keys(EndpointsConfig), [name]);
  assert.deepEqual((EndpointsConfig[name] as { Aliases: unknown }).Aliases, ["a"]);
  await clear("wide");
});

test("all networks but the first are joined after the container is created", async () => {
  const { status } = await create({
    HostConfig: { NetworkMode: "mine" },
    NetworkingConfig: { EndpointsConfig: { mine: { Aliases: ["a"] }, open: {}, wide: null } },
  });
  assert.equal(status, 201);
  const seen = got.map(({ route, body }) => {
    const { NetworkingConfig, EndpointConfig, Container } = body as {
      NetworkingConfig?: { EndpointsConfig: object };
      EndpointConfig: object;
      Container?: string;
    };
    return [route, Container, Object.keys(NetworkingConfig?.EndpointsConfig ?? EndpointConfig)];
  });
  assert.deepEqual(seen, [
    ["POST /containers/create", undefined, ["mine"]],
    [`POST /networks/${engineId("open")}/connect`, made, ["IPAMConfig", "MacAddress"]],
    [`POST /networks/${engineId("wide")}/connect`, made, ["IPAMConfig", "MacAddress"]],
  ]);
  await clear("open", "wide");
});

test("a container that cannot join the second network is not left in the first", async () => {
  refusals.set(`POST /networks/${engineId("wide")}/connect`, [500, "no room"]);
  const { status, body } = await create({
    HostConfig: { NetworkMode: "open" },
    NetworkingConfig: { EndpointsConfig: { open: {}, wide: {} } },
  });
  assert.deepEqual([status, body.message], [500, "no room"]);
  assert.equal(got.at(-1)?.route, `DELETE /containers/${made}`);
  assert.deepEqual([...attachmentsOf("open"), ...attachmentsOf("wide")], []);
});

test("an address that no container uses is released", async () => {
  refusals.set("POST /containers/create", [404, "No such image: tiny:1"]);
  const { status, body } = await create({ HostConfig: { NetworkMode: "open" } });
  assert.deepEqual([status, body.message], [404, "No such image: tiny:1"]);
  assert.deepEqual(attachmentsOf("open"), []);
});

test("a sweep does not take the address of a container that is being created", async () => {
  const name = "POST /containers/create";
  let looked: Promise<unknown> | undefined;
  rig.engine.on(name, async (_call, answer) => {
    looked = rig.call("POST", "/networks/wide/disconnect", { Container: "other" });
    await looked;
    answer.statusCode = 201;
    json(answer, { Id: made });
  });
  await create({ HostConfig: { NetworkMode: "open" } });
  assert.equal(attachmentsOf("open").length, 1);
  take(name, 201, { Id: made, Warnings: [] });
  await clear("open");
});

test("a connected container has an address, which is released when it is disconnected", async () => {
  const { status } = await rig.call("POST", "/networks/open/connect", {
    Container: "box",
    EndpointConfig: { Aliases: ["a"] },
  });
  assert.equal(status, 200);
  const [attachment] = attachmentsOf("open");
  assert.deepEqual([attachment?.name, attachment?.aliases], ["box", ["a", shortId]]);
  const { Container, EndpointConfig } = sent();
  assert.equal(Container, "box");
  const { Aliases, IPAMConfig } = EndpointConfig as Record<string, unknown>;
  assert.deepEqual([Aliases, IPAMConfig], [["a"], { IPv4Address: attachment?.address }]);
  containers = [holder("open", attachment?.address ?? "")];
  await clear("open");
  assert.equal(got.at(-1)?.route, `POST /networks/${engineId("open")}/disconnect`);
});

test("a container has the name that the engine chose, and its short id", async () => {
  rig.engine.on(`GET /containers/${made}/json`, (_call, answer) =>
    json(answer, { Name: "/brave_euler" }),
  );
  const { status } = await rig.call("POST", "/v1.44/containers/create", {
    HostConfig: { NetworkMode: "open" },
  });
  assert.equal(status, 201);
  const [attachment] = attachmentsOf("open");
  assert.deepEqual([attachment?.name, attachment?.aliases], ["brave_euler", [shortId]]);
  assert.notEqual(attachment?.address, "");
  await clear("open");
});

test("calls without a network of the cluster are passed on unchanged", async () => {
  for (const body of [
    { HostConfig: { NetworkMode: "default" }, NetworkingConfig: { EndpointsConfig: null } },
    { HostConfig: { NetworkMode: "mine" } },
    { HostConfig: { NetworkMode: "container:open" } },
  ]) {
    const before = rig.door.store.index;
    await create(body);
    assert.deepEqual(got.pop()?.body, { Image: "tiny:1", ...body });
    assert.equal(rig.door.store.index, before);
  }
  await rig.call("POST", "/networks/mine/connect", { Container: "box" });
  assert.deepEqual(got.pop(), { route: "POST /networks/mine/connect", body: { Container: "box" } });
});

test("a container has the address and the aliases that it asked for", async () => {
  const subnet = network("open").IPAM.Config[0]?.Subnet ?? "";
  const wish = subnet.replace(/\d+\/\d+$/, "77");
  const { status } = await create({
    HostConfig: { NetworkMode: "open" },
    NetworkingConfig: {
      EndpointsConfig: { open: { Aliases: ["a"], IPAMConfig: { IPv4Address: wish } } },
    },
  });
  assert.equal(status, 201);
  const [attachment] = attachmentsOf("open");
  assert.deepEqual([attachment?.address, attachment?.aliases], [wish, ["a", shortId]]);
  containers = [holder("open", wish)];
  const EndpointConfig = { IPAMConfig: { IPv4Address: wish } };
  const again = await rig.call("POST", "/networks/open/connect", {
    Container: "box",
    EndpointConfig,
  });
  const why = `address ${wish} is in use by container box on node host1`;
  assert.deepEqual(
    [again.status, again.body.message],
    [400, `Could not attach to network open: ${why}`],
  );
  await clear("open");
});

const refused = [
  {
    name: "a network for services only",
    body: { HostConfig: { NetworkMode: "shut" } },
    status: 403,
    want: "Could not attach to network shut: rpc error: code = PermissionDenied desc = network shut not manually attachable",
  },
  {
    name: "the network of published ports",
    body: { HostConfig: { NetworkMode: "ingress" } },
    status: 403,
    want: "Could not attach to network ingress: rpc error: code = PermissionDenied desc = network ingress not manually attachable",
  },
  {
    name: "an address of another network",
    body: {
      HostConfig: { NetworkMode: "open" },
      NetworkingConfig: { EndpointsConfig: { open: { IPAMConfig: { IPv4Address: "10.9.1.9" } } } },
    },
    status: 400,
    want: "Could not attach to network open: address 10.9.1.9 is not in its subnet SUBNET",
  },
  {
    name: "an invalid address",
    body: {
      HostConfig: { NetworkMode: "open" },
      NetworkingConfig: { EndpointsConfig: { open: { IPAMConfig: { IPv4Address: "10.0.1" } } } },
    },
    status: 400,
    want: 'Could not attach to network open: "10.0.1" is not an IPv4 address',
  },
  {
    name: "its own MAC address",
    body: { MacAddress: "02:42:01:02:03:04", HostConfig: { NetworkMode: "open" } },
    status: 501,
    want: "Could not attach to network open: MAC addresses are derived from IP addresses. Leave out --mac-address",
  },
];

for (const { name, body, status, want } of refused) {
  test(`a plain container is refused ${name}`, async () => {
    const answer = await create(body);
    const subnet = network("open").IPAM.Config[0]?.Subnet ?? "";
    const message = want.replace("SUBNET", subnet);
    assert.deepEqual([answer.status, answer.body.message], [status, message]);
    assert.deepEqual(got, []);
    assert.deepEqual(attachmentsOf("open"), []);
  });
}

test("a cluster without a leader refuses to create the container, with the reason", async () => {
  rig.door.failure = new GamError("NO_LEADER", "Cannot write: nobody leads");
  const { status, body } = await create({ HostConfig: { NetworkMode: "open" } });
  assert.deepEqual([status, body.message], [503, "Cannot write: nobody leads"]);
  assert.deepEqual(got, []);
});

test("without an engine no address is released", async () => {
  await create({ HostConfig: { NetworkMode: "open" } });
  rig.engine.on("GET /containers/json", (_call, answer) => {
    answer.statusCode = 500;
    json(answer, { message: "the engine is starting" });
  });
  await rig.call("POST", "/networks/open/disconnect", { Container: "other" });
  assert.equal(attachmentsOf("open").length, 1);
  rig.engine.on("GET /containers/json", (_call, answer) => json(answer, containers));
  await clear("open");
});
