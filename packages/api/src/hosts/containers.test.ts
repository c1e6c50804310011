import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { connect, type Socket } from "node:net";
import { after, before, beforeEach, test } from "node:test";
import { GamError } from "@gam/core";
import { type FakeEngineServer, json } from "@gam/engine/testing";
import type { Task } from "@gam/state";
import { type FarHost, Rig } from "../testing/rig.ts";
import { standstill } from "../testing/standstill.ts";

let rig: Rig;
let [host2, host3]: FarHost[] = [];

before(async () => {
  rig = await Rig.start(3);
  [host2, host3] = rig.far;
});
after(() => rig.stop());

const far = (host: FarHost | undefined): FarHost => {
  assert.ok(host);
  return host;
};

/** The containers of an engine, which answers like the real one. */
class Held {
  readonly containers: { readonly id: string; readonly name: string }[] = [];
  readonly #engine: FakeEngineServer;

  constructor(engine: FakeEngineServer) {
    this.#engine = engine;
    engine.calls.length = 0;
    engine.onAll((call, answer) => {
      const path = (call.url ?? "").replace(/^\/v[\d.]+/, "").split("?")[0] ?? "";
      if (path === "/_ping") return answer.setHeader("Api-Version", "1.41").end();
      const [, kind, ref = "", operation = ""] = path.split("/");
      if (kind === "exec") {
        answer.statusCode = this.execs.has(ref) ? 200 : 404;
        return json(answer, { ID: ref, message: `No such exec instance: ${ref}` });
      }
      const found = this.#find(ref);
      if (found.length !== 1) {
        answer.statusCode = found.length > 1 ? 500 : 404;
        const message = found.length > 1 ? `multiple IDs found with provided prefix: ${ref}` : "";
        return json(answer, { message: message || `No such container: ${ref}` });
      }
      const [{ id, name } = { id: "", name: "" }] = found;
      if (operation === "exec") {
        const Id = `${this.execs.size}`.padStart(64, "e");
        this.execs.add(Id);
        answer.statusCode = 201;
        return json(answer, { Id });
      }
      json(answer, { Id: id, Name: `/${name}`, operation });
    });
  }

  readonly execs = new Set<string>();

  add(id: string, name: string): string {
    const whole = id.padEnd(64, "0");
    this.containers.push({ id: whole, name });
    return whole;
  }

  /** Method and path of each call since the last look, without those that only search. */
  calls(): string[] {
    const calls = this.#engine.calls.filter(({ url }) => !url.endsWith("/_ping"));
    this.#engine.calls.length = 0;
    return calls.map(({ method, url }) => `${method} ${url}`);
  }

  #find(ref: string): readonly { readonly id: string; readonly name: string }[] {
    const whole = this.containers.filter(({ id, name }) => id === ref || name === ref);
    return whole.length > 0 ? whole : this.containers.filter(({ id }) => id.startsWith(ref));
  }
}

let here: Held;
let two: Held;
let three: Held;

beforeEach(() => {
  here = new Held(rig.engine);
  two = new Held(far(host2).engine);
  three = new Held(far(host3).engine);
  for (const { id, server } of rig.far) {
    rig.door.hosts.set(id, (stream) => server.accept(stream));
  }
});

async function service(name: string): Promise<readonly Task[]> {
  const { body } = await rig.call("POST", "/services/create", {
    Name: name,
    TaskTemplate: { ContainerSpec: { Image: "tiny:1" } },
    Mode: { Global: {} },
  });
  return rig.door.store.tasksOf(body.ID);
}

const silence = ({ id }: FarHost): void => {
  rig.door.hosts.set(id, () => undefined);
};

test("a container of this host wins, and no other host is asked", async () => {
  here.add("ab1", "web");
  two.add("ab2", "web");
  for (const ref of ["web", "ab1"]) {
    const { body } = await rig.call("POST", `/v1.41/containers/${ref}/stop?t=1`);
    assert.equal(body.operation, "stop");
    assert.ok(here.calls().includes(`POST /v1.41/containers/${ref}/stop?t=1`));
  }
  assert.deepEqual([...two.calls(), ...three.calls()], []);
});

test("a plain container of another host is found by name, id and beginning of its id", async () => {
  const id = three.add("cd3", "db");
  for (const ref of ["db", "cd", id]) {
    const { status, body } = await rig.call("GET", `/v1.44/containers/${ref}/top?ps_args=aux`);
    assert.deepEqual([status, body.operation], [200, "top"]);
    // In the API version of the engine that has it.
    assert.ok(three.calls().includes(`GET /v1.41/containers/${id}/top?ps_args=aux`));
  }
  // The host of an id that was used before is known.
  two.calls();
  await rig.call("GET", `/containers/${id}/json`);
  assert.deepEqual([here.calls().length > 0, two.calls()], [true, []]);
});

