/**
 * ACME server: the calls by which a certificate is got from one.
 *
 * Only what HTTP-01 needs. The libraries for this bring an HTTP client and a TLS of their own, more code than all of
 * these calls.
 *
 * Source: RFC 8555; JWS by RFC 7515, thumbprints by RFC 7638.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
} from "node:crypto";
import { request } from "node:https";
import { text } from "node:stream/consumers";
import { setTimeout as pause } from "node:timers/promises";
import { type Check, check, GamError, jsonOr, messageOf, rethrowInvariant } from "@gam/core";
import type { AcmeSettings } from "@gam/network";

/** An account at one server. Kept sealed in the state. */
export interface AcmeAccount {
  readonly server: string;
  /** The account's URL. */
  readonly id: string;
  /** PEM, P-256. */
  readonly key: string;
}

export interface Challenge {
  readonly token: string;
  /** What the name must answer at `/.well-known/acme-challenge/TOKEN`. */
  readonly answer: string;
}

const answerMsMax = 30_000;
const answerBytesMax = 1 << 20;
const pollMs = 1_000;
const pollsMax = 120;
const badNonceTries = 10;
const url = check.string(2048);
const list = 100;

const checkDirectory = check.object({ newNonce: url, newAccount: url, newOrder: url });
const problem = check.object({
  detail: check.optional(check.string(8192)),
  type: check.optional(check.string(2048)),
});
const checkOrder = check.object({
  status: check.string(64),
  authorizations: check.list(url, list),
  finalize: url,
  certificate: check.optional(url),
  error: check.optional(problem),
});
const checkAuthorization = check.object({
  status: check.string(64),
  challenges: check.list(
    check.object({
      type: check.string(64),
      url,
      token: check.optional(check.string(512)),
      error: check.optional(problem),
    }),
    list,
  ),
});

interface Reply {
  readonly status: number;
  readonly location: string;
  readonly body: string;
}

export class AcmeServer {
  readonly #settings: AcmeSettings;
  #directory: ReturnType<typeof checkDirectory> | undefined;
  #nonce = "";
  #account: AcmeAccount;

  private constructor(settings: AcmeSettings, account: AcmeAccount) {
    this.#settings = settings;
    this.#account = account;
  }

  get account(): AcmeAccount {
    return this.#account;
  }

  /** `known`: an account from before; a new one is made without it, or if it is at another server. Errors: REFUSED, UNREACHABLE. */
  static async open(settings: AcmeSettings, known: AcmeAccount | undefined): Promise<AcmeServer> {
    if (known !== undefined && known.server === settings.server)
      return new AcmeServer(settings, known);
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const key = String(privateKey.export({ type: "pkcs8", format: "pem" }));
    const server = new AcmeServer(settings, { server: settings.server, id: "", key });
    const { newAccount } = await server.#urls();
    const contact = settings.email === "" ? [] : [`mailto:${settings.email}`];
    const reply = await server.#post(newAccount, { termsOfServiceAgreed: true, contact });
    server.#account = { ...server.#account, id: reply.location };
    return server;
  }

  /**
   * Gets a certificate for one name. `meet` makes the name answer the challenge, and resolves when it does.
   *
   * Returns: the chain, PEM. Errors: REFUSED with the server's words; UNREACHABLE; those of `meet`.
   */
  async certificate(
    host: string,
    csr: Buffer,
    meet: (challenge: Challenge) => Promise<void>,
  ): Promise<string> {
    const { newOrder } = await this.#urls();
    const identifiers = [{ type: "dns", value: host }];
    const made = await this.#post(newOrder, { identifiers });
    const { authorizations, finalize } = read(made, checkOrder);
    for (const one of authorizations) await this.#authorize(one, meet);
    await this.#post(finalize, { csr: csr.toString("base64url") });
    const order = await this.#await(made.location, checkOrder, "valid");
    if (order.certificate === undefined) throw refused("it names no certificate");
    return (await this.#post(order.certificate, "")).body;
  }

  async #authorize(at: string, meet: (challenge: Challenge) => Promise<void>): Promise<void> {
    const { status, challenges } = read(await this.#post(at, ""), checkAuthorization);
    if (status === "valid") return;
    const challenge = challenges.find(({ type }) => type === "http-01");
    if (challenge?.token === undefined) throw refused("it offers no challenge by HTTP");
    const { token } = challenge;
    await meet({ token, answer: `${token}.${thumbprint(this.#account.key)}` });
    await this.#post(challenge.url, {});
    await this.#await(at, checkAuthorization, "valid");
  }

  /** Resolves when the object has that status. */
  async #await<T extends { readonly status: string }>(
    at: string,
    form: Check<T>,
    wanted: string,
  ): Promise<T> {
    for (let polls = 0; polls < pollsMax; polls += 1) {
      const reply = await this.#post(at, "");
      const found = read(reply, form);
      if (found.status === wanted) return found;
      if (found.status === "invalid") throw refused(detailIn(reply.body));
      await pause(pollMs);
    }
    throw refused("it did not decide in time");
  }

