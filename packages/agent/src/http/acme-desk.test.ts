/** The desk of the leader against an ACME server that checks what it is sent. */
import assert from "node:assert/strict";
import { createHash, createPublicKey, verify } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer as createSecureServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import type { ConfigId } from "@gam/core";
import { acmeFailure, planAcme, planSites } from "@gam/network";
import type { AskedChange } from "@gam/state";
import { aCluster, aConfig, aSeal, aService, TestLog } from "@gam/state/testing";
import { pemFor } from "../testing/pem.ts";
import { AcmeDesk } from "./acme-desk.ts";
import { AcmeServer } from "./acme-server.ts";

interface Signed {
  readonly head: { jwk?: object; kid?: string; nonce: string; url: string; alg: string };
  readonly payload: Record<string, unknown> | "";
}

/** One order at a time. It gives a certificate that openssl made, whatever the request's key is. */
class Authority {
  readonly own = pemFor("127.0.0.1", "IP");
  readonly calls: string[] = [];
  /** Refuses this many good nonces. */
  forgets = 0;
  /** The words with which it refuses the challenge; "" to accept. */
  refuses = "";
  #server: Server | undefined;
  #nonces = new Set<string>();
  #made = 0;
  #key: object | undefined;
  #isAsked = false;
  #isFinal = false;
  chain = "";