test("a task's container is found by the state, even while its name means nothing to engines", async () => {
  const tasks = await service("shop");
  const task = tasks.find(({ NodeID }) => NodeID === far(host2).id);
  const container = task?.Status.ContainerStatus?.ContainerID ?? "";
  two.add(container, "shop");
  const names = [`shop.${task?.NodeID}.${task?.ID}`, `shop.${task?.NodeID}`, container];
  for (const name of names) {
    const { body } = await rig.call("GET", `/containers/${name}/changes`);
    assert.deepEqual([body.Id, body.operation], [container, "changes"], name);
  }
  assert.deepEqual(three.calls(), []);
});

test("a container of a host that is named", async () => {
  two.add("aa", "web");
  three.add("bb", "web");
  const both = await rig.call("GET", "/containers/web/json");
  assert.equal(both.status, 400);
  assert.equal(
    both.body.message,
    "multiple containers are named web: host2/web aa0000000000, host3/web bb0000000000. Use HOST/NAME or an id",
  );
  const { body } = await rig.call("GET", "/containers/host3/web/json");
  assert.match(body.Id, /^bb/);
  const none = await rig.call("GET", "/containers/host9/web/json");
  assert.deepEqual(
    [none.status, none.body.message],
    [404, "No such container: host9/web (no node is called host9)"],
  );
});

