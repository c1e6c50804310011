import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { json } from "@gam/engine/testing";
import { Rig } from "../testing/rig.ts";
import { isClusterPath, mayUpgrade } from "./engine-path.ts";

let rig: Rig;

before(async () => {
  rig = await Rig.start(1);
  rig.engine.upgrade = (_call, socket) => {
    socket.end("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nengine");
  };
});
after(() => rig.stop());

const asked = ["Connection: Upgrade", "Upgrade: tcp"];

/** Returns: one answer to this head and body; everything that comes with it if the connection ends. */
async function say(head: readonly string[], body = ""): Promise<string> {
  const socket = connect(rig.socketPath);
  socket.on("error", () => undefined);
  socket.write(
    `${head.join("\r\n")}\r\nHost: docker\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  let said = "";
  socket.on("data", (chunk: Buffer) => {
    said += chunk.toString("latin1");
    if (isWhole(said)) socket.destroy();
  });
  await once(socket, "close");
  return said;
}

function isWhole(said: string): boolean {
  const [head = "", ...rest] = said.split("\r\n\r\n");
  if (/\r\ntransfer-encoding: chunked/i.test(head)) return said.endsWith("\r\n0\r\n\r\n");
  const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
  return length !== undefined && rest.join("\r\n\r\n").length >= Number(length);
}

const reached = (): string[] =>
  rig.engine.calls
    .filter(({ url }) => !/^(\/v[\d.]+)?\/(_ping|info|version|networks)/.test(url))
    .map(({ method, url }) => `${method} ${url}`);

const allowed = [
  "POST /containers/x/attach?stream=1&stdin=1",
  "POST /v1.44/containers/my_app.1/attach",
  "GET /v1.41/containers/x/attach/ws?logs=1",
  "POST /exec/0abc/start",
  "POST /session",
  "POST /v1.44/grpc",
];
for (const call of allowed) {
  test(`${call} may become the engine's connection`, async () => {
    const [method, url] = call.split(" ");
    assert.equal(mayUpgrade(method, url), true);
    assert.match(await say([`${call} HTTP/1.1`, ...asked]), /^HTTP\/1.1 101 .*engine$/s);
  });
}

const wishes = [
  asked,
  ["connection: UPGRADE", "upgrade: TCP"],
  ["Connection: keep-alive, Upgrade", "Upgrade: h2c"],
  ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"],
  ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="],
];
for (const wish of wishes) {
  test(`an upgrade request like "${wish.join("; ")}" is ignored where it is not allowed`, async () => {
    const before = reached().length;
    const init = await say(["POST /swarm/init HTTP/1.1", ...wish], '{"ListenAddr":"0.0.0.0:2377"}');
    assert.match(init, /^HTTP\/1.1 503 .*This node is already part of a swarm/s);
    const nodes = await say(["GET /v1.44/nodes HTTP/1.1", ...wish]);
    assert.match(nodes, /^HTTP\/1.1 200 .*host1/s);
    assert.equal(reached().length, before);
  });
}

test("calls for the engine with an ignored upgrade request are answered as usual", async () => {
  rig.engine.on("POST /images/load", (call, answer) => void call.pipe(answer));
  const body = "x".repeat(200_000);
  const said = await say(
    ["POST /images/load HTTP/1.1", "Connection: Upgrade", "Upgrade: h2c"],
    body,
  );
  assert.match(said, /^HTTP\/1.1 200 /);
  assert.equal((said.match(/x/g) ?? []).length, body.length);
});

test("one connection may repeat ignored upgrade requests", async () => {
  const one = "GET /nodes HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
  const socket = connect(rig.socketPath);
  let said = "";
  socket.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  for (let turn = 1; turn <= 12; turn += 1) {
    socket.write(one);
    while (said.split("HTTP/1.1 200 OK").length <= turn) await once(socket, "data");
  }
  socket.destroy();
});

/** Spellings of `POST /swarm/init`. */
const spellings = [
  "/swarm/init",
  "/v1.44/swarm/init",
  "//swarm/init",
  "/v1.44//swarm/init",
  "/./swarm/init",
  "/containers/../swarm/init",
  "/containers/x/attach/../../../swarm/init",
  "/containers/..%2f..%2fswarm%2finit%3f/attach",
  "/containers/%2e%2e%2f%2e%2e%2fswarm/init",
  "/%73warm/init",
  "/%2573warm/init",
  "/swarm%2finit",
  "/Swarm/init",
  "/SWARM/INIT",
  "/swarm/init/",
  "/swarm;x/init",
  "/v1/swarm/init",
  "/v1.44.0/swarm/init",
  "/v1.44./swarm/init",
  "/v1.44/v1.44/swarm/init",
  "/%76%31.44/swarm/init",
  "http://docker/swarm/init",
  "http://docker/v1.44/swarm/init",
  "HTTP://docker//swarm/init",
  "/swarm/init?/containers/x/attach",
  "/swarm/init#/containers/x/attach",
  "\\swarm\\init",
  "/containers/x/attach\\..\\..\\..\\swarm\\init",
];
for (const url of spellings) {
  test(`the engine never gets POST ${url}, upgraded or not`, async () => {
    assert.equal(isClusterPath(url), true);
    assert.equal(mayUpgrade("POST", url), false);
    const before = reached().length;
    for (const wish of [[], asked]) {
      const said = await say([`POST ${url} HTTP/1.1`, ...wish], "{}");
      assert.doesNotMatch(said, /^HTTP\/1.1 [123]/);
    }
    assert.equal(reached().length, before, reached().at(-1));
  });
}

const others = [
  ["POST", "/containers/x/attach/"],
  ["GET", "/containers/x/attach"],
  ["POST", "/containers//attach"],
  ["POST", "/containers/../attach"],
  ["POST", "/containers/x/exec"],
  ["POST", "/containers/x%2f..%2fy/attach"],
  ["POST", "/exec/x/start/../../../images/prune"],
  ["GET", "/session"],
  ["POST", "/session/x"],
  ["POST", "http://docker/session"],
  ["PUT", "/grpc"],
  [undefined, undefined],
] as const;
for (const [method, url] of others) {
  test(`${method} ${url} keeps its connection`, () => assert.equal(mayUpgrade(method, url), false));
}

test("the engine's own calls are not about a Swarm", () => {
  for (const url of ["/containers/nodes/json", "/images/swarm/init/json", "/networks", "/", "*"]) {
    assert.equal(isClusterPath(url), false, url);
  }
});

test("a left-over upgrade header does not upgrade the engine's side", async () => {
  rig.engine.on("POST /containers/y/attach", (call, answer) =>
    json(answer, call.headers.upgrade ?? "none"),
  );
  const said = await say(["POST /containers/y/attach HTTP/1.1", "Upgrade: tcp"]);
  assert.match(said, /"none"/);
});

test("a connection with an ignored upgrade request does not delay the server's close", async () => {
  const own = await Rig.start(1);
  const socket = connect(own.socketPath);
  socket.write("GET /nodes HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
  await once(socket, "data");
  const closed = once(socket, "close");
  await own.stop();
  await closed;
});
