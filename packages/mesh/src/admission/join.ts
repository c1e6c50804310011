/**
 * Join: how a host becomes a member, and how a member gets a fresh certificate.
 *
 *   joiner -> join {nonce}
 *          <- welcome {root public key, certificate, nonce}
 *             the joiner compares the root with its token, and the certificate with the root
 *   joiner -> proof {signature of the transcript by the token's key, addresses, availability}
 *          <- admitted {certificate, root private key for managers, members} or refused {…}
 *
 * The secret is never sent, and the joiner proves nothing before the responder has proved that it is a member.
 * The joiner's role is that of the token whose key fits. Decides nothing about membership: the agent commits it first.
 */
import { type Check, check, equalBytes, GamError, messageOf, type NodeId } from "@gam/core";
import type { Connection } from "@libp2p/interface";
import { addressOf, hostPart } from "../trust/address.ts";
import {
  type Certificate,
  isExpired,
  isSignedBy,
  issueCertificate,
  type Role,
  readCertificate,
  writeCertificate,
} from "../trust/certificate.ts";
import {
  type Credentials,
  fingerprintOf,
  isTrusted,
  type NextRootCredentials,
} from "../trust/credentials.ts";
import type { JoinAvailability, Logger, Member, MeshDoor } from "../trust/door.ts";
import { nodeIdOfKey, publicKeyOf } from "../trust/identity.ts";
import type { Limits } from "../trust/limits.ts";
import { roleNow } from "../trust/role-now.ts";
import { publicKeyOfSeed } from "../trust/signature.ts";
import {
  isProved,
  makeNonce,
  nonceBytes,
  proveSecret,
  type Token,
  type Transcript,
} from "../trust/token.ts";
import type { Exchange } from "../wire/exchange.ts";
import { cutOff, hangUp } from "../wire/hang-up.ts";
import { addressesCheck, idOf, NotAdmitted, refusalCheck } from "./admission.ts";
import type { AdmissionRefusal, Refusals } from "./refusals.ts";
import type { Throttle } from "./throttle.ts";

/** Spoken by strangers that have a token. */
export const joinProtocol = "/gam/join/1";
/** Spoken by members that want a fresh certificate. */
export const renewProtocol = "/gam/renew/1";

const nonceCheck = check.bytesExactly(nonceBytes);
const keyCheck = check.bytesExactly(32);
const roleCheck = check.literal<Role>("manager", "worker");
const joinCheck = check.object({ kind: check.literal("join"), nonce: nonceCheck });
const proofCheck = check.object({
  kind: check.literal("proof"),
  proof: check.bytes(64),
  addresses: addressesCheck,
  availability: check.literal<JoinAvailability>("active", "pause", "drain"),
  /** Absent: dialect 1. */
  dialect: check.optional(check.integer(1)),
});
const renewCheck = check.object({
  kind: check.literal("renew"),
  certificate: check.bytes(2048),
  /** Public half of the root key that is to sign. Absent: the one that signed the old certificate. */
  root: check.optional(keyCheck),
});

type Refused = { kind: "refused"; refusal: AdmissionRefusal; reason: string };
const refusedCheck = check.object({
  kind: check.literal("refused"),
  refusal: refusalCheck,
  reason: check.string(1000),
});

type Welcome = {
  kind: "welcome";
  rootPublicKey: Uint8Array;
  certificate: Uint8Array;
  nonce: Uint8Array;
};
const welcomeCheck = check.union<Welcome | Refused>({
  welcome: check.object({
    kind: check.literal("welcome"),
    rootPublicKey: keyCheck,
    certificate: check.bytes(2048),
    nonce: nonceCheck,
  }),
  refused: refusedCheck,
});