test("a beginning of several ids is ambiguous, across hosts and on one of them", async () => {
  two.add("ab1", "x");
  three.add("ab2", "y");
  const across = await rig.call("GET", "/containers/ab/json");
  assert.equal(across.status, 400);
  assert.match(across.body.message, /^multiple IDs found with provided prefix: ab \(host2\/x ab1/);
  three.add("ab3", "z");
  const within = await rig.call("GET", "/containers/ab/json");
  assert.equal(within.status, 400);
  assert.match(within.body.message, /^multiple IDs found with provided prefix: ab/);
});

test("what no host has is refused in the engine's words, or with the hosts that do not answer", async () => {
  const nowhere = await rig.call("GET", "/containers/nope/json");
  assert.deepEqual([nowhere.status, nowhere.body.message], [404, "No such container: nope"]);
  rig.door.hosts.delete(far(host3).id);
  const { status, body } = await rig.call("GET", "/containers/nope/json");
  assert.deepEqual(
    [status, body.message],
    [404, "No such container: nope (host3 does not answer)"],
  );
  const exec = await rig.call("GET", "/exec/ffff/json");
  assert.deepEqual(
    [exec.status, exec.body.message],
    [404, "No such exec instance: ffff (host3 does not answer)"],
  );
});

test("a host that hangs is named after a short time, and hides no container of the others", async () => {
  silence(far(host3));
  two.add("ab1", "web");
  const [nope, web] = await Promise.all([
    rig.call("GET", "/containers/nope/json"),
    rig.call("GET", "/containers/web/json"),
  ]);
  assert.equal(nope.body.message, "No such container: nope (host3 does not answer)");
  assert.match(web.body.Id, /^ab1/);
});

test("a host that refuses the connection counts as one that does not answer", async () => {
  rig.door.hosts.set(far(host3).id, (stream) => {
    stream.destroy(new GamError("REFUSED", "Cannot ask"));
  });
  const { body } = await rig.call("GET", "/containers/nope/json");
  assert.equal(body.message, "No such container: nope (host3 does not answer)");
});

test("a task's container on a host that does not answer is an error that names the host", async () => {
  const tasks = await service("lost");
  const task = tasks.find(({ NodeID }) => NodeID === far(host3).id);
  rig.door.hosts.delete(far(host3).id);
  const id = task?.Status.ContainerStatus?.ContainerID ?? "";
  for (const ref of [id, id.slice(0, 60)]) {
    const { status, body } = await rig.call("POST", `/containers/${ref}/exec`, {});
    assert.equal(status, 503);
    assert.equal(
      body.message,
      "Cannot reach the containers of host3: it is not connected",
      JSON.stringify(ref),
    );
  }
});

test("removal and rename on another host need an id or the host", async () => {
  const id = two.add("ab1", "web");
  for (const [method, path] of [
    ["DELETE", "/containers/web?force=1"],
    ["POST", "/containers/web/rename?name=x"],
  ] as const) {
    const { status, body } = await rig.call(method, path);
    assert.deepEqual(
      [status, body.message],
      [404, `No such container: web. host2 has one, use host2/web or its id ${id.slice(0, 12)}`],
    );
    assert.deepEqual(
      two.calls().filter((call) => !call.startsWith("GET")),
      [],
    );
    const [known, named] = [path.replace("web", id), path.replace("web", "host2/web")];
    for (const one of [known, named]) assert.equal((await rig.call(method, one)).status, 200);
    assert.equal(two.calls().filter((call) => call.startsWith(method)).length, 2);
  }
});

test("an exec is found again, whichever host made it", async () => {
  two.add("ab1", "web");
  const { status, body } = await rig.call("POST", "/containers/web/exec", { Cmd: ["true"] });
  assert.equal(status, 201);
  here.calls();
  three.calls();
  two.calls();
  await rig.call("GET", `/exec/${body.Id}/json`);
  await rig.call("POST", `/exec/${body.Id}/resize?h=1&w=2`);
  assert.deepEqual([...here.calls(), ...three.calls()], []);
  assert.deepEqual(two.calls(), [
    `GET /exec/${body.Id}/json`,
    `POST /exec/${body.Id}/resize?h=1&w=2`,
  ]);
  // Another peer made this one.
  const other = "f".repeat(64);
  three.execs.add(other);
  assert.equal((await rig.call("GET", `/exec/${other}/json`)).status, 200);
});

test("a worker's socket reaches only its own containers", async () => {
  two.add("ab1", "web");
  const node = rig.door.store.node(rig.door.self);
  assert.ok(node);
  const role = (Role: "worker" | "manager"): void => {
    const stored = rig.door.store.node(rig.door.self);
    assert.ok(stored);
    const spec = { ...stored.Spec, Role };
    const basedOn = stored.Version.Index;
    rig.door.apply([{ kind: "updateNode", id: stored.ID, spec, basedOn }]);
  };
  role("worker");
  try {
    assert.equal((await rig.call("GET", "/containers/web/json")).status, 404);
    assert.deepEqual(two.calls(), []);
    const list = await rig.call("GET", `/containers/json?filters=${everywhere}`);
    assert.equal(list.status, 503);
  } finally {
    role("manager");
  }
});

const everywhere = encodeURIComponent('{"gam.hosts":{"all":true}}');

test("the list of all hosts names the host of each container, and who is missing", async () => {
  const row = (Id: string, name: string, Created: number): object => ({
    Id,
    Names: [`/${name}`],
    Created,
    Labels: { a: "b" },
  });
  const lists = [[row("h1", "web", 5)], [row("h2", "web", 9)], [row("h3", "db", 7)]];
  const engines = [rig.engine, far(host2).engine, far(host3).engine];
  for (const [at, engine] of engines.entries()) {
    engine.onAll((_call, answer) => json(answer, lists[at]));
  }
  const filters = encodeURIComponent('{"gam.hosts":{"all":true},"label":{"a=b":true}}');
  const { headers, body } = await rig.call(
    "GET",
    `/v1.41/containers/json?all=1&filters=${filters}`,
  );
  assert.deepEqual(
    body.map(({ Id, Names, Labels }: Record<string, object>) => [Id, Names, Labels]),
    [
      ["h2", ["/host2/web"], { a: "b", "gam.host": "host2" }],
      ["h3", ["/host3/db"], { a: "b", "gam.host": "host3" }],
      ["h1", ["/host1/web"], { a: "b", "gam.host": "host1" }],
    ],
  );
  assert.equal(headers.warning, undefined);
  for (const { calls } of engines) {
    const asked = new URLSearchParams(calls.at(-1)?.url.split("?")[1]);
    assert.deepEqual([asked.get("all"), asked.get("filters")], ["1", '{"label":{"a=b":true}}']);
  }
  rig.door.hosts.delete(far(host3).id);
  const few = await rig.call("GET", `/containers/json?limit=1&filters=${everywhere}`);
  assert.deepEqual(
    [few.body.length, few.headers.warning],
    [1, '199 gam "(host3 does not answer)"'],
  );
  const one = encodeURIComponent('{"gam.hosts":["host1"]}');
  assert.equal((await rig.call("GET", `/containers/json?filters=${one}`)).body.length, 1);
  const wrong = encodeURIComponent('{"gam.hosts":["host9"]}');
  const refused = await rig.call("GET", `/containers/json?filters=${wrong}`);
  assert.equal(refused.status, 400);
  assert.match(refused.body.message, /^Invalid filter 'gam.hosts=host9': no such host/);
});

test("a host refuses other hosts' calls about anything but containers", async () => {
  const stream = await rig.door.containersOf(far(host2).id);
  const call = request({
    method: "POST",
    path: "/images/create?x=1",
    createConnection: () => stream,
  });
  call.end("body");
  const [response] = (await once(call, "response")) as [IncomingMessage];
  assert.equal(response.statusCode, 403);
  assert.deepEqual(two.calls(), []);
  call.destroy();
});

/** Starts a call over an upgraded connection. */
async function upgrade(path: string, body: string): Promise<Socket> {
  const socket = connect({ path: rig.socketPath, allowHalfOpen: true });
  const lines = [
    `POST ${path} HTTP/1.1`,
    "Host: docker",
    "Connection: Upgrade",
    "Upgrade: tcp",
    `Content-Length: ${body.length}`,
  ];
  socket.write(`${lines.join("\r\n")}\r\n\r\n${body}`);
  let head = "";
  while (!head.includes("\r\n\r\n")) head += String((await once(socket, "data"))[0]);
  assert.match(head, /^HTTP\/1.1 101 /);
  return socket;
}

const upgraded = "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";

test("an exec on another host carries bytes both ways, and each half ends by itself", async () => {
  const id = "a".repeat(64);
  two.execs.add(id);
  far(host2).engine.upgrade = (_call, socket, head) => {
    socket.write(upgraded);
    let bytes = head.length;
    socket.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
    });
    socket.on("end", () => socket.end(`${bytes}\n`));
  };
  const body = '{"Detach":false,"Tty":false}';
  const socket = await upgrade(`/v1.44/exec/${id}/start`, body);
  socket.end(Buffer.alloc(3_000_000, "x"));
  let out = "";
  socket.on("data", (chunk: Buffer) => {
    out += chunk.toString();
  });
  await once(socket, "end");
  assert.equal(out, `${3_000_000 + body.length}\n`);
  assert.ok(two.calls().includes(`POST /v1.41/exec/${id}/start`));
});

