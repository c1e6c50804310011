import assert from "node:assert/strict";
import { once } from "node:events";
import { type ClientRequest, createServer, type IncomingMessage, request } from "node:http";
import type { Duplex } from "node:stream";
import { buffer, text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import type { ClusterDoor } from "@gam/api";
import type { NodeId } from "@gam/core";
import { guard, init, joinAt, running } from "../testing/running-agent.ts";

/** An engine that says its name. Upgraded connections are an echo. */
async function engineAt(t: TestContext, path: string, name: string): Promise<void> {
  const server = createServer((_call, answer) => answer.end(name));
  server.on("upgrade", (_call, socket, head) => {
    socket.write("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
    socket.write(head);
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  t.after(() => void server.close());
}

test("managers reach the containers of every host, and workers of none", guard, async (t) => {
  const [a, b, c] = [await running(t), await running(t), await running(t)];
  await a.door.init(init);
  await joinAt(b.door, a.door.tokens().manager);
  await joinAt(c.door, a.door.tokens().worker);
  await engineAt(t, b.agent.config.engine, "b");
  await engineAt(t, c.agent.config.engine, "c");
  const open = async (at: ClusterDoor, node: NodeId, more: object): Promise<ClientRequest> => {
    const stream = await at.containersOf(node);
    return request({ createConnection: () => stream, ...more });
  };
  for (const [node, name] of [
    [b.door.self, "b"],
    [c.door.self, "c"],
  ] as const) {
    const call = await open(a.door, node, { path: "/containers/x/json" });
    call.end();
    const [response] = (await once(call, "response")) as [IncomingMessage];
    assert.equal(await text(response), name);
  }
  const headers = { Connection: "Upgrade", Upgrade: "tcp" };
  const path = "/exec/x/start";
  const call = await open(a.door, b.door.self, { method: "POST", path, headers });
  call.end();
  const [, socket] = (await once(call, "upgrade")) as [IncomingMessage, Duplex];
  const sent = Buffer.alloc(1_000_000, "echo");
  socket.end(sent);
  assert.ok((await buffer(socket)).equals(sent));
  await assert.rejects(buffer(await c.door.containersOf(b.door.self)), { code: "REFUSED" });
});