type Admitted = {
  kind: "admitted";
  certificate: Uint8Array;
  rootPrivateKey?: Uint8Array | undefined;
  members: { nodeId: NodeId; role: Role; addresses: string[] }[];
};
const membersMax = 10_000;
const admittedCheck = check.union<Admitted | Refused>({
  admitted: check.object({
    kind: check.literal("admitted"),
    certificate: check.bytes(2048),
    rootPrivateKey: check.optional(keyCheck),
    members: check.list(
      check.object({ nodeId: check.id<NodeId>(), role: roleCheck, addresses: addressesCheck }),
      membersMax,
    ),
  }),
  refused: refusedCheck,
});

type Renewed = {
  kind: "renewed";
  certificate: Uint8Array;
  rootPrivateKey?: Uint8Array | undefined;
};
/** The manager does not have that root key yet. Not an error. */
type Unable = { kind: "unable" };
const renewedCheck = check.union<Renewed | Refused | Unable>({
  unable: check.object({ kind: check.literal("unable") }),
  renewed: check.object({
    kind: check.literal("renewed"),
    certificate: check.bytes(2048),
    rootPrivateKey: check.optional(keyCheck),
  }),
  refused: refusedCheck,
});

export interface Joined {
  readonly credentials: Credentials;
  readonly members: readonly Member[];
}

/**
 * The joiner's side.
 *
 * Errors: NotAdmitted when the cluster refuses this host, REFUSED when it is not the token's cluster,
 *         UNREACHABLE when it does not answer, BAD_FRAME when its answer cannot be read.
 */
export async function askToJoin(
  exchange: Exchange,
  connection: Connection,
  asking: {
    readonly self: { readonly nodeId: NodeId; readonly publicKey: Uint8Array };
    readonly token: Token;
    readonly addresses: readonly string[];
    readonly availability: JoinAvailability;
    readonly dialect?: number | undefined;
    readonly limits: Limits;
    readonly wallMs: () => number;
    /** Called when the peer has answered: a failure after that is not retried. */
    readonly onAnswer: () => void;
  },
): Promise<Joined> {
  const { self, token, limits, wallMs } = asking;
  const nonce = makeNonce();
  exchange.send({ kind: "join", nonce });
  const answer = await exchange.next(welcomeCheck, "welcome", limits.helloMs);
  asking.onAnswer();
  const welcome = granted(answer);
  const rootPublicKey = Uint8Array.from(welcome.rootPublicKey); // A copy: the decoded key is a view of a frame.
  const wrong = (what: string): GamError =>
    new GamError("REFUSED", `Cannot join at "${addressOf(connection.remoteAddr)}": ${what}`);
  if (fingerprintOf(rootPublicKey) !== token.fingerprint) {
    throw wrong("the token is of another cluster, or from before its root key was replaced");
  }
  const theirs = readCertificate(welcome.certificate);
  if (theirs.role !== "manager") throw wrong("it is a worker, and only managers let hosts in");
  const key = publicKeyOf(connection.remotePeer);
  if (
    key === undefined ||
    nodeIdOfKey(key) !== theirs.nodeId ||
    !isSignedBy(rootPublicKey, theirs)
  ) {
    throw wrong("it cannot prove that it is a member of the cluster");
  }
  if (isExpired(theirs, wallMs())) throw wrong("its certificate has expired; compare the clocks");
  const proof = proveSecret(token.secret, {
    fingerprint: token.fingerprint,
    joiner: self.nodeId,
    responder: theirs.nodeId,
    joinerNonce: nonce,
    responderNonce: welcome.nonce,
  });
  const { addresses, availability, dialect } = asking;
  exchange.send({ kind: "proof", proof, addresses, availability, dialect });
  const admitted = granted(await exchange.next(admittedCheck, "admission", limits.joinMs));
  const certificate = readCertificate(admitted.certificate);
  const { members } = admitted;
  const rootPrivateKey = admitted.rootPrivateKey && Uint8Array.from(admitted.rootPrivateKey);
  if (!isSignedBy(rootPublicKey, certificate) || certificate.nodeId !== self.nodeId) {
    throw wrong("it sent a certificate of another peer or cluster");
  }
  if (rootPrivateKey !== undefined && !equalBytes(publicKeyOfSeed(rootPrivateKey), rootPublicKey)) {
    throw wrong("it sent a root key that is not the cluster's");
  }
  const { clusterId } = certificate;
  return { credentials: { clusterId, rootPublicKey, rootPrivateKey, certificate }, members };
}