test("an exec ends on both sides when the client is gone, and when the host is lost", async () => {
  const id = "b".repeat(64);
  two.execs.add(id);
  let engineEnded: Promise<unknown> = Promise.resolve();
  far(host2).engine.upgrade = (_call, socket) => {
    socket.write(upgraded);
    socket.on("error", () => undefined);
    engineEnded = new Promise((settle) => socket.once("close", settle));
    socket.resume();
    // Fails as soon as nobody can read, which the end of the input alone does not say.
    const probe = setInterval(() => socket.write(Buffer.alloc(0)), 10);
    socket.on("close", () => clearInterval(probe));
  };
  const client = await upgrade(`/exec/${id}/start`, "{}");
  client.destroy();
  await engineEnded;

  const cable: (() => void)[] = [];
  rig.door.hosts.set(far(host2).id, (stream) => {
    cable.push(() => stream.destroy());
    far(host2).server.accept(stream);
  });
  const again = await upgrade(`/exec/${id}/start`, "{}");
  again.resume();
  for (const pull of cable) pull();
  await once(again, "end");
  await engineEnded;
});

test("bytes go to another host and back unchanged, and wait for a slow reader", async () => {
  const id = two.add("ab1", "web");
  const chunk = Buffer.alloc(64 * 1024, "y");
  let written = 0;
  far(host2).engine.onAll((call, answer) => {
    if (call.method === "PUT") return void call.pipe(answer);
    if (!call.url?.includes("/export")) return json(answer, { Id: id, Name: "/web" });
    const more = (): void => {
      let takes = true;
      while (takes && written < 256 * 1024 * 1024) {
        takes = answer.write(chunk);
        written += chunk.length;
      }
    };
    answer.on("drain", more);
    more();
  });
  const sent = "0123456789abcdef".repeat(256 * 1024);
  const { text } = await rig.call("PUT", "/containers/web/archive?path=/", sent);
  assert.ok(text === sent);

  const call = request({
    socketPath: rig.socketPath,
    path: "/containers/web/export",
    agent: false,
  });
  call.end();
  const [response] = (await once(call, "response")) as [IncomingMessage];
  await standstill(() => written);
  assert.ok(written > 0 && written < 32 * 1024 * 1024, `${written} bytes in flight`);
  response.destroy();
});

test("a broken answer of another host does not look whole", async () => {
  const id = two.add("ab1", "web");
  far(host2).engine.onAll((call, answer) => {
    if (!call.url?.includes("/export")) return json(answer, { Id: id, Name: "/web" });
    answer.write("half");
    setImmediate(() => call.socket.destroy());
  });
  const call = request({
    socketPath: rig.socketPath,
    path: "/containers/web/export",
    agent: false,
  });
  call.end();
  const [response] = (await once(call, "response")) as [IncomingMessage];
  response.resume();
  await assert.rejects(once(response, "end"), { code: "ECONNRESET" });
});
