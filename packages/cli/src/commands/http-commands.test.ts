import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { type TestContext, test } from "node:test";
import { httpProxySpec } from "@gam/state/answers";
import { run } from "../program.ts";
import { fakeAgent, refusal, type Script } from "../testing/fake-agent.ts";

async function gam(context: TestContext, script: Script, ...words: string[]) {
  const agent = await fakeAgent(script);
  context.after(() => agent.close());
  const printed: string[] = [];
  const complained: string[] = [];
  const exit = await run(["--socket", agent.socket, ...words], {
    environment: {},
    cwd: tmpdir(),
    isTerminal: false,
    pause: () => Promise.resolve(),
    onInterrupt: () => () => undefined,
    nowMs: () => Date.UTC(2026, 0, 1),
    print: (text) => void printed.push(text),
    complain: (text) => void complained.push(text),
  });
  return { exit, printed, complained, heard: agent.heard };
}

test("http on makes the service of the proxy, with the image that was asked for", async (context) => {
  const script = { "GET /services/gam-http": refusal(404), "POST /services/create": { ID: "x" } };
  const { exit, heard, printed } = await gam(
    context,
    script,
    "http",
    "on",
    "--image",
    "my/caddy:2",
  );
  assert.equal(exit, 0);
  assert.deepEqual(heard.at(-1)?.body, JSON.parse(JSON.stringify(httpProxySpec("my/caddy:2"))));
  assert.match(printed[0] ?? "", /^Each host runs my\/caddy:2 on its ports 80 and 443 now/);
});

test("http on refuses to make it twice, and says how to change it", async (context) => {
  const script = { "GET /services/gam-http": { ID: "x" } };
  const { exit, complained, heard } = await gam(context, script, "http", "on");
  assert.equal(exit, 1);
  assert.equal(heard.length, 1);
  assert.match(complained[0] ?? "", /is on already.*"docker service update gam-http"/);
});

test("http off removes it", async (context) => {
  const { exit, printed } = await gam(
    context,
    { "GET /services/gam-http": { ID: "x" }, "DELETE /services/gam-http": null },
    ...["http", "off"],
  );
  assert.equal(exit, 0);
  assert.deepEqual(printed, ["The HTTP proxy is off. The services run on"]);
});

test("http off says that it is off already", async (context) => {
  const script = { "GET /services/gam-http": refusal(404) };
  const { exit, complained } = await gam(context, script, "http", "off");
  assert.equal(exit, 1);
  assert.deepEqual(complained, ["gam: The HTTP proxy is off already"]);
});

test("http on with --email does not ignore an image for a proxy that is on", async (context) => {
  const script = { "GET /services/gam-http": { ID: "x" } };
  const words = ["http", "on", "--email", "a@example.com", "--image", "other:1"];
  const { exit, complained, heard } = await gam(context, script, ...words);
  assert.equal(exit, 1);
  assert.equal(heard.length, 1, "nothing is half done");
  assert.match(complained[0] ?? "", /is on already/);
});

const site = {
  host: "a.example.com",
  path: "",
  service: "web",
  redirect: "",
  secret: "",
  notAfter: "",
  problem: "",
};

test("http status shows the names, their certificates and what is wrong", async (context) => {
  const report = {
    proxy: { image: "caddy:2", running: 2, wanted: 3 },
    sites: [
      site,
      {
        ...site,
        path: "/api",
        service: "api",
        secret: "cert",
        notAfter: "2026-01-31T01:00:00.000Z",
      },
      {
        ...site,
        host: "b",
        secret: "old",
        notAfter: "2025-12-31T00:00:00.000Z",
        problem: "no task answers",
      },
      {
        ...site,
        host: "c",
        service: "",
        redirect: "b",
        secret: "now",
        notAfter: "2026-01-01T01:00:00.000Z",
      },
      { ...site, host: "d", secret: "bad", problem: "it has no certificate" },
    ],
    problems: ["Service x publishes port 80"],
  };
  const { printed } = await gam(context, { "GET /gam/v1/http": report }, "http", "status");
  assert.deepEqual(
    printed.map((line) => line.trimEnd()),
    [
      "The HTTP proxy runs on 2 of 3 hosts: caddy:2",
      "",
      "NAME               SERVICE          CERTIFICATE",
      "a.example.com      web              none",
      "a.example.com/api  api              cert, 30 days left",
      "b                  web              old, expired        no task answers",
      "c                  redirected to b  now, ends today",
      "d                  web              bad                 it has no certificate",
      "",
      "Service x publishes port 80",
    ],
  );
});

test("http status says how to begin", async (context) => {
  const report = { proxy: null, sites: [], problems: [] };
  const { printed } = await gam(context, { "GET /gam/v1/http": report }, "http", "status");
  assert.deepEqual(printed, [
    'The HTTP proxy is off: run "gam http on"',
    "No service has a name (label gam.http.host)",
  ]);
});
