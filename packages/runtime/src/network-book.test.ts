import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { NetworkId } from "@gam/core";
import { EngineClient } from "@gam/engine";
import { FakeEngineServer } from "@gam/engine/testing";
import type { NetworkPlan } from "@gam/state";
import type { Sandbox } from "./data-plane/kernel/sandbox.ts";
import { NetworkBook } from "./network-book.ts";

interface FakeNetwork {
  readonly Id: string;
  readonly Name: string;
  readonly Labels: Readonly<Record<string, string>>;
}

/** A fake engine's network calls, with its answers. */
class FakeNetworks {
  readonly networks = new Map<string, FakeNetwork>();
  /** Ids of networks with containers. */
  readonly used = new Set<string>();
  made = 0;
  /** Container id to its networks: id to endpoint. */
  readonly containers = new Map<string, Readonly<Record<string, string>>>();
  inspections = 0;

  /** Its answers about one container, and about all. */
  #told(id: string): unknown {
    const networks = Object.entries(this.containers.get(id) ?? {});
    const Networks = networks.map(([NetworkID, EndpointID], n) => [
      `net${n}`,
      { NetworkID, EndpointID, IPAddress: `10.0.5.${n}`, MacAddress: `02:42:0a:00:05:0${n}` },
    ]);
    const SandboxKey = `/run/netns/${id}`;
    const HostConfig = { Dns: ["192.0.2.53", "127.0.0.1", "2001:db8::1"] };
    const NetworkSettings = { SandboxKey, Networks: Object.fromEntries(Networks) };
    return { Id: id, NetworkSettings, HostConfig, ResolvConfPath: "/no/such/file" };
  }

  #container(path: string): [number, unknown] {
    const id = /^\/containers\/(\w+)\/json$/.exec(path)?.[1];
    if (id === undefined) return [200, [...this.containers.keys()].map((one) => this.#told(one))];
    this.inspections += 1;
    return this.containers.has(id)
      ? [200, this.#told(id)]
      : [404, { message: "no such container" }];
  }

  answer(method: string, path: string, body: Record<string, unknown>): [number, unknown] {
    if (path.startsWith("/containers/")) return this.#container(path);
    const id = path.slice("/networks/".length);
    if (method === "GET") {
      const all = [...this.networks.values()];
      return [200, all.filter(({ Labels }) => Labels["gam.network"] !== undefined)];
    }
    if (method === "DELETE") {
      if (this.used.has(id)) return [403, { message: "network has active endpoints" }];
      return this.networks.delete(id) ? [204, ""] : [404, { message: "network not found" }];
    }
    this.made += 1;
    const made = { Labels: {}, ...body, Id: `id${this.made}` } as unknown as FakeNetwork;
    if ([...this.networks.values()].some(({ Name }) => Name === made.Name)) {
      return [409, { message: `network with name ${made.Name} already exists` }];
    }
    this.networks.set(made.Id, made);
    return [201, { Id: made.Id }];
  }

  names(): string[] {
    return [...this.networks.values()].map(({ Name }) => Name).sort();
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

async function open(t: TestContext): Promise<{ engine: FakeNetworks; book: NetworkBook }> {
  const directory = mkdtempSync(join(tmpdir(), "gam-engine-"));
  const engine = new FakeNetworks();
  const socketPath = join(directory, "engine.sock");
  const server = await FakeEngineServer.listen(socketPath);
  server.onAll(async (request, response) => {
    const body = JSON.parse((await textOf(request)) || "{}");
    const path = (request.url ?? "").replace(/\?.*$/, "");
    const [status, answer] = engine.answer(request.method ?? "", path, body);
    response.writeHead(status, { "content-type": "application/json" });
    response.end(answer === "" ? undefined : JSON.stringify(answer));
  });
  t.after(async () => {
    await server.close();
    rmSync(directory, { recursive: true });
  });
  return { engine, book: new NetworkBook(new EngineClient(socketPath)) };
}

function planOf(name: string, gateway = "10.0.5.2", mtu = "1450"): NetworkPlan {
  const options = {
    "com.docker.network.bridge.name": `gam-${name}`,
    "com.docker.network.driver.mtu": mtu,
  };
  return {
    network: name as NetworkId,
    name,
    gateway,
    body: {
      Driver: "bridge",
      Internal: false,
      Labels: { "gam.cluster": "c", "gam.network": name },
      IPAM: { Driver: "default", Config: [{ Subnet: "10.0.5.0/24", Gateway: gateway }] },
      Options: options,
    },
  };
}

const front = planOf("front");
const back = planOf("back");

test("a network book creates one network for two calls at once", async (t) => {
  const { engine, book } = await open(t);
  await Promise.all([book.ensure(front), book.reconcile([front, back]), book.ensure(back)]);
  assert.deepEqual(engine.names(), ["back", "front"]);
  assert.equal(await book.reconcile([front, back]), false);
  assert.equal(book.idOf(front.network), "id1");
});

test("a network book recreates a network that differs, once no container uses it", async (t) => {
  const { engine, book } = await open(t);
  await book.ensure(front);
  engine.used.add("id1");
  const moved = planOf("front", "10.0.5.3");
  await assert.rejects(book.reconcile([moved, back]), /network front: .*active endpoints/);
  assert.deepEqual(engine.names(), ["back", "front"]);
  engine.used.clear();
  assert.equal(await book.reconcile([moved, back]), true);
  assert.equal(book.idOf(front.network), "id3");
});

test("a network book accepts a network in use that differs only in packet size", async (t) => {
  const { engine, book } = await open(t);
  await book.ensure(front);
  engine.used.add("id1");
  const small = planOf("front", "10.0.5.2", "1370");
  await book.ensure(small);
  assert.equal(book.idOf(front.network), "id1");
  engine.used.clear();
  await book.ensure(small);
  assert.equal(book.idOf(front.network), "id2");
});

test("a network book prunes neither the data plane's networks nor those that are not gam's", async (t) => {
  const { engine, book } = await open(t);
  engine.networks.set("theirs", { Id: "theirs", Name: "theirs", Labels: {} });
  await book.reconcile([front, back]);
  await book.prune([]);
  assert.deepEqual(engine.names(), ["back", "front", "theirs"]);
  await book.reconcile([front]);
  assert.deepEqual(engine.names(), ["front", "theirs"]);
  engine.used.add("id1");
  assert.equal(await book.reconcile([]), false);
  await assert.rejects(book.prune([]), /active endpoints/);
  engine.used.clear();
  await book.prune([]);
  assert.deepEqual(engine.names(), ["theirs"]);
});

test("a network book keeps a task's network from an older plan", async (t) => {
  const { engine, book } = await open(t);
  await Promise.all([book.ensure(front), book.reconcile([back])]);
  assert.deepEqual(engine.names(), ["back", "front"]);
  await book.reconcile([front]);
  await book.reconcile([]);
  assert.deepEqual(engine.names(), ["front"]);
  await book.prune([]);
  assert.deepEqual(engine.names(), []);
});

test("a network book leaves a taken name to its owner", async (t) => {
  const { engine, book } = await open(t);
  engine.networks.set("theirs", { Id: "theirs", Name: "front", Labels: {} });
  await book.ensure(front);
  assert.deepEqual(engine.names(), ["front", "front.front"]);
});

test("sandboxes are those of containers in gam's networks, each inspected once", async (t) => {
  const { engine, book } = await open(t);
  await book.reconcile([planOf("front")]);
  const id = book.idOf("front" as NetworkId) ?? "";
  engine.containers.set("web", { [id]: "e1", theirs: "e2" });
  engine.containers.set("other", { theirs: "e3" });
  const place = { network: "front" as NetworkId, address: "10.0.5.0", mac: "02:42:0a:00:05:00" };
  const sandbox = (endpoint: string, isMixed: boolean): Sandbox => ({
    path: "/run/netns/web",
    endpoints: [{ endpoint, ...place }],
    resolver: { servers: ["192.0.2.53"], isChosen: true, asksHost: true, isMixed },
  });
  const web = sandbox("e1", true);
  assert.deepEqual(await book.sandboxes(), [web]);
  assert.deepEqual(await book.sandboxes(), [web]);
  assert.equal(engine.inspections, 1);
  engine.containers.set("web", { [id]: "e4" });
  assert.deepEqual(await book.sandboxes(), [sandbox("e4", false)]);
  engine.containers.clear();
  assert.deepEqual(await book.sandboxes(), []);
});
