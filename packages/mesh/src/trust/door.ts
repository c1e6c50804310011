/**
 * Door: what the mesh needs from the agent, and what the agent sees of the mesh.
 *
 * Decides nothing. The agent answers MeshDoor from the replicated state; tests answer from a map.
 */
import type { Clock, NodeId } from "@gam/core";
import type { Role } from "./certificate.ts";
import type { Credentials } from "./credentials.ts";
import type { Identity } from "./identity.ts";
import type { Limits } from "./limits.ts";
import type { MessageProtocols } from "./protocols.ts";

/** The part of a pino logger that the mesh uses. */
export interface Logger {
  debug(fields: object, text: string): void;
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

/** Whether the node is to get tasks, as in a node's spec. */
export type JoinAvailability = "active" | "pause" | "drain";

/** A peer that asks to become a member and has proved that it has the role's token. */
export interface JoinRequest {
  readonly nodeId: NodeId;
  readonly role: Role;
  /** Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array;
  /** `host:port` where the others reach it, best first. */
  readonly addresses: readonly string[];
  readonly availability: JoinAvailability;
  /** The newest dialect of the log that it reads. */
  readonly dialect: number;
}

/** What the connection proves about the sender of a message. */
export interface VerifiedSender {
  /** From its certificate. The state may know a newer role: see Certificate.asOf. */
  readonly role: Role;
  readonly asOf: number;
  /** Hosts at which this peer has found the owner of the sender's key. */
  readonly hosts: ReadonlySet<string>;
}

export interface Member {
  readonly nodeId: NodeId;
  readonly role: Role;
  /** `host:port`, best first. */
  readonly addresses: readonly string[];
}

/** The keys that verify a join token of each role, from the replicated state: see tokenKeyOf(). */
export interface TokenKeys {
  readonly manager: Uint8Array;
  readonly worker: Uint8Array;
}

export interface MeshDoor {
  /** Undefined while this peer does not know them (no state yet): joins are refused with that reason. */
  tokenKeys(): TokenKeys | undefined;
  /** How long new certificates are valid. */
  certificateLifeMs(): number;
  /** The log index of this peer's copy of the state. */
  index(): number;
  /** Members in the state. Joiners get the list, and only these may renew a certificate. */
  members(): readonly Member[];
  /** Whether a member of that id was removed and has not joined again since. */
  isRemoved(nodeId: NodeId): boolean;
  /**
   * Makes the joiner a member, before it gets its certificate. Rejects with GamError to refuse it;
   * the joiner gets the message.
   */
  onJoinRequest(request: JoinRequest): Promise<void>;
  /** The root keys in the state. Undefined while this peer's copy may be old. */
  roots(): Roots | undefined;
  /** A certificate was renewed, or the root key is being replaced: keep these on disk. Never rejects. */
  onRenewed(credentials: Credentials): Promise<void>;
}

export interface Roots {
  /** Ed25519, 32 bytes. */
  readonly current: Uint8Array;
  /** The key that is to replace it. */
  readonly next?: {
    readonly rootPublicKey: Uint8Array;
    readonly signature: Uint8Array;
    /** Nodes that report a certificate of it. */
    readonly holders: ReadonlySet<NodeId>;
  };
}

export interface MeshOptions {
  readonly identity: Identity;
  /** Absent before init or join: the mesh listens and lets nobody in until `become` or `join`. */
  readonly credentials?: Credentials | undefined;
  /** Port 0 takes a free one; see addresses(). */
  readonly listen: { readonly host: string; readonly port: number };
  /**
   * Where others reach this peer: `host:port`, `host` or the name of an interface. Absent: the addresses of
   * all interfaces.
   */
  readonly advertise?: string | undefined;
  /** The newest dialect of the log that this peer reads, for the manager that lets it in. Absent: 1. */
  readonly dialect?: number;
  /** Versions of the messages that are spoken. Absent: those of this release. */
  readonly protocols?: MessageProtocols;
  readonly log: Logger;
  readonly door: MeshDoor;
  readonly clock?: Clock;
  readonly limits?: Partial<Limits>;
}

export type GossipTopic = "usage" | "rumour";

/**
 * "refused": its host answered that nothing listens there. Repeated about every 500 ms while that
 * is so. Silence is not reported, since it proves nothing.
 */
export type PeerReachability = "connected" | "disconnected" | "refused";

/** A peer to stay connected to, and where it was last seen. */
export interface Wanted {
  readonly nodeId: NodeId;
  readonly addresses: readonly string[];
}

/** One row of the connection table. Counters are since the agent started. */
export interface PeerRow {
  readonly nodeId: NodeId;
  readonly role: Role | undefined;
  /** Where it is connected, or where it is looked for. */
  readonly address: string | undefined;
  /** Those that the peer announces, and those from setPeers. */
  readonly addresses: readonly string[];
  readonly state: "connected" | "silent" | "refused" | "connecting";
  /** Of the last ping; undefined before the first. */
  readonly rttMs: number | undefined;
  /** How long it has been in this state. */
  readonly sinceMs: number;
  readonly sentFrames: number;
  readonly sentBytes: number;
  readonly droppedFrames: number;
  readonly receivedFrames: number;
}
