/**
 * Own membership: this peer's own credentials, and their renewal.
 *
 * Decides when the certificate is renewed: when less than a third of its life is left, and when the role in
 * the state differs. Managers hold the root key and sign their own; workers ask a manager, on any
 * connection that they have. A demoted manager asks for a worker's certificate, and deletes the
 * root key with the old one.
 *
 * While the root key is being replaced both keys count. This peer gets a second certificate, of the next key,
 * and shows both. Once the next key is the root key in the state, this peer deletes the old key and its
 * certificate.
 */
import {
  type Clock,
  equalBytes,
  GamError,
  messageOf,
  type NodeId,
  rethrowInvariant,
} from "@gam/core";
import type { Connection } from "@libp2p/interface";
import {
  isDue,
  isExpired,
  isNextRoot,
  isSignedBy,
  issueCertificate,
} from "../trust/certificate.ts";
import { type Credentials, makeNextRoot, type NextRootCredentials } from "../trust/credentials.ts";
import type { Logger, MeshDoor } from "../trust/door.ts";
import type { Identity } from "../trust/identity.ts";
import type { Limits } from "../trust/limits.ts";
import { roleNow } from "../trust/role-now.ts";
import { Exchange } from "../wire/exchange.ts";
import type { Links } from "../wire/link.ts";
import { NotAdmitted } from "./admission.ts";
import { askForNext, askToRenew, renewProtocol } from "./join.ts";

export interface OwnMembershipOptions {
  readonly identity: Identity;
  readonly limits: Limits;
  readonly clock: Clock;
  readonly log: Logger;
  readonly door: MeshDoor;
  readonly links: Links;
}

type Ask = (exchange: Exchange, known: Credentials, limits: Limits) => Promise<Credentials>;

const renew: Ask = (exchange, known, limits) => askToRenew(exchange, known, limits, false);

export class OwnMembership {
  readonly #options: OwnMembershipOptions;
  #credentials: Credentials | undefined;
  #asked = false;
  #renewing = false;
  /** This peer has made the next root key, and the state may not show it yet. */
  #offering = false;
  /**
   * The next root key that the last offer gives up. It still counts if that offer is refused, or comes too late: it
   * may be the only copy of what is the root key by now.
   */
  #givenUp: NextRootCredentials | undefined;