  async #urls(): Promise<ReturnType<typeof checkDirectory>> {
    this.#directory ??= read(await this.#send("GET", this.#settings.server), checkDirectory);
    return this.#directory;
  }

  /** `payload`: "" reads. */
  async #post(to: string, payload: object | ""): Promise<Reply> {
    for (let tries = 1; ; tries += 1) {
      if (this.#nonce === "") await this.#send("HEAD", (await this.#urls()).newNonce);
      const nonce = this.#nonce;
      this.#nonce = "";
      const reply = await this.#send("POST", to, jws(this.#account, { to, nonce, payload }));
      if (reply.status < 400) return reply;
      // A server may forget nonces at any time.
      if (tries < badNonceTries && reply.body.includes("acme:error:badNonce")) continue;
      throw refused(detailIn(reply.body) || `status ${reply.status}`);
    }
  }

  async #send(method: string, to: string, body?: string): Promise<Reply> {
    const { ca } = this.#settings;
    try {
      return await new Promise<Reply>((resolve, reject) => {
        const signal = AbortSignal.timeout(answerMsMax);
        const headers = {
          "user-agent": "gam",
          ...(body !== undefined && {
            "content-type": "application/jose+json",
            "content-length": Buffer.byteLength(body),
          }),
        };
        const options = { method, headers, signal, agent: false, ...(ca !== "" && { ca }) };
        const call = request(to, options, (response) => {
          let bytes = 0;
          response.on("data", (piece: Buffer) => {
            bytes += piece.length;
            if (bytes > answerBytesMax) response.destroy(new Error("its answer is too long"));
          });
          const { statusCode: status = 0, headers: found } = response;
          this.#nonce = String(found["replay-nonce"] ?? "");
          text(response).then(
            (body) => resolve({ status, location: found.location ?? "", body }),
            reject,
          );
        });
        call.on("error", reject);
        call.end(body);
      });
    } catch (thrown) {
      rethrowInvariant(thrown);
      const { host } = new URL(to);
      throw new GamError("UNREACHABLE", `Cannot reach ${host}: ${messageOf(thrown)}`, {
        cause: thrown,
      });
    }
  }
}

function read<T>({ body }: Reply, form: Check<T>): T {
  return form(jsonOr(body, undefined), "the ACME server's answer");
}

/** Returns: the server's words for what went wrong. */
function detailIn(body: string): string {
  const found = /"detail":\s*"((?:[^"\\]|\\.)*)"/g;
  const all = [...body.matchAll(found)].map(([, words]) => words ?? "");
  return all.at(-1) ?? "";
}

function refused(reason: string): GamError {
  return new GamError("REFUSED", `The ACME server refused: ${reason || "it gave no reason"}`);
}

interface Signing {
  readonly to: string;
  readonly nonce: string;
  readonly payload: object | "";
}

function jws({ id, key }: AcmeAccount, { to, nonce, payload }: Signing): string {
  const who = id === "" ? { jwk: jwkOf(key) } : { kid: id };
  const head = encoded(JSON.stringify({ alg: "ES256", ...who, nonce, url: to }));
  const body = payload === "" ? "" : encoded(JSON.stringify(payload));
  const signature = sign("sha256", Buffer.from(`${head}.${body}`), {
    key: createPrivateKey(key),
    dsaEncoding: "ieee-p1363",
  });
  return JSON.stringify({
    protected: head,
    payload: body,
    signature: signature.toString("base64url"),
  });
}

function jwkOf(key: string): object {
  const { crv, kty, x, y } = createPublicKey(key).export({ format: "jwk" });
  return { crv, kty, x, y };
}

/** The members of the key in the order of the alphabet. */
function thumbprint(key: string): string {
  return createHash("sha256")
    .update(JSON.stringify(jwkOf(key)))
    .digest("base64url");
}

function encoded(text: string): string {
  return Buffer.from(text).toString("base64url");
}
