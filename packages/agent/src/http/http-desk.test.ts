/** The desk against an admin socket that records what it is given. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { GamError, type NodeId, type SecretId, type TaskId } from "@gam/core";
import { caddyAdminHost, planHttp } from "@gam/network";
import type { Change } from "@gam/state";
import { aCluster, aNetwork, aNode, aSecret, aService, aTask, TestLog } from "@gam/state/testing";
import { pemFor } from "../testing/pem.ts";
import { readPair } from "./certificate-pair.ts";
import { certificateRequest } from "./certificate-request.ts";
import { HttpDesk } from "./http-desk.ts";
import { reportHttp } from "./http-report.ts";

const self = "a" as NodeId;
const hash = `$2y$10$${"a".repeat(53)}`;

class Admin {
  readonly loads: string[] = [];
  /** The status of the next answers. */
  status = 200;
  #server: Server | undefined;

  async listen(socket: string): Promise<void> {
    this.#server = createServer(async (request, response) => {
      assert.deepEqual([request.method, request.url], ["POST", "/load"]);
      assert.equal(request.headers.host, caddyAdminHost);
      this.loads.push(await text(request));
      response.statusCode = this.status;
      response.end(this.status === 200 ? "" : '{"error":"loading config: no"}\n');
    });
    await new Promise<void>((resolve) => this.#server?.listen(socket, resolve));
  }

  async close(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

class World {
  readonly log = new TestLog();
  readonly folder = mkdtempSync(join(tmpdir(), "gam-http-"));
  readonly admin = new Admin();
  /** What managers give, by secret; an error is thrown. */
  readonly data = new Map<string, string | GamError>();
  readonly asked: { task: TaskId; id: SecretId; content: number }[] = [];
  readonly warned: string[] = [];
  readonly desk: HttpDesk;

  constructor(t: TestContext) {
    this.log.write({ kind: "createCluster", cluster: aCluster() });
    this.log.write({ kind: "joinNode", node: aNode(self) });
    this.log.write({ kind: "createNetwork", network: aNetwork("ingress", { Ingress: true }) });
    const warn = (_: object, text: string): void => void this.warned.push(text);
    const log = { warn };
    this.desk = new HttpDesk({
      ...{ self, view: () => this.log.store, folder: join(this.folder, "run"), log },
      sealer: () => ({ openSecret: () => new Uint8Array() }),
      secrets: async (task, wanted) =>
        wanted.map(({ id, content }) => {
          this.asked.push({ task, id, content });
          const found = this.data.get(id) ?? new GamError("UNREACHABLE", "no manager answers");
          if (found instanceof GamError) throw found;
          return Buffer.from(found);
        }),
      open: async (folder) => void mkdirSync(folder, { recursive: true, mode: 0o700 }),
    });
    t.after(async () => {
      await this.desk.close();
      await this.admin.close();
      rmSync(this.folder, { recursive: true });
    });
  }

  get socket(): string {
    return join(this.folder, "run", "admin.sock");
  }

  get file(): string {
    return readFileSync(join(this.folder, "run", "caddy.json"), "utf8");
  }

  write(...changes: readonly Change[]): void {
    assert.equal(this.log.write(...changes).outcome.kind, "applied");
  }

  named(name: string, labels: Record<string, string>): void {
    this.write(aService(name, { spec: { Labels: labels } }));
    const VirtualIPs = [{ NetworkID: "ingress", Addr: "10.0.0.9/24" }];
    this.write({ kind: "setEndpoint", id: name as never, endpoint: { Spec: {}, VirtualIPs } });
  }

  /** The proxy's task has changed. */
  noticeProxy(): void {
    const after = this.log.store.tasksOn(self)[0];
    if (after !== undefined) this.desk.notice({ table: "task", after });
  }

  proxy(): void {
    this.write(aService("gam-http"));
    this.write({ kind: "createTask", task: aTask("gam-http", "proxy", { node: self }) });
  }

  async arrange(): Promise<void> {
    this.desk.arrange(planHttp(this.log.store));
    assert.equal(await this.desk.steered(), true);
  }
}

test("nothing is made before a proxy is wanted", async (t) => {
  const world = new World(t);
  await world.admin.listen(join(world.folder, "x"));
  world.named("web", { "gam.http.host": "a" });
  await world.arrange();
  assert.throws(() => world.file, { code: "ENOENT" });
});

test("the proxy gets the plan once, again after its start, and not again for the same plan", async (t) => {
  const world = new World(t);
  world.named("web", { "gam.http.host": "a" });
  world.proxy();
  mkdirSync(join(world.folder, "run"));
  await world.admin.listen(world.socket);
  await world.arrange();
  await world.arrange();
  assert.equal(world.admin.loads.length, 1);
  assert.match(world.admin.loads[0] ?? "", /10\.0\.0\.9:80/);
  assert.equal(world.file, world.admin.loads[0]);
  assert.equal(statSync(join(world.folder, "run", "caddy.json")).mode & 0o777, 0o600);
  world.noticeProxy();
  await world.desk.steered();
  assert.equal(world.admin.loads.length, 2);
  world.named("other", { "gam.http.host": "b" });
  await world.arrange();
  assert.equal(world.admin.loads.length, 3);
  assert.deepEqual(world.desk.problems, []);
});

test("the keys are removed from the host with the proxy", async (t) => {
  const world = new World(t);
  await world.admin.listen(join(world.folder, "x"));
  world.proxy();
  await world.arrange();
  assert.match(world.file, /"admin"/);
  world.write({ kind: "removeService", id: "gam-http" as never });
  await world.arrange();
  assert.throws(() => world.file, { code: "ENOENT" });
  await world.arrange();
});

test("a proxy that is about to start finds its file, and is no problem", async (t) => {
  const world = new World(t);
  await world.admin.listen(join(world.folder, "x"));
  world.write(aService("gam-http"));
  await world.arrange();
  assert.match(world.file, /"admin"/);
  world.named("web", { "gam.http.host": "a" });
  world.write({ kind: "createTask", task: aTask("gam-http", "proxy", { node: self }) });
  world.noticeProxy();
  await world.arrange();
  assert.match(world.file, /10\.0\.0\.9:80/);
  assert.deepEqual(world.desk.problems, []);
});

test("a configuration that Caddy refuses is said, with Caddy's words, until one is taken", async (t) => {
  const world = new World(t);
  world.named("web", { "gam.http.host": "a" });
  world.proxy();
  mkdirSync(join(world.folder, "run"));
  await world.admin.listen(world.socket);
  await world.arrange();
  const before = world.file;
  world.named("bad", { "gam.http.host": "x" });
  world.admin.status = 400;
  await world.arrange();
  assert.equal(world.file, before, "a proxy that starts reads what Caddy has taken");
  const said =
    "The HTTP proxy of this host goes on as before: it refused status 400: loading config: no";
  assert.deepEqual(world.desk.problems, [said]);
  assert.deepEqual(world.warned, [said]);
  world.admin.status = 200;
  world.named("other", { "gam.http.host": "b" });
  await world.arrange();
  assert.deepEqual(world.desk.problems, []);
});

test("certificates are fetched once for each version; a bad one costs only its site", async (t) => {
  const world = new World(t);
  world.write(aSecret("good"), aSecret("bad"), aSecret("lost"));
  const { pem } = pemFor("a");
  world.data.set("good", pem).set("bad", "no PEM");
  for (const [host, secret] of [
    ["a", "good"],
    ["b", "bad"],
    ["c", "lost"],
  ] as const) {
    world.named(`web-${host}`, { "gam.http.host": host, "gam.http.tls": secret });
  }
  world.proxy();
  mkdirSync(join(world.folder, "run"));
  await world.admin.listen(world.socket);
  await world.arrange();
  assert.equal(world.admin.loads[0]?.split('"certificate":').length, 2);
  assert.match(world.admin.loads[0] ?? "", /"sni":\["a"\]/);
  assert.deepEqual(
    world.desk.problems.map((text) => text.slice(0, 60)),
    [
      'Cannot use secret "bad" as a certificate: it has no certific',
      'Cannot use secret "lost" as a certificate: no manager answers',
    ].map((text) => text.slice(0, 60)),
  );
  assert.deepEqual(world.asked[0], { task: "proxy", id: "good", content: 1 });
  const asked = world.asked.filter(({ id }) => id === "good").length;
  await world.arrange();
  assert.equal(world.asked.filter(({ id }) => id === "good").length, asked);

  const report = reportHttp(world.log.store, {
    problems: [],
    sealer: { openSecret: ({ ID }) => Buffer.from(`${world.data.get(ID) ?? ""}`) },
  });
  assert.deepEqual(report.proxy, { image: "tiny:1", running: 1, wanted: 1 });
  assert.deepEqual(
    report.sites.map(({ host, secret, notAfter, problem }) => [
      ...[host, secret, notAfter !== ""],
      problem.split(":")[0],
    ]),
    [
      ["a", "good", true, "no task answers"],
      ["b", "bad", false, "it has no certificate"],
      ["c", "lost", false, "it has no certificate"],
    ],
  );
  world.write({ kind: "createTask", task: aTask("web-a", "t", { node: self }) });
  const sealer = { openSecret: () => Buffer.from(pem) };
  const now = reportHttp(world.log.store, { problems: [], sealer });
  assert.equal(now.sites[0]?.problem, "", "one task answers");
});

test("readPair() says what is wrong with a secret", () => {
  const [one, other] = [pemFor("a.example.com"), pemFor("b.example.com")];
  const pair = readPair(Buffer.from(`${one.key}\nwords between\n${one.chain}${other.chain}`));
  assert.equal(pair.key, one.key);
  const lines = one.pem.replaceAll("\n", "\r\n");
  assert.equal(readPair(Buffer.from(lines)).key, one.key, "it is written anew");
  assert.equal(pair.chain, `${one.chain}${other.chain}`);
  assert.ok(pair.isFor("a.example.com") && !pair.isFor("b.example.com"));
  assert.ok(pair.notAfterMs > pair.notBeforeMs);
  const wrong: readonly (readonly [string, RegExp])[] = [
    ["", /^it has no certificate: put/],
    [one.chain, /^it has no private key: put/],
    [`${one.pem}${one.key}`, /^it has 2 private keys/],
    [`${other.chain}${one.pem}`, /^the private key is not that of the first certificate/],
    [
      pemFor("a", "DNS", "secp256k1").pem,
      /^its key is of a kind that the proxy does not know: use/,
    ],
    [one.pem.replace(/MII./, "AAAA"), /^its certificate 1 cannot be read/],
  ];
  for (const [pem, want] of wrong) {
    assert.throws(() => readPair(Buffer.from(pem)), { code: "BAD_REQUEST", message: want });
  }
});

test("services that publish the proxy's ports are named", (t) => {
  const world = new World(t);
  world.write(aService("gam-http"));
  const endpoint = { Ports: [{ Protocol: "tcp", PublishedPort: 80, TargetPort: 80 }] } as const;
  world.write(aService("rival", { endpoint }));
  const sealer = { openSecret: () => new Uint8Array() };
  const { problems } = reportHttp(world.log.store, { sealer, problems: ["x"] });
  assert.match(problems[0] ?? "", /^Service rival publishes port 80, so requests go to it/);
  assert.equal(problems[1], "x");
});

const caddy = spawnSync("caddy", ["version"]);
const skip = caddy.status === 0 ? false : "caddy missing; apt-get install caddy";

test("Caddy takes a configuration with everything in it", { skip }, async (t) => {
  const world = new World(t);
  world.write(aSecret("cert"));
  world.data.set("cert", pemFor("a").pem);
  const tls = { "gam.http.tls": "cert" };
  world.named("web", { "gam.http.host": "a, *.a", "gam.http.redirect": "b", ...tls });
  world.named("api", { "gam.http.host": "a", "gam.http.path": "/api/v1, /api", ...tls });
  world.named("in", { "gam.http.host": "in", "gam.http.auth": `ada:${hash}` });
  world.named("cart", { "gam.http.host": "cart", "gam.http.sticky": "cookie" });
  const attachments = [{ network: "ingress" as never, address: "10.0.0.7" }];
  const extra = { attachments, serviceLabels: { "gam.http.host": "cart" } };
  world.write({ kind: "createTask", task: aTask("cart", "t", { node: self, extra }) });
  world.proxy();
  await world.admin.listen(join(world.folder, "x"));
  await world.arrange();
  const file = join(world.folder, "all.json");
  writeFileSync(file, world.file);
  const { status, stderr } = spawnSync("caddy", ["validate", "--config", file], {
    env: { ...process.env, HOME: world.folder },
  });
  assert.equal(status, 0, String(stderr));
});

test("certificateRequest() is one that openssl reads, for the name, signed by its key", () => {
  for (const host of ["a.example.com", `${"long-".repeat(11)}x.${"y".repeat(63)}.example.com`]) {
    const { der, key } = certificateRequest(host);
    const words = ["req", "-inform", "DER", "-noout", "-text", "-verify"];
    const { status, stdout, stderr } = spawnSync("openssl", words, { input: der });
    assert.equal(status, 0, String(stderr));
    assert.match(`${stdout}${stderr}`, /verify OK/i);
    assert.ok(String(stdout).includes(`DNS:${host}`));
    assert.match(key, /^-----BEGIN PRIVATE KEY-----/);
  }
});
