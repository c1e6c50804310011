import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingMessage, request, type ServerResponse } from "node:http";
import { after, before, test } from "node:test";
import { Rig } from "../testing/rig.ts";

let rig: Rig;
let local: ServerResponse | undefined;

before(async () => {
  rig = await Rig.start(1);
  rig.engine.on("GET /events", (_call, answer) => {
    answer.writeHead(200, { "Content-Type": "application/json" });
    answer.flushHeaders();
    local = answer;
  });
});
after(() => rig.stop());

interface Told {
  readonly Type: string;
  readonly Action: string;
  readonly Actor: { readonly Attributes: object };
}

/** Reads the lines of a stream, one by one. */
async function open(
  path: string,
  on = rig,
): Promise<{ next: () => Promise<Told>; close: () => void }> {
  const call = request({ socketPath: on.socketPath, path: encodeURI(path), agent: false });
  call.end();
  const [response] = (await once(call, "response")) as [IncomingMessage];
  let held = "";
  const next = async (): Promise<Told> => {
    while (!held.includes("\n")) {
      const [chunk] = (await once(response, "data")) as [Buffer];
      held += chunk.toString();
    }
    const at = held.indexOf("\n");
    const line = held.slice(0, at);
    held = held.slice(at + 1);
    return JSON.parse(line) as Told;
  };
  return { next, close: () => response.destroy() };
}

async function create(name: string, replicas = 1): Promise<void> {
  await rig.call("POST", "/services/create", {
    Name: name,
    TaskTemplate: { ContainerSpec: { Image: "tiny:1" } },
    Mode: { Replicated: { Replicas: replicas } },
  });
}

test("the cluster's events and the engine's come in one stream, line by line", async () => {
  const { next, close } = await open("/v1.44/events");
  local?.write('{"Type":"container","Action":"st');
  await create("one");
  const told = await next();
  assert.deepEqual(
    [told.Type, told.Action, told.Actor.Attributes],
    ["service", "create", { name: "one" }],
  );
  local?.write('art"}\n');
  assert.equal((await next()).Action, "start");
  close();
});

test("updates show the changed attributes", async () => {
  await create("moved", 2);
  const { next, close } = await open(
    '/events?filters={"service":{"moved":true},"event":{"update":true}}',
  );
  const { body } = await rig.call("GET", "/services/moved");
  const spec = { ...body.Spec, Mode: { Replicated: { Replicas: 1 } } };
  spec.TaskTemplate.ContainerSpec.Image = "tiny:2";
  await rig.call("POST", `/services/moved/update?version=${body.Version.Index}`, spec);
  assert.deepEqual((await next()).Actor.Attributes, {
    name: "moved",
    "image.old": "tiny:1",
    "image.new": "tiny:2",
    "replicas.old": "2",
    "replicas.new": "1",
  });
  close();
});

test("clients that ask for past events get them, up to the requested time", async () => {
  const since = rig.door.nowMs / 1000 + 0.001;
  await rig.call("POST", "/networks/create", { Name: "past", Driver: "overlay" });
  rig.engine.on("GET /events", (_call, answer) => answer.writeHead(200).end());
  const until = rig.door.nowMs / 1000;
  const path = `/events?since=${since}&until=${until}&filters=${encodeURIComponent('{"type":["network"]}')}`;
  const { text } = await rig.call("GET", path);
  const lines = text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    lines.map(({ Type, Action, Actor, scope }) => [Type, Action, Actor.Attributes, scope]),
    [
      ["network", "create", { name: "past" }, "swarm"],
      // The network has got its subnet.
      ["network", "update", { name: "past" }, "swarm"],
    ],
  );
});

test("a refusal of the engine is passed on", async () => {
  rig.engine.on("GET /events", (_call, answer) => {
    answer.statusCode = 400;
    answer.end('{"message":"Invalid filter \'odd\'"}');
  });
  const { status, body } = await rig.call("GET", '/events?filters={"odd":{"1":true}}');
  assert.deepEqual([status, body.message], [400, "Invalid filter 'odd'"]);
});

test("events of other hosts' containers come on request, and name their host", async () => {
  const many = await Rig.start(2);
  const [host2] = many.far;
  assert.ok(host2);
  const streams: ServerResponse[] = [];
  let reopen = (): void => undefined;
  const reopened = new Promise<void>((resolve) => {
    reopen = resolve;
  });
  for (const engine of [many.engine, host2.engine]) {
    engine.on("GET /events", (_call, answer) => {
      answer.writeHead(200, { "Content-Type": "application/json" });
      answer.flushHeaders();
      streams.push(answer);
      if (streams.length === 3) reopen();
    });
  }
  try {
    const all = { "gam.hosts": ["all"], event: ["start"] };
    const { next, close } = await open(`/events?filters=${JSON.stringify(all)}`, many);
    assert.equal(streams.length, 2);
    const event = (name: string): string =>
      `${JSON.stringify({ Type: "container", Action: "start", Actor: { ID: name, Attributes: { name } } })}\n`;
    streams[0]?.write(event("one"));
    assert.deepEqual((await next()).Actor.Attributes, { name: "one", "gam.host": "host1" });
    streams[1]?.write(event("two"));
    assert.deepEqual((await next()).Actor.Attributes, { name: "two", "gam.host": "host2" });
    const asked = [many.engine, host2.engine].map(({ calls }) => {
      const { url = "" } = calls.findLast((call) => call.url.includes("/events")) ?? {};
      return JSON.parse(new URLSearchParams(url.split("?")[1]).get("filters") ?? "");
    });
    assert.deepEqual(asked, [{ event: ["start"] }, { event: ["start"], type: ["container"] }]);
    // The host is lost. When it answers again, its events go on after the last one.
    streams[1]?.write(`{"Type":"container","timeNano":1796078168000000123,"Actor":{}}\n`);
    await next();
    streams[1]?.destroy();
    const told = next();
    await reopened;
    streams[2]?.write(event("three"));
    assert.deepEqual((await told).Actor.Attributes, { name: "three", "gam.host": "host2" });
    const { url = "" } = host2.engine.calls.findLast((call) => call.url.includes("/events")) ?? {};
    const since = new URLSearchParams(url.split("?")[1]).get("since");
    assert.equal(since, "1796078168.000000124");
    close();
    const wrong = encodeURIComponent('{"gam.hosts":["host9"]}');
    assert.equal((await many.call("GET", `/events?filters=${wrong}`)).status, 400);
    const nodes = encodeURIComponent('{"gam.hosts":["host2"],"type":["node"]}');
    const { status, text } = await many.call("GET", `/events?until=1&filters=${nodes}`);
    assert.deepEqual([status, text], [200, ""]);
  } finally {
    await many.stop();
  }
});
