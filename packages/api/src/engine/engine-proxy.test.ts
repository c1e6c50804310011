import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingMessage, request, type ServerResponse } from "node:http";
import { connect, type Socket } from "node:net";
import { after, before, test } from "node:test";
import { json } from "@gam/engine/testing";
import { Rig } from "../testing/rig.ts";
import { standstill } from "../testing/standstill.ts";

let rig: Rig;

before(async () => {
  rig = await Rig.start(1);
});
after(() => rig.stop());

/** A call whose answer is read while it arrives. */
async function open(method: string, path: string): Promise<IncomingMessage> {
  const call = request({ socketPath: rig.socketPath, method, path, agent: false });
  call.end();
  const [response] = (await once(call, "response")) as [IncomingMessage];
  return response;
}

const last = (): string => rig.engine.calls.at(-1)?.url ?? "";

test("a call is passed on with its query, in a version that the engine knows", async () => {
  rig.engine.on("GET /images/json", (_call, answer) => json(answer, [{ Id: "c" }]));
  const cases = [
    ["/v1.44/images/json?all=1", "/v1.41/images/json?all=1"],
    ["/v1.30/images/json", "/v1.30/images/json"],
    ["/images/json", "/images/json"],
  ];
  for (const [path = "", want] of cases) {
    const { status, body } = await rig.call("GET", path);
    assert.deepEqual([status, body], [200, [{ Id: "c" }]]);
    assert.equal(last(), want);
  }
});

test("statuses, headers and texts of the engine come back as they are", async () => {
  rig.engine.on("DELETE /containers/x", (_call, answer) => {
    answer.writeHead(409, { "Content-Type": "application/json", "X-Odd": "kept" });
    answer.end('{"message":"busy"}\n');
  });
  const { status, headers, text } = await rig.call("DELETE", "/v1.41/containers/x");
  assert.deepEqual([status, text, headers["x-odd"]], [409, '{"message":"busy"}\n', "kept"]);
});

test("a POST without a body announces none", async () => {
  rig.engine.on("POST /containers/x/start", (_call, answer) => answer.writeHead(204).end());
  const socket = connect(rig.socketPath);
  socket.write("POST /v1.41/containers/x/start HTTP/1.1\r\nHost: docker\r\n\r\n");
  const [answer] = (await once(socket, "data")) as [Buffer];
  socket.destroy();
  assert.match(answer.toString(), /^HTTP\/1.1 204 /);
  const headers = rig.engine.calls.at(-1)?.headers ?? {};
  assert.deepEqual([headers["content-length"], headers["transfer-encoding"]], ["0", undefined]);
});

test("bodies of any size go both ways unchanged", async () => {
  rig.engine.on("POST /images/load", (call, answer) => {
    answer.setHeader("Content-Type", "text/plain");
    call.pipe(answer);
  });
  const sent = "0123456789abcdef".repeat(1024 * 512);
  const { text } = await rig.call("POST", "/images/load", sent);
  assert.equal(text.length, sent.length);
  assert.ok(text === sent);
});

test("headers of a long answer leave before its body", async () => {
  let held: ServerResponse | undefined;
  rig.engine.on("POST /containers/x/wait", (_call, answer) => {
    answer.writeHead(200, { "Content-Type": "application/json" });
    answer.flushHeaders();
    held = answer;
  });
  const response = await open("POST", "/v1.41/containers/x/wait");
  assert.equal(response.statusCode, 200);
  held?.end('{"StatusCode":0}');
  const [body] = (await once(response, "data")) as [Buffer];
  assert.equal(body.toString(), '{"StatusCode":0}');
});

test("a client that hangs up ends the engine's side", async () => {
  const closed = new Promise<void>((settle) => {
    rig.engine.on("GET /containers/x/stats", (_call, answer) => {
      answer.on("close", settle);
      answer.write("{}\n");
    });
  });
  const response = await open("GET", "/containers/x/stats");
  response.destroy();
  await closed;
});

test("a client that hangs up before the engine has answered ends the engine's side, too", async () => {
  let arrived: (() => void) | undefined;
  const waiting = new Promise<void>((settle) => {
    arrived = settle;
  });
  const closed = new Promise<void>((settle) => {
    rig.engine.on("GET /containers/x/attach/ws", (_call, answer) => {
      answer.on("close", settle);
      arrived?.();
    });
  });
  const call = request({ socketPath: rig.socketPath, path: "/containers/x/attach/ws" });
  call.on("error", () => undefined);
  call.end();
  await waiting;
  call.destroy();
  await closed;
});

test("an engine that hangs up cuts the client's answer instead of ending it", async () => {
  rig.engine.on("GET /containers/x/export", (call, answer) => {
    answer.write("half");
    setImmediate(() => call.socket.destroy());
  });
  const response = await open("GET", "/containers/x/export");
  response.resume();
  await assert.rejects(once(response, "end"), { code: "ECONNRESET" });
});

test("a client that does not read holds the engine back", async () => {
  let written = 0;
  const chunk = Buffer.alloc(64 * 1024);
  const full = new Promise<void>((settle) => {
    rig.engine.on("GET /images/get", (_call, answer) => {
      while (answer.write(chunk)) written += chunk.length;
      const more = (): void => {
        // Endless, as long as the client reads it.
        while (written < 256 * 1024 * 1024 && answer.write(chunk)) written += chunk.length;
      };
      answer.on("drain", more);
      settle();
    });
  });
  const response = await open("GET", "/images/get");
  await full;
  await standstill(() => written);
  response.destroy();
  assert.ok(written < 32 * 1024 * 1024, `${written} bytes in flight`);
});

