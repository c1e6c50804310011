import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { openConnections } from "./open-connections.ts";

/** A loopback address that nothing else of this machine uses. */
const own = "127.71.5.9";
/** Only ends a test that would never end. */
const patienceMs = 20_000;

async function listen(t: TestContext, host: string): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }).listen(0, host);
  await once(server, "listening");
  t.after(() => server.close());
  return server;
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

/** Both ends of a connection. */
async function meet(t: TestContext, server: Server): Promise<[client: Socket, served: Socket]> {
  const client = connect({ host: own, port: portOf(server), localAddress: "127.0.0.1" });
  const [[served]] = (await Promise.all([once(server, "connection"), once(client, "connect")])) as [
    [Socket],
    unknown,
  ];
  t.after(() => {
    client.destroy();
    served.destroy();
  });
  return [client, served];
}

/** The kernel answers a moment after the program's call. */
async function until(want: number): Promise<void> {
  while ((await openConnections(process.pid, [own])) !== want) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

for (const host of [own, "0.0.0.0", "::"]) {
  test(`connections to a server at ${host} count until they have ended`, {
    timeout: patienceMs,
  }, async (t) => {
    const server = await listen(t, host);
    assert.equal(await openConnections(process.pid, [own]), 0, "a server alone");
    const [client, served] = await meet(t, server);
    assert.equal(await openConnections(process.pid, [own]), 1);
    assert.equal(await openConnections(process.pid, ["127.71.5.8", own]), 1, "several addresses");
    assert.equal(await openConnections(process.pid, ["127.71.5.8"]), 0, "another one's");
    client.end();
    await once(served.resume(), "end");
    assert.equal(await openConnections(process.pid, [own]), 1, "the server still answers");
    served.end();
    await until(0);
  });
}

test("connections from the task do not count", async (t) => {
  const server = await listen(t, "127.0.0.1");
  const client = connect({ host: "127.0.0.1", port: portOf(server), localAddress: own });
  await once(client, "connect");
  t.after(() => client.destroy());
  assert.equal(await openConnections(process.pid, [own]), 0);
});

test("a connection that waits in the kernel counts", { timeout: patienceMs }, async (t) => {
  const program = `require("net").createServer().listen(0, "${own}", function () { console.log(this.address().port) })`;
  const child = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  const [said] = (await once(child.stdout, "data")) as [Buffer];
  child.kill("SIGSTOP");
  const client = connect({ host: own, port: Number(String(said)) });
  t.after(() => client.destroy());
  await once(client, "connect");
  assert.equal(await openConnections(child.pid ?? 0, [own]), 1);
});

test("a process that has ended has none", async () => {
  assert.equal(await openConnections(2 ** 22 + 1, [own]), 0);
});