  async listen(t: TestContext): Promise<void> {
    const server = createSecureServer(
      { key: this.own.key, cert: this.own.chain },
      (asked, answer) => {
        this.#answer(asked, answer).catch((thrown) => {
          answer.statusCode = 500;
          answer.end(JSON.stringify({ detail: String(thrown) }));
        });
      },
    );
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
  }

  get base(): string {
    const { port } = (this.#server?.address() ?? { port: 0 }) as AddressInfo;
    return `https://127.0.0.1:${port}`;
  }

  get settings() {
    return { server: `${this.base}/dir`, email: "ops@example.com", ca: this.own.chain };
  }

  async #answer(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    const path = asked.url ?? "";
    this.calls.push(`${asked.method} ${path}`);
    this.#made += 1;
    const nonce = `nonce-${this.#made}`;
    this.#nonces.add(nonce);
    answer.setHeader("replay-nonce", nonce);
    const { base } = this;
    const urls = {
      newNonce: `${base}/nonce`,
      newAccount: `${base}/account`,
      newOrder: `${base}/order`,
    };
    if (path === "/dir") return void answer.end(JSON.stringify(urls));
    if (path === "/nonce") return void answer.end();
    const signed = await this.#signed(asked);
    if (!this.#nonces.delete(signed.head.nonce) || this.forgets > 0) {
      this.forgets -= 1;
      answer.statusCode = 400;
      return void answer.end('{"type":"urn:ietf:params:acme:error:badNonce","detail":"old"}');
    }
    answer.end(this.#say(path, signed, answer));
  }

  #say(path: string, { payload }: Signed, answer: ServerResponse): string {
    const { base } = this;
    switch (path) {
      case "/account":
        assert.deepEqual(payload, {
          termsOfServiceAgreed: true,
          contact: ["mailto:ops@example.com"],
        });
        answer.setHeader("location", `${base}/account/1`);
        return "{}";
      case "/order": {
        assert.deepEqual(payload, { identifiers: [{ type: "dns", value: "a.example.com" }] });
        this.#isAsked = false;
        this.#isFinal = false;
        answer.setHeader("location", `${base}/order/1`);
        return this.#order();
      }
      case "/order/1":
        return this.#order();
      case "/authz": {
        const status = !this.#isAsked ? "pending" : this.refuses === "" ? "valid" : "invalid";
        const error = status === "invalid" ? { error: { detail: this.refuses } } : {};
        const challenges = [
          { type: "dns-01", url: `${base}/dns`, token: "other" },
          { type: "http-01", url: `${base}/challenge`, token: "tok-en_1", ...error },
        ];
        return JSON.stringify({ status, challenges });
      }
      case "/challenge":
        this.#isAsked = true;
        return "{}";
      case "/finalize":
        assert.match(String((payload as { csr: string }).csr), /^[\w-]+$/);
        this.#isFinal = true;
        return this.#order();
      case "/cert":
        return this.chain;
      default:
        throw new Error(`nobody should call ${path}`);
    }
  }

  #order(): string {
    const { base } = this;
    return JSON.stringify({
      status: this.#isFinal ? "valid" : this.#isAsked ? "ready" : "pending",
      authorizations: [`${base}/authz`],
      finalize: `${base}/finalize`,
      ...(this.#isFinal && { certificate: `${base}/cert` }),
    });
  }

  /** What the answer to the challenge must be. */
  get answer(): string {
    const print = createHash("sha256").update(JSON.stringify(this.#key)).digest("base64url");
    return `tok-en_1.${print}`;
  }

  async #signed(asked: IncomingMessage): Promise<Signed> {
    const body = JSON.parse(await text(asked)) as Record<string, string>;
    const { protected: head = "", payload = "", signature = "" } = body;
    const read = JSON.parse(String(Buffer.from(head, "base64url"))) as Signed["head"];
    assert.equal(read.alg, "ES256");
    assert.equal(read.url, `${this.base}${asked.url}`);
    if (asked.url === "/account") this.#key = read.jwk;
    else assert.equal(read.kid, `${this.base}/account/1`);
    const key = createPublicKey({ key: this.#key as never, format: "jwk" });
    const isGood = verify(
      "sha256",
      Buffer.from(`${head}.${payload}`),
      { key, dsaEncoding: "ieee-p1363" },
      Buffer.from(signature, "base64url"),
    );
    assert.ok(isGood, "the signature is not that of the account's key");
    const said = payload === "" ? "" : JSON.parse(String(Buffer.from(payload, "base64url")));
    return { head: read, payload: said };
  }
}

test("a certificate is got with a new account, and the next one with the same", async (t) => {
  const authority = new Authority();
  await authority.listen(t);
  authority.chain = "the chain";
  const server = await AcmeServer.open(authority.settings, undefined);
  assert.equal(server.account.id, `${authority.base}/account/1`);
  const met: string[] = [];
  const get = (one: AcmeServer) =>
    one.certificate("a.example.com", Buffer.from("csr"), async ({ token, answer }) => {
      met.push(`${token} ${answer}`);
    });
  assert.equal(await get(server), "the chain");
  authority.forgets = 2;
  assert.equal(await get(await AcmeServer.open(authority.settings, server.account)), "the chain");
  assert.deepEqual(met, [`tok-en_1 ${authority.answer}`, `tok-en_1 ${authority.answer}`]);
  assert.equal(authority.calls.filter((call) => call === "POST /account").length, 1);
});

test("a refusal has the authority's words, and a server that is away is named", async (t) => {
  const authority = new Authority();
  await authority.listen(t);
  authority.refuses = 'no \\"A\\" record';
  const server = await AcmeServer.open(authority.settings, undefined);
  const asked = server.certificate("a.example.com", Buffer.from("csr"), async () => undefined);
  await assert.rejects(asked, { code: "REFUSED", message: /^The ACME server refused: no / });
  const away = { ...authority.settings, server: "https://127.0.0.1:1/dir" };
  await assert.rejects(AcmeServer.open(away, undefined), {
    code: "UNREACHABLE",
    message: /^Cannot reach 127\.0\.0\.1:1: /,
  });
  const stranger = { ...authority.settings, ca: "" };
  await assert.rejects(AcmeServer.open(stranger, undefined), { code: "UNREACHABLE" });
});

class World {
  readonly log = new TestLog();
  readonly desk: AcmeDesk;
  readonly warned: string[] = [];
  isLeader = true;
  #minted = 0;

  constructor(t: TestContext, settings: object) {
    this.log.nowMs = Date.now();
    this.write({ kind: "createCluster", cluster: aCluster() });
    this.write(aService("gam-http"));
    this.write(aConfig("gam-http-acme", JSON.stringify(settings)));
    const Labels = { "gam.http.host": "a.example.com", "gam.http.tls": "acme" };
    this.write(aService("web", { spec: { Labels } }));
    const kept = new Map<string, Uint8Array>();
    this.desk = new AcmeDesk({
      view: () => this.log.store,
      leads: () => this.isLeader,
      mint: () => {
        this.#minted += 1;
        return `minted${this.#minted}`.padEnd(25, "0");
      },
      sealer: {
        sealSecret: (id, version, data) => {
          kept.set(`${id} ${version}`, Uint8Array.from(data));
          return aSeal(`${id} ${version}`);
        },
        openSecret: ({ ID }, version) => kept.get(`${ID} ${version}`) ?? new Uint8Array(),
      },
      propose: async (changes) => this.write(...changes),
      log: { info: () => undefined, warn: (_, text) => void this.warned.push(text) },
    });
    t.after(() => this.desk.stop());
  }

  write(...changes: readonly AskedChange[]): void {
    const { outcome } = this.log.write(...changes);
    assert.equal(outcome.kind, "applied", JSON.stringify(outcome));
  }

  async until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      this.desk.look();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

test("the leader gets what is due, keeps the account, and leaves no challenge behind", async (t) => {
  const authority = new Authority();
  await authority.listen(t);
  const world = new World(t, authority.settings);
  // Of another key than the request's: it is refused, and noted.
  authority.chain = pemFor("a.example.com").chain;
  world.isLeader = false;
  world.desk.look();
  assert.deepEqual(authority.calls, []);
  world.isLeader = true;
  await world.until(() => acmeFailure(world.log.store, "a.example.com") !== undefined);
  const { store } = world.log;
  assert.match(
    acmeFailure(store, "a.example.com") ?? "",
    /private key is not that .*\(failed 1 times/,
  );
  assert.deepEqual(planSites(store).challenges, []);
  assert.deepEqual(
    store.secrets().map(({ Spec }) => Spec.Name),
    ["gam-http-acme-account"],
  );
  assert.equal(planAcme(store, Date.now()).due, undefined, "it waits");
  assert.deepEqual(world.warned, ["Could not get a certificate"]);
});

test("a failure of a name that nobody wants any more is removed", async (t) => {
  const authority = new Authority();
  await authority.listen(t);
  const world = new World(t, { ...authority.settings, server: "https://127.0.0.1:1/dir" });
  await world.until(() => acmeFailure(world.log.store, "a.example.com") !== undefined);
  world.write({ kind: "removeService", id: "web" as never });
  await world.until(() => world.log.store.configs().length === 1);
  assert.equal(world.log.store.config("gam-http-acme" as ConfigId)?.Spec.Name, "gam-http-acme");
});