/**
 * Asks for a certificate with a new date and with the role in the state. `isDemoted`: accepts a worker's
 * certificate in exchange for a manager's. Errors: as askToJoin.
 */
export async function askToRenew(
  exchange: Exchange,
  credentials: Credentials,
  limits: Limits,
  isDemoted: boolean,
): Promise<Credentials> {
  const { certificate: old, rootPublicKey, rootPrivateKey: known } = credentials;
  const fresh = await askFor(exchange, { old, rootPublicKey, known, isDemoted }, limits, undefined);
  const { next } = credentials;
  if (!isDemoted || next === undefined) return { ...credentials, ...fresh };
  const { rootPublicKey: nextKey, signature } = next;
  return { ...credentials, ...fresh, next: { rootPublicKey: nextKey, signature } };
}

/** Asks for a certificate of the next root key, and for that key if this is a manager. Errors: as askToJoin. */
export async function askForNext(
  exchange: Exchange,
  credentials: Credentials,
  next: NextRootCredentials,
  limits: Limits,
): Promise<Credentials> {
  const { rootPublicKey, rootPrivateKey: known } = next;
  const asking = { old: credentials.certificate, rootPublicKey, known, isDemoted: false };
  const { certificate, rootPrivateKey } = await askFor(exchange, asking, limits, rootPublicKey);
  return {
    ...credentials,
    next: { ...next, certificate, ...(rootPrivateKey && { rootPrivateKey }) },
  };
}

async function askFor(
  exchange: Exchange,
  asking: {
    readonly old: Certificate;
    readonly rootPublicKey: Uint8Array;
    readonly known: Uint8Array | undefined;
    /** This peer's own state says that it is not a manager any more. */
    readonly isDemoted: boolean;
  },
  limits: Limits,
  root: Uint8Array | undefined,
): Promise<Pick<Credentials, "certificate" | "rootPrivateKey">> {
  const { old, rootPublicKey, known } = asking;
  exchange.send({ kind: "renew", certificate: writeCertificate(old), root });
  const answer = granted(await exchange.next(renewedCheck, "certificate", limits.helloMs));
  if (answer.kind === "unable") {
    throw new GamError("NOT_FOUND", "Cannot renew: that manager does not have the root key yet");
  }
  const certificate = readCertificate(answer.certificate);
  const { nodeId, role } = old;
  const given = answer.rootPrivateKey && Uint8Array.from(answer.rootPrivateKey);
  const isManager = certificate.role === "manager";
  // A demoted manager deletes the key.
  const rootPrivateKey = isManager ? (given ?? known) : undefined;
  const ours = certificate.nodeId === nodeId && isSignedBy(rootPublicKey, certificate);
  const fits = isManager || role === "worker" || asking.isDemoted;
  const keyed = isManager === (rootPrivateKey !== undefined);
  const cluster = given === undefined || equalBytes(publicKeyOfSeed(given), rootPublicKey);
  if (!ours || !fits || !keyed || !cluster) {
    throw new GamError(
      "REFUSED",
      "Cannot renew: the manager's answer does not fit this peer, its role or the root key",
    );
  }
  return { rootPrivateKey, certificate };
}

type Subject = Pick<Certificate, "clusterId" | "publicKey" | "role" | "asOf">;

export interface ResponderOptions {
  readonly self: NodeId;
  readonly limits: Limits;
  readonly door: MeshDoor;
  readonly log: Logger;
  readonly refusals: Refusals;
  readonly throttle: Throttle;
  readonly credentials: () => Credentials | undefined;
  readonly nowMs: () => number;
  readonly wallMs: () => number;
  /** Called when the joiner has proved the secret: its connection may stay open until the commit. */
  readonly onProved: (connection: Connection) => void;
}

