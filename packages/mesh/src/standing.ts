/**
 * Standing: this peer's own place in the cluster, and keeping it.
 *
 * Decides when the certificate is renewed: with less than a third of its life left, and when a worker was
 * made a manager. Managers hold the root key and sign their own; workers ask a manager, on any
 * connection that they have.
 */
import { type Clock, GamError, messageOf } from "@gam/core";
import type { Connection } from "@libp2p/interface";
import { NotAdmitted } from "./admission.ts";
import { isDue, isExpired, isSignedBy, issueCertificate } from "./certificate.ts";
import type { Credentials } from "./credentials.ts";
import type { Logger, MeshDoor } from "./door.ts";
import { Exchange } from "./exchange.ts";
import type { Identity } from "./identity.ts";
import { askToRenew, renewProtocol } from "./join.ts";
import type { Limits } from "./limits.ts";
import type { Links } from "./link.ts";

export interface StandingOptions {
  readonly identity: Identity;
  readonly limits: Limits;
  readonly clock: Clock;
  readonly log: Logger;
  readonly door: MeshDoor;
  readonly links: Links;
}

export class Standing {
  readonly #options: StandingOptions;
  #credentials: Credentials | undefined;
  #renewing = false;

  constructor(options: StandingOptions) {
    this.#options = options;
  }

  get credentials(): Credentials | undefined {
    return this.#credentials;
  }

  /** Errors: BAD_REQUEST when they are not this peer's. */
  take(credentials: Credentials): void {
    const { certificate, rootPublicKey } = credentials;
    const { nodeId } = this.#options.identity;
    if (certificate.nodeId !== nodeId || !isSignedBy(rootPublicKey, certificate)) {
      throw new GamError("BAD_REQUEST", "Cannot take credentials: they belong to another peer");
    }
    this.#credentials = credentials;
    this.#renewOwn();
  }

  drop(): void {
    this.#credentials = undefined;
  }

  /** Never rejects. Call it now and then, when a manager was connected, and when members have changed. */
  async renewIfDue(): Promise<void> {
    if (this.#renewing) return;
    this.#renewing = true;
    await this.#renewIfDue();
    this.#renewing = false;
  }

  async #renewIfDue(): Promise<void> {
    const { clock, links, log } = this.#options;
    this.#renewOwn();
    const credentials = this.#credentials;
    if (credentials === undefined) return;
    const promoted = credentials.certificate.role === "worker" && this.#isManager();
    if (!promoted && !isDue(credentials.certificate, clock.wallMs())) return;
    for (const link of links.all()) {
      if (link.role !== "manager") continue;
      // What one manager refuses, another may not.
      if (await this.renewOver(link.connection).catch(() => false)) return;
    }
    const level = isExpired(credentials.certificate, clock.wallMs()) ? "error" : "debug";
    const { expiresMs } = credentials.certificate;
    log[level]({ expiresMs }, "Certificate is due and no manager renewed it yet");
  }

  /** Whether the peer at the other end gave a fresh certificate. Errors: NotAdmitted. */
  async renewOver(connection: Connection): Promise<boolean> {
    const { limits, door, log } = this.#options;
    const credentials = this.#credentials;
    if (credentials === undefined) return false;
    try {
      const signal = AbortSignal.timeout(limits.helloMs);
      const stream = await connection.newStream(renewProtocol, { signal });
      const exchange = new Exchange(stream, limits.controlFrameBytesMax);
      const renewed = await askToRenew(exchange, credentials, limits);
      exchange.close();
      // It may have left the cluster, or joined another, while it waited.
      if (this.#credentials !== credentials) return false;
      this.#credentials = renewed;
      door.onRenewed(renewed);
      return true;
    } catch (thrown) {
      log.warn({ reason: messageOf(thrown) }, "Certificate could not be renewed");
      if (thrown instanceof NotAdmitted) throw thrown;
      return false;
    }
  }

  #isManager(): boolean {
    const { door, identity } = this.#options;
    return door
      .members()
      .some(({ nodeId, role }) => nodeId === identity.nodeId && role === "manager");
  }

  #renewOwn(): void {
    const { identity, door, clock } = this.#options;
    const credentials = this.#credentials;
    const rootPrivateKey = credentials?.rootPrivateKey;
    const nowMs = clock.wallMs();
    if (credentials === undefined || rootPrivateKey === undefined) return;
    if (!isDue(credentials.certificate, nowMs)) return;
    const { clusterId } = credentials;
    const { role } = credentials.certificate;
    const subject = { clusterId, publicKey: identity.publicKey, role };
    const certificate = issueCertificate(rootPrivateKey, subject, nowMs);
    this.#credentials = { ...credentials, certificate };
    door.onRenewed(this.#credentials);
  }
}
