import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { EngineClient, EngineRefusal, EngineUnreachable } from "./engine-client.ts";
import { FakeEngineServer, json } from "./testing/fake-engine-server.ts";

const limitMs = 10_000;

async function open(
  t: TestContext,
  apiVersion = "1.43",
): Promise<{ engine: FakeEngineServer; client: EngineClient }> {
  const folder = mkdtempSync(join(tmpdir(), "gam-engine-"));
  const engine = await FakeEngineServer.listen(join(folder, "docker.sock"), apiVersion);
  t.after(async () => {
    await engine.close();
    rmSync(folder, { recursive: true });
  });
  return { engine, client: new EngineClient(join(folder, "docker.sock")) };
}

test("a call uses the lower version, and its answer is decoded", async (t) => {
  for (const [theirs, spoken] of [
    ["1.41", "1.41"],
    ["1.43", "1.43"],
    ["1.51", "1.44"],
  ]) {
    const { engine, client } = await open(t, theirs);
    await client.negotiate(limitMs);
    engine.on("GET /images/json", (_, answer) => json(answer, [{ Id: "a" }]));
    const query = { filters: { label: ["x"] } };
    const call = { method: "GET", path: "/images/json", query, limitMs } as const;
    assert.deepEqual(await client.call(call), [{ Id: "a" }]);
    const url = `/v${spoken}/images/json?filters=${encodeURIComponent('{"label":["x"]}')}`;
    assert.equal(engine.calls.at(-1)?.url, url);
  }
});

test("an engine that is too old is refused with both versions", async (t) => {
  const { client } = await open(t, "1.40");
  await assert.rejects(client.negotiate(limitMs), {
    name: "EngineUnreachable",
    message: "Cannot use engine: it speaks API 1.40, gam needs 1.41 or later",
  });
});

test("a version of another shape is BAD_FRAME", async (t) => {
  const { engine, client } = await open(t);
  engine.on("GET /version", (_, answer) => json(answer, { ApiVersion: 1.43 }));
  await assert.rejects(client.negotiate(limitMs), { code: "BAD_FRAME" });
});

test("a refusal has the status and the engine's own words", async (t) => {
  const { engine, client } = await open(t);
  engine.on("DELETE /networks/a", (_, answer) => {
    answer.statusCode = 403;
    json(answer, { message: "network has active endpoints" });
  });
  const call = { method: "DELETE", path: "/networks/a", limitMs } as const;
  const refusal = await client.call(call).catch((thrown: unknown) => thrown);
  assert.ok(refusal instanceof EngineRefusal);
  assert.deepEqual([refusal.status, refusal.message], [403, "network has active endpoints"]);
});

test("ask() returns any answer with its headers, and sends the given body", async (t) => {
  const { engine, client } = await open(t);
  const bodies: string[] = [];
  engine.on("POST /networks/a/disconnect", async (call, answer) => {
    const chunks: Buffer[] = [];
    for await (const chunk of call) chunks.push(chunk as Buffer);
    bodies.push(`${call.headers["content-type"]} ${Buffer.concat(chunks)}`);
    answer.writeHead(500, { "X-Why": "because" }).end("no JSON");
  });
  for (const body of [{ Force: true }, {}, undefined]) {
    const path = "/v1.43/networks/a/disconnect?x=%20y";
    const call = { method: "POST", path, ...(body && { body }), limitMs } as const;
    const { status, headers, body: told } = await client.ask(call);
    assert.deepEqual([status, headers["x-why"], told], [500, "because", "no JSON"]);
    assert.equal(engine.calls.at(-1)?.url, path, "the path is sent as it is");
  }
  assert.deepEqual(bodies, [
    'application/json {"Force":true}',
    "application/json {}",
    "undefined ",
  ]);
  const { headers } = await client.ask({ method: "HEAD", path: "/_ping", limitMs });
  assert.equal(headers["api-version"], "1.43");
});

test("a missing, hanging or closing engine is unreachable, with what was found", async (t) => {
  const { engine, client } = await open(t);
  const absent = new EngineClient(join(tmpdir(), "gam-no-such.sock"));
  const call = { method: "GET", path: "/slow", limitMs } as const;
  const found = async (asked: Promise<unknown>): Promise<string> => {
    const thrown = await asked.catch((one: unknown) => one);
    assert.ok(thrown instanceof EngineUnreachable, String(thrown));
    return thrown.found;
  };
  for (const how of ["call", "ask", "stream"] as const) {
    assert.match(await found(absent[how](call)), /^connect ENOENT/);
    engine.on("GET /slow", () => undefined);
    assert.equal(await found(client[how]({ ...call, limitMs: 20 })), "no answer within 0 s");
    engine.on("GET /slow", (asked) => asked.socket.destroy());
    assert.equal(await found(client[how](call)), "socket hang up");
  }
  // The headers come, and the rest never does.
  engine.on("GET /slow", (_, answer) => void answer.writeHead(200).write("{"));
  for (const how of ["call", "ask"] as const) {
    assert.equal(await found(client[how]({ ...call, limitMs: 100 })), "no answer within 0 s");
  }
});

test("a stream ends with an error when the client is closed", async (t) => {
  const { engine, client } = await open(t);
  engine.on("GET /events", (_, answer) => void answer.writeHead(200).write("{}\n"));
  const stream = await client.stream({ method: "GET", path: "/events", limitMs });
  const read = (async () => {
    for await (const chunk of stream) assert.equal(String(chunk), "{}\n");
  })();
  client.close();
  await assert.rejects(read);
});

test("a limit of weeks does not expire at once", async (t) => {
  const { engine, client } = await open(t);
  engine.on("POST /containers/slow/stop", (_, answer) => {
    setTimeout(() => answer.writeHead(204).end(), 20);
  });
  await client.call({ method: "POST", path: "/containers/slow/stop", limitMs: 60 * 86_400_000 });
});

test("options() do not change a call's headers", async (t) => {
  const { engine, client } = await open(t);
  engine.on("GET /info", (call, answer) => json(answer, call.rawHeaders));
  const headers = ["Host", "docker", "X-ODD-case", "1", "Connection", "close"];
  const told = await new Promise<string>((resolve, reject) => {
    const call = request(client.options("GET", "/v1.41/info", headers), (response) => {
      response.setEncoding("utf8").on("data", resolve);
    });
    call.on("error", reject).end();
  });
  assert.deepEqual(JSON.parse(told), headers);
});