  constructor(options: OwnMembershipOptions) {
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

  /**
   * Makes the next root key and saves it, then calls `offer` to publish it.
   *
   * Shape:  `offer` gets the public part of the next root key, and the key that it replaces.
   * Errors: NOT_SUPPORTED where there is no root key; those of `offer`.
   */
  async offerNext(
    offer: (next: NextRootCredentials, rootPublicKey: Uint8Array) => Promise<void>,
  ): Promise<void> {
    const { identity, clock } = this.#options;
    const credentials = this.#credentials;
    if (credentials?.rootPrivateKey === undefined || this.#isDemoted()) {
      throw new GamError(
        "NOT_SUPPORTED",
        "Cannot replace the root key: this peer does not have it, only managers do",
      );
    }
    if (this.#offering) {
      throw new GamError("IN_USE", "Cannot replace the root key: it is already being replaced");
    }
    const { rootPrivateKey, rootPublicKey } = credentials;
    const next = makeNextRoot(credentials, rootPrivateKey, identity, clock.wallMs());
    this.#offering = true;
    this.#givenUp = credentials.next ?? this.#givenUp;
    try {
      await this.#keep({ ...credentials, next });
      await offer(next, rootPublicKey);
    } finally {
      this.#offering = false;
      this.#followRoots();
    }
  }

  #followRoots(): void {
    const roots = this.#options.door.roots();
    const credentials = this.#credentials;
    if (roots === undefined || credentials === undefined) return;
    const { rootPublicKey, clusterId, next } = credentials;
    const own = [next, this.#givenUp].filter((one) => one !== undefined);
    const current = own.find((one) => equalBytes(roots.current, one.rootPublicKey));
    if (current !== undefined) {
      this.#givenUp = undefined;
      return this.#replaceRoot(credentials, current);
    }
    const told = roots.next;
    if (told === undefined || this.#offering || !equalBytes(roots.current, rootPublicKey)) return;
    const known = own.find((one) => equalBytes(told.rootPublicKey, one.rootPublicKey));
    if (known !== undefined) {
      this.#givenUp = undefined;
      if (known !== next) void this.#keep({ ...credentials, next: known });
      return;
    }
    if (!isNextRoot(rootPublicKey, clusterId, told)) {
      this.#options.log.error({}, "The next root key is not signed by the root key: not trusted");
      return;
    }
    const { signature } = told;
    void this.#keep({ ...credentials, next: { rootPublicKey: told.rootPublicKey, signature } });
  }

  drop(): void {
    this.#credentials = undefined;
  }

  /**
   * Renews the certificate if that is due. Never rejects. Call it now and then, when a manager has connected,
   * and when members or root keys have changed in the state.
   */
  async renewIfDue(): Promise<void> {
    this.#followRoots();
    this.#asked = true;
    if (this.#renewing) return;
    this.#renewing = true;
    // A call that came meanwhile may have had a new reason to renew.
    while (this.#asked) {
      this.#asked = false;
      await this.#renewIfDue();
    }
    this.#renewing = false;
  }

  async #renewIfDue(): Promise<void> {
    const { clock, log } = this.#options;
    if (this.#isDemoted() && !(await this.#stepDown())) return;
    this.#renewOwn();
    await this.#getNext();
    const credentials = this.#credentials;
    if (credentials === undefined) return;
    const promoted = credentials.certificate.role === "worker" && this.#isManager();
    if (!promoted && !isDue(credentials.certificate, clock.wallMs())) return;
    if (await this.#askManagers(renew)) return;
    const level = isExpired(credentials.certificate, clock.wallMs()) ? "error" : "debug";
    const { expiresMs } = credentials.certificate;
    log[level]({ expiresMs }, "Certificate is due for renewal and no manager has renewed it");
  }

  /** Whether the peer at the other end gave a fresh certificate. Errors: NotAdmitted. */
  async renewOver(connection: Connection): Promise<boolean> {
    return await this.#ask(connection, renew);
  }

  /** Asks managers that have a certificate of the next root key for one. */
  async #getNext(): Promise<void> {
    const next = this.#credentials?.next;
    if (next === undefined || !this.#lacks(next)) return;
    const holders = this.#options.door.roots()?.next?.holders;
    await this.#askManagers(
      (exchange, known, limits) => askForNext(exchange, known, next, limits),
      (id) => holders?.has(id) ?? false,
    );
  }

  #lacks({ certificate, rootPrivateKey }: NextRootCredentials): boolean {
    if (certificate === undefined) return true;
    const isManager = certificate.role === "manager" || this.#isManager();
    return isManager && rootPrivateKey === undefined;
  }

  /** Asks one manager after the other. Shape: whether one gave it. */
  async #askManagers(ask: Ask, may: (id: NodeId) => boolean = () => true): Promise<boolean> {
    const { links, door } = this.#options;
    for (const { certificate, nodeId, connection } of links.all()) {
      if (roleNow(certificate, door) !== "manager" || !may(nodeId)) continue;
      if (await this.#ask(connection, ask).catch(notAdmitted)) return true;
    }
    return false;
  }

  async #ask(connection: Connection, ask: Ask): Promise<boolean> {
    const { limits, log } = this.#options;
    const credentials = this.#credentials;
    if (credentials === undefined) return false;
    try {
      const signal = AbortSignal.timeout(limits.helloMs);
      const stream = await connection.newStream(renewProtocol, { signal });
      const exchange = new Exchange(stream, limits.controlFrameBytesMax);
      const renewed = await ask(exchange, credentials, limits);
      exchange.close();
      // This peer may have left the cluster, or joined another, while it waited.
      if (this.#credentials !== credentials) return false;
      void this.#keep(renewed);
      return true;
    } catch (thrown) {
      rethrowInvariant(thrown);
      log.warn({ reason: messageOf(thrown) }, "Certificate could not be renewed");
      if (thrown instanceof NotAdmitted) throw thrown;
      return false;
    }
  }

  async #keep(credentials: Credentials): Promise<void> {
    this.#credentials = credentials;
    // The others go by the certificate that this peer showed last.
    for (const { show } of this.#options.links.all()) show();
    await this.#options.door.onRenewed(credentials);
  }

  /** Makes the next root key the root key. */
  #replaceRoot(credentials: Credentials, next: NextRootCredentials): void {
    const { door, links, log } = this.#options;
    const { rootPublicKey, rootPrivateKey, certificate } = next;
    if (certificate === undefined) {
      // The leader waits for every node, so this disk must have been restored from an older copy.
      log.error({}, "The root key was replaced while this peer was away; join again with a token");
      return;
    }
    const { clusterId } = credentials;
    void this.#keep({ clusterId, rootPublicKey, rootPrivateKey, certificate });
    log.info({}, "The root key was replaced");
    // A peer that is not a member may be connected with a certificate of the old key.
    const members = new Set(door.members().map(({ nodeId }) => nodeId));
    for (const { nodeId } of links.all()) {
      if (!members.has(nodeId)) links.drop(nodeId, "the root key was replaced");
    }
  }

  /** Whether the state says that this peer is not a manager, against its certificate. */
  #isDemoted(): boolean {
    const certificate = this.#credentials?.certificate;
    return certificate?.role === "manager" && roleNow(certificate, this.#options.door) === "worker";
  }

  /** Whether a worker's certificate has come. */
  async #stepDown(): Promise<boolean> {
    const ask: Ask = (exchange, known, limits) => askToRenew(exchange, known, limits, true);
    if (!(await this.#askManagers(ask))) return false;
    this.#options.log.info({}, "Host became a worker and deleted the root key");
    return true;
  }

  #isManager(): boolean {
    const { door, identity } = this.#options;
    return door
      .members()
      .some(({ nodeId, role }) => nodeId === identity.nodeId && role === "manager");
  }

  #renewOwn(): void {
    const { identity, clock } = this.#options;
    const credentials = this.#credentials;
    const rootPrivateKey = credentials?.rootPrivateKey;
    const nowMs = clock.wallMs();
    if (credentials === undefined || rootPrivateKey === undefined || this.#isDemoted()) return;
    if (!isDue(credentials.certificate, nowMs)) return;
    const { clusterId } = credentials;
    const { role } = credentials.certificate;
    const { door } = this.#options;
    const own = { asOf: door.index(), lifeMs: door.certificateLifeMs() };
    const subject = { clusterId, publicKey: identity.publicKey, role, ...own };
    const certificate = issueCertificate(rootPrivateKey, subject, nowMs);
    void this.#keep({ ...credentials, certificate });
  }
}

/** For a catch: false if the manager refused this peer, so it gave no certificate. */
function notAdmitted(thrown: unknown): false {
  if (!(thrown instanceof NotAdmitted)) throw thrown;
  return false;
}