async function upgrade(path: string, body: string): Promise<{ socket: Socket; head: string }> {
  const socket = connect({ path: rig.socketPath, allowHalfOpen: true });
  socket.write(
    `POST ${path} HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  let head = "";
  while (!head.includes("\r\n\r\n")) {
    const [chunk] = (await once(socket, "data")) as [Buffer];
    head += chunk.toString("latin1");
  }
  return { socket, head };
}

test("an upgraded connection carries bytes both ways until each half ends", async () => {
  let body = "";
  rig.engine.upgrade = (_call, socket, head) => {
    socket.write(
      "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n",
    );
    // A fake of `wc -c`: it answers only after its input has ended. The JSON body comes first.
    let bytes = -'{"Tty":false}'.length;
    const take = (chunk: Buffer): void => {
      if (body.length < 13) body += chunk.toString("latin1").slice(0, 13 - body.length);
      bytes += chunk.length;
    };
    take(head);
    socket.on("data", take);
    socket.on("end", () => socket.end(`${bytes}\n`));
  };
  const { socket, head } = await upgrade("/v1.44/exec/e/start", '{"Tty":false}');
  assert.match(head, /^HTTP\/1.1 101 UPGRADED\r\n/);
  assert.match(head, /\r\nConnection: Upgrade\r\n/);
  assert.match(head, /\r\nUpgrade: tcp\r\n/i);
  socket.end(Buffer.alloc(300_000, "x"));
  let out = "";
  socket.on("data", (chunk: Buffer) => {
    out += chunk.toString();
  });
  await once(socket, "end");
  assert.deepEqual([body, out], ['{"Tty":false}', "300000\n"]);
  assert.equal(last(), "/v1.41/exec/e/start");
});

test("a client's input goes on after the engine's output has ended", async () => {
  const heard = new Promise<string>((settle) => {
    rig.engine.upgrade = (_call, socket) => {
      let input = "";
      socket.on("data", (chunk: Buffer) => {
        input += chunk.toString();
      });
      socket.on("end", () => settle(input));
      socket.end("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
    };
  });
  const { socket } = await upgrade("/containers/x/attach", "");
  await once(socket, "end");
  socket.end("late");
  assert.equal(await heard, "late");
});

test("a refused upgrade is an answer, and the connection ends with it", async () => {
  rig.engine.upgrade = (_call, socket) => {
    socket.end(
      'HTTP/1.1 409 Conflict\r\nContent-Type: application/json\r\nContent-Length: 17\r\n\r\n{"message":"not"}',
    );
  };
  const { socket, head } = await upgrade("/exec/e/start", "{}");
  let rest = head;
  socket.on("data", (chunk: Buffer) => {
    rest += chunk.toString();
  });
  await once(socket, "end");
  socket.destroy();
  assert.match(rest, /^HTTP\/1.1 409 Conflict\r\n/);
  assert.match(rest, /\r\nConnection: close\r\n/);
  assert.ok(rest.endsWith('{"message":"not"}'));
});

test("without an engine, calls for it are refused at once and other calls work", async () => {
  const alone = await Rig.start(1);
  try {
    await alone.engine.close();
    const { status, body } = await alone.call("GET", "/v1.44/containers/json");
    assert.equal(status, 503);
    assert.match(body.message, /^Cannot reach the Docker engine at .*docker\.sock: connect ENOENT/);
    assert.equal((await alone.call("GET", "/nodes")).status, 200);
    const networks = (await alone.call("GET", "/networks")).body;
    assert.deepEqual(
      networks.map(({ Name }: { Name: string }) => Name),
      ["ingress"],
    );
    const info = (await alone.call("GET", "/info")).body;
    assert.equal(info.Swarm.LocalNodeState, "active");
    assert.equal((await alone.call("GET", "/version")).body.ApiVersion, "1.44");
    assert.equal((await alone.call("HEAD", "/_ping")).headers["api-version"], "1.44");
  } finally {
    await alone.stop();
  }
});

test("the engine's networks and the cluster's are one list, without the bridges gam made", async () => {
  rig.engine.on("GET /networks", (_call, answer) =>
    json(answer, [
      { Name: "bridge", Id: "1".repeat(64), Labels: {} },
      { Name: "ov", Id: "2".repeat(64), Labels: { "gam.network": "x" } },
    ]),
  );
  await rig.call("POST", "/networks/create", { Name: "ov", Driver: "overlay" });
  const { body } = await rig.call("GET", "/v1.44/networks");
  const names = body.map((one: { Name: string; Scope?: string }) => [one.Name, one.Scope]);
  assert.deepEqual(names, [
    ["ingress", "swarm"],
    ["ov", "swarm"],
    ["bridge", undefined],
  ]);
  rig.engine.on("POST /networks/create", (call, answer) => {
    answer.setHeader("Content-Type", "application/json");
    call.pipe(answer);
  });
  const local = { Name: "mine", Driver: "bridge", Labels: { a: "b" } };
  assert.deepEqual((await rig.call("POST", "/networks/create", local)).body, local);
  rig.engine.on("POST /networks/prune", (_call, answer) => json(answer, {}));
  await rig.call("POST", '/v1.44/networks/prune?filters={"until":{"1h":true}}');
  assert.equal(
    decodeURIComponent(last()),
    '/v1.41/networks/prune?filters={"until":{"1h":true},"label!":{"gam.network":true}}',
  );
});
