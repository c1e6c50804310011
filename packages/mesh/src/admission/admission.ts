/**
 * Admission: who is let in. Both ends of every connection show their certificate, and neither speaks
 * anything else before.
 *
 *   dialler -> hello {boot, certificate, addresses}
 *           <- hello {…} or refused {refusal, reason}      then ping and pong, for ever, and renewed {certificate}
 *
 * Decides from the certificate, the key that Noise proved, the clock and the list of removed nodes.
 * The hello stream stays open as the link's control stream. Each frame is handled in the event that brings
 * it, so a peer is admitted before any of its other streams is read.
 */
import { type Check, check, decode, encode, GamError, type NodeId } from "@gam/core";
import type { Connection, Stream } from "@libp2p/interface";
import { addressOf } from "../trust/address.ts";
import {
  type Certificate,
  isExpired,
  readCertificate,
  writeCertificate,
} from "../trust/certificate.ts";
import { type Credentials, isTrusted } from "../trust/credentials.ts";
import type { MeshDoor } from "../trust/door.ts";
import { nodeIdOfKey, publicKeyOf } from "../trust/identity.ts";
import type { Limits } from "../trust/limits.ts";
import { Channel } from "../wire/channel.ts";
import { cutOff, hangUp } from "../wire/hang-up.ts";
import type { Link, Links } from "../wire/link.ts";
import type { AdmissionRefusal, Refusals } from "./refusals.ts";

export interface AdmissionOptions {
  readonly boot: string;
  readonly limits: Limits;
  readonly door: MeshDoor;
  readonly links: Links;
  readonly refusals: Refusals;
  readonly credentials: () => Credentials | undefined;
  /** `host:port` where this peer listens, best first. */
  readonly addresses: () => readonly string[];
  readonly nowMs: () => number;
  readonly wallMs: () => number;
}

/** Whether a peer's certificate is accepted now, and if not, why. */
export type AdmissionDecision =
  | { readonly certificate: Certificate }
  | { readonly refusal: AdmissionRefusal; readonly reason: string };

/** The other end refused this peer. */
export class NotAdmitted extends GamError {
  readonly refusal: AdmissionRefusal;

  constructor(refusal: AdmissionRefusal, reason: string) {
    super("NOT_MEMBER", reason);
    this.refusal = refusal;
  }
}

/** Addresses that a peer says it listens on. */
export const addressesCheck = check.list(check.string(300), 32);
/** Checks the reason with which another peer refused this one. */
export const refusalCheck = check.literal<AdmissionRefusal>(
  "handshake",
  "stranger",
  "removed",
  "expired",
  "join",
  "flood",
  "rubbish",
);

type Frame =
  | {
      kind: "hello";
      boot: string;
      certificate: Uint8Array;
      /** Certificate of the next root key, while the root key is being replaced. */
      next?: Uint8Array | undefined;
      addresses: string[];
    }
  | { kind: "refused"; refusal: AdmissionRefusal; reason: string }
  /** The peer has got another certificate since its hello. */
  | { kind: "renewed"; certificate: Uint8Array; next?: Uint8Array | undefined }
  | { kind: "ping" | "pong"; id: number };

const pingFields = { id: check.integer(0) };
const frameCheck: Check<Frame> = check.union<Frame>({
  hello: check.object({
    kind: check.literal("hello"),
    boot: check.string(64),
    certificate: check.bytes(2048),
    next: check.optional(check.bytes(2048)),
    addresses: addressesCheck,
  }),
  refused: check.object({
    kind: check.literal("refused"),
    refusal: refusalCheck,
    reason: check.string(1000),
  }),
  renewed: check.object({
    kind: check.literal("renewed"),
    certificate: check.bytes(2048),
    next: check.optional(check.bytes(2048)),
  }),
  ping: check.object({ kind: check.literal("ping"), ...pingFields }),
  pong: check.object({ kind: check.literal("pong"), ...pingFields }),
});