/** The member's side. Neither method rejects: a peer that fails gets the reason, is logged, counted and cut off. */
export class Responder {
  readonly #options: ResponderOptions;

  constructor(options: ResponderOptions) {
    this.#options = options;
  }

  async join(exchange: Exchange, connection: Connection): Promise<void> {
    await this.#guard(exchange, connection, () => this.#join(exchange, connection));
  }

  async renew(exchange: Exchange, connection: Connection): Promise<void> {
    await this.#guard(exchange, connection, () => this.#renew(exchange, connection));
  }

  async #guard(
    exchange: Exchange,
    connection: Connection,
    serve: () => Promise<void>,
  ): Promise<void> {
    const { refusals } = this.#options;
    const address = addressOf(connection.remoteAddr);
    try {
      await serve();
      exchange.close();
    } catch (thrown) {
      if (!(thrown instanceof GamError)) throw thrown;
      const rubbish = thrown.code === "BAD_FRAME";
      const refusal = thrown instanceof NotAdmitted ? thrown.refusal : rubbish ? "rubbish" : "join";
      const reason = messageOf(thrown).slice(0, 1000);
      refusals.add(refusal, address, idOf(connection), reason);
      if (rubbish) return cutOff(connection, reason);
      exchange.send({ kind: "refused", refusal, reason } satisfies Refused);
      exchange.close();
      hangUp(connection);
    }
  }

  async #join(exchange: Exchange, connection: Connection): Promise<void> {
    const { self, limits, door, log } = this.#options;
    const { nonce: joinerNonce } = await this.#first(exchange, connection, joinCheck);
    const { credentials, rootPrivateKey } = this.#signing();
    const publicKey = publicKeyOf(connection.remotePeer);
    if (publicKey === undefined) throw new NotAdmitted("join", "its key is of another kind");
    const responderNonce = makeNonce();
    const { rootPublicKey } = credentials;
    exchange.send({
      kind: "welcome",
      rootPublicKey,
      certificate: writeCertificate(credentials.certificate),
      nonce: responderNonce,
    } satisfies Welcome);
    const asking = await exchange.next(proofCheck, "proof", limits.helloMs);
    const { proof, addresses, availability, dialect = 1 } = asking;
    const nodeId = nodeIdOfKey(publicKey);
    const fingerprint = fingerprintOf(rootPublicKey);
    const asked = this.#roleOf(
      { fingerprint, joiner: nodeId, responder: self, joinerNonce, responderNonce },
      proof,
    );
    this.#options.onProved(connection);
    const host = { nodeId, publicKey, addresses, dialect };
    await door.onJoinRequest({ ...host, role: asked, availability });
    // A host that just joined with the other token keeps that token's role.
    const role = door.members().find((member) => member.nodeId === nodeId)?.role ?? asked;
    const now = this.#options.credentials();
    if (now === undefined || !equalBytes(now.rootPublicKey, rootPublicKey)) {
      throw new NotAdmitted(
        "join",
        "the root key was replaced just now; ask a peer for a new token",
      );
    }
    const subject = { clusterId: credentials.clusterId, publicKey, role };
    const certificate = this.#issue(rootPrivateKey, subject);
    log.info({ nodeId, role, address: addressOf(connection.remoteAddr) }, "Peer joined");
    exchange.send({
      kind: "admitted",
      certificate: writeCertificate(certificate),
      rootPrivateKey: role === "manager" ? rootPrivateKey : undefined,
      members: door.members().map((one) => ({ ...one, addresses: [...one.addresses] })),
    } satisfies Admitted);
  }

  async #renew(exchange: Exchange, connection: Connection): Promise<void> {
    const { door, log } = this.#options;
    const asked = await this.#first(exchange, connection, renewCheck);
    const { credentials } = this.#signing();
    const rootPrivateKey = signingKey(credentials, asked.root);
    if (rootPrivateKey === undefined) {
      exchange.send({ kind: "unable" } satisfies Unable);
      return;
    }
    const old = readCertificate(asked.certificate);
    const publicKey = publicKeyOf(connection.remotePeer);
    const owner = publicKey !== undefined && nodeIdOfKey(publicKey) === old.nodeId;
    if (!owner || !isTrusted(credentials, old)) {
      throw new NotAdmitted("stranger", "the certificate is of another peer or cluster");
    }
    const member = door.members().find(({ nodeId }) => nodeId === old.nodeId);
    if (member === undefined || door.isRemoved(old.nodeId)) {
      throw new NotAdmitted("removed", "it is not a member any more; join again with a token");
    }
    const { role } = member;
    // A manager has the key that signed its old certificate, but perhaps not the next one.
    const lacksKey = role === "manager" && (old.role === "worker" || asked.root !== undefined);
    const subject = { clusterId: credentials.clusterId, publicKey, role };
    const certificate = this.#issue(rootPrivateKey, subject);
    log.info({ nodeId: old.nodeId, role }, "Certificate renewed");
    exchange.send({
      kind: "renewed",
      certificate: writeCertificate(certificate),
      rootPrivateKey: lacksKey ? rootPrivateKey : undefined,
    } satisfies Renewed);
  }

  async #first<T>(exchange: Exchange, connection: Connection, shape: Check<T>): Promise<T> {
    const { throttle, nowMs, limits } = this.#options;
    const address = addressOf(connection.remoteAddr);
    const allowed = throttle.allows(hostPart(address), nowMs());
    const first = await exchange.next(shape, "request", limits.helloMs);
    if (allowed) return first;
    // Only after its request: an answer that overtakes the request would be lost.
    throw new NotAdmitted("flood", "too many attempts from this host; wait a few seconds");
  }

  #signing(): { credentials: Credentials; rootPrivateKey: Uint8Array } {
    const credentials = this.#options.credentials();
    if (credentials === undefined) throw new NotAdmitted("join", "this peer is in no cluster");
    const { rootPrivateKey, certificate } = credentials;
    const isManager = roleNow(certificate, this.#options.door) === "manager";
    if (rootPrivateKey === undefined || !isManager) {
      throw new NotAdmitted("join", "this peer is a worker and lets nobody in; ask a manager");
    }
    return { credentials, rootPrivateKey };
  }

  /** The role of the token that the joiner has. */
  #roleOf(transcript: Transcript, proof: Uint8Array): Role {
    const keys = this.#options.door.tokenKeys();
    if (keys === undefined) {
      throw new NotAdmitted("join", "this peer does not know the tokens yet; try again shortly");
    }
    if (isProved(keys.manager, transcript, proof)) return "manager";
    if (isProved(keys.worker, transcript, proof)) return "worker";
    throw new NotAdmitted("join", "the token is wrong or was rotated; ask a peer for the new one");
  }

  #issue(rootPrivateKey: Uint8Array, subject: Omit<Subject, "asOf">): Certificate {
    const { door, wallMs } = this.#options;
    const own = { asOf: door.index(), lifeMs: door.certificateLifeMs() };
    return issueCertificate(rootPrivateKey, { ...subject, ...own }, wallMs());
  }
}

/** Private half of the root key `root`. Undefined: this manager does not have it. */
function signingKey(
  credentials: Credentials,
  root: Uint8Array | undefined,
): Uint8Array | undefined {
  const { rootPublicKey, rootPrivateKey, next } = credentials;
  if (root === undefined || equalBytes(root, rootPublicKey)) return rootPrivateKey;
  return next !== undefined && equalBytes(root, next.rootPublicKey)
    ? next.rootPrivateKey
    : undefined;
}

function granted<T extends { kind: string }>(answer: T | Refused): T {
  if (isRefused(answer)) throw new NotAdmitted(answer.refusal, answer.reason);
  return answer;
}

function isRefused(answer: { kind: string }): answer is Refused {
  return answer.kind === "refused";
}