export class Admission {
  static readonly protocol = "/gam/hello/1";
  readonly #options: AdmissionOptions;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** Sends hello on a connection that this peer opened. Errors: NotAdmitted, UNREACHABLE, BAD_FRAME. */
  async greet(connection: Connection): Promise<Link> {
    const { limits } = this.#options;
    const hello = this.#hello();
    const signal = AbortSignal.timeout(limits.helloMs);
    const stream = await connection.newStream(Admission.protocol, { signal });
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        channel.abort("no hello in time");
        reject(new GamError("UNREACHABLE", `Cannot connect: no hello in ${limits.helloMs} ms`));
      }, limits.helloMs);
      timer.unref();
      const channel = this.#converse(stream, connection, {
        onLinked: (link) => {
          clearTimeout(timer);
          resolve(link);
        },
        onFailed: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
      channel.send([encode(hello)]);
    });
  }

  /** Answers the hello of a peer that connected to this one. */
  answer(stream: Stream, connection: Connection): void {
    this.#converse(stream, connection, undefined);
  }

  /** Accepts the peer if either certificate is good. `next`: its certificate of the next root key. */
  judge(bytes: Uint8Array, connection: Connection, next?: Uint8Array): AdmissionDecision {
    const decision = this.#judge(readCertificate(bytes), connection);
    if ("certificate" in decision || next === undefined) return decision;
    const other = this.#judge(readCertificate(next), connection);
    return "certificate" in other ? other : decision;
  }

  #judge(certificate: Certificate, connection: Connection): AdmissionDecision {
    const credentials = this.#options.credentials();
    const reject = (refusal: AdmissionRefusal, reason: string): AdmissionDecision => ({
      refusal,
      reason,
    });
    if (credentials === undefined) return reject("stranger", "this peer is in no cluster");
    const key = publicKeyOf(connection.remotePeer);
    if (key === undefined || nodeIdOfKey(key) !== certificate.nodeId) {
      return reject("stranger", "the certificate belongs to another peer");
    }
    // Checked first, so that a removed peer learns it even if the root key was replaced meanwhile.
    if (this.#options.door.isRemoved(certificate.nodeId)) {
      return reject("removed", "it was removed from the cluster; join it again with a token");
    }
    if (!isTrusted(credentials, certificate) || certificate.clusterId !== credentials.clusterId) {
      return reject(
        "stranger",
        "the certificate is of another cluster, or of a root key that was replaced",
      );
    }
    if (isExpired(certificate, this.#options.wallMs())) {
      const until = new Date(certificate.expiresMs).toISOString();
      return reject("expired", `the certificate is valid until ${until}; compare the clocks`);
    }
    return { certificate };
  }

  #hello(): Frame {
    const { boot, addresses } = this.#options;
    return { kind: "hello", boot, ...this.#certificates(), addresses: [...addresses()] };
  }

  #certificates(): { certificate: Uint8Array; next: Uint8Array | undefined } {
    const credentials = this.#options.credentials();
    if (credentials === undefined) {
      throw new NotAdmitted("stranger", "Cannot greet: this peer is in no cluster");
    }
    const { certificate, next } = credentials;
    return {
      certificate: writeCertificate(certificate),
      next: next?.certificate && writeCertificate(next.certificate),
    };
  }

  /** `dialler`: what to do with the outcome. Undefined on the side that was connected to. */
  #converse(
    stream: Stream,
    connection: Connection,
    dialler: { onLinked: (link: Link) => void; onFailed: (error: GamError) => void } | undefined,
  ): Channel {
    const { links, nowMs, refusals, limits } = this.#options;
    const address = addressOf(connection.remoteAddr);
    let link: Link | undefined;
    const channel: Channel = new Channel(stream, {
      bodyBytesMax: limits.controlFrameBytesMax,
      onHeard: () => {
        if (link !== undefined) links.heard(link, nowMs());
      },
      onFrame: (body) => {
        const frame = frameCheck(decode(body), "hello");
        if (link !== undefined) return this.#upkeep(link, channel, frame);
        if (frame.kind === "refused") {
          dialler?.onFailed(new NotAdmitted(frame.refusal, frame.reason));
          return channel.close();
        }
        if (frame.kind !== "hello") throw new GamError("BAD_FRAME", "Cannot talk before hello");
        const decision = this.judge(frame.certificate, connection, frame.next);
        if ("refusal" in decision) {
          const { refusal, reason } = decision;
          refusals.add(refusal, address, idOf(connection), reason);
          channel.send([encode({ kind: "refused", refusal, reason } satisfies Frame)]);
          dialler?.onFailed(new NotAdmitted(refusal, `Cannot accept "${address}": ${reason}`));
          // A member whose certificate has expired may ask for a new one on this connection.
          if (refusal !== "expired" || dialler !== undefined) hangUp(connection);
          return;
        }
        if (links.of(connection) !== undefined) {
          throw new GamError("BAD_FRAME", "Cannot say hello twice");
        }
        if (dialler === undefined) channel.send([encode(this.#hello())]);
        link = this.#link(connection, channel, decision.certificate, frame);
        links.add(link);
        dialler?.onLinked(link);
      },
      onClose: (reason) => {
        // The link lives and dies with its control stream.
        if (link !== undefined) cutOff(connection, reason ?? "control stream closed");
        dialler?.onFailed(new GamError("UNREACHABLE", `Cannot connect: ${reason ?? "hung up"}`));
      },
      onRubbish: (error) => {
        refusals.add("rubbish", address, idOf(connection), error.message);
        dialler?.onFailed(error);
        cutOff(connection, error.message);
      },
    });
    return channel;
  }

  #link(
    connection: Connection,
    channel: Channel,
    certificate: Certificate,
    { boot, addresses }: Frame & { kind: "hello" },
  ): Link {
    const nowMs = this.#options.nowMs();
    const link: Link = {
      nodeId: certificate.nodeId,
      connection,
      certificate,
      boot,
      address: addressOf(connection.remoteAddr),
      addresses,
      openedMs: nowMs,
      heardMs: nowMs,
      pingedMs: Number.NEGATIVE_INFINITY,
      rttMs: undefined,
      silent: false,
      ping: () => {
        const id = Math.round(this.#options.nowMs() * 1000);
        channel.send([encode({ kind: "ping", id } satisfies Frame)]);
      },
      show: () => {
        channel.send([encode({ kind: "renewed", ...this.#certificates() } satisfies Frame)]);
      },
    };
    return link;
  }

  #upkeep(link: Link, channel: Channel, frame: Frame): void {
    switch (frame.kind) {
      case "ping":
        channel.send([encode({ kind: "pong", id: frame.id } satisfies Frame)]);
        return;
      case "pong":
        // The id is our own clock, sent back. A peer that fakes it falsifies only its own row of the table.
        link.rttMs = Math.max(0, this.#options.nowMs() - frame.id / 1000);
        return;
      case "renewed": {
        const decision = this.judge(frame.certificate, link.connection, frame.next);
        if ("certificate" in decision) {
          link.certificate = decision.certificate;
          return;
        }
        this.#options.refusals.add(decision.refusal, link.address, link.nodeId, decision.reason);
        return hangUp(link.connection);
      }
      case "refused":
        this.#options.refusals.add(frame.refusal, link.address, link.nodeId, frame.reason);
        return channel.close();
      default:
        throw new GamError("BAD_FRAME", "Cannot say hello twice");
    }
  }
}

/** How the log names the other end: by the key that it has proved. */
export function idOf(connection: Connection): NodeId | string {
  const key = publicKeyOf(connection.remotePeer);
  return key === undefined ? connection.remotePeer.toString() : nodeIdOfKey(key);
}
