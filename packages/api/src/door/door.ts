/**
 * Door: what the HTTP room needs from the agent, and all that it knows of it.
 *
 * Decides nothing. The agent implements it over the peer and the mesh, tests over a store in memory.
 */
import type { Readable } from "node:stream";
import type { NetworkId, NodeId } from "@gam/core";
import type {
  AskedChange,
  Availability,
  ClusterSpec,
  DataPath,
  Event,
  NodeRole,
  Task,
  View,
} from "@gam/state";
import type { GamStatus, JoinTokens } from "@gam/state/answers";
import type { DoctorDoor } from "./gam-doctor.ts";
import type { RecoverDoor } from "./gam-recover.ts";

export interface InitRequest {
  /** `host:port`, an interface or a host, as the client wrote it; undefined when it said nothing. */
  readonly listenAddr: string | undefined;
  readonly advertiseAddr: string | undefined;
  readonly availability: Availability;
  readonly spec: ClusterSpec;
  readonly dataPath: DataPath;
}

export interface SwarmJoinRequest {
  readonly token: string;
  /** `host:port` of peers to ask. Empty: those that the token names. */
  readonly addresses: readonly string[];
  readonly listenAddr: string | undefined;
  readonly advertiseAddr: string | undefined;
  readonly availability: Availability;
}

/** As the Engine API's `GET /containers/{id}/logs` has them. */
export interface LogsOptions {
  readonly follow: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** Seconds since 1970, with a fraction if the client wrote one; "" for none. */
  readonly since: string;
  readonly until: string;
  readonly timestamps: boolean;
  /** "all" or a number of lines. */
  readonly tail: string;
  /** Attributes of the log driver at the head of each line. */
  readonly details: boolean;
  /** Ends the stream where it comes from, too. */
  readonly signal: AbortSignal;
}

export interface ClusterDoor extends DoctorDoor, RecoverDoor {
  /** Of this peer, also before it is in a cluster. */
  readonly self: NodeId;
  /** `inactive` before init or join, and after leave. */
  state(): "inactive" | "active";
  /** The replicated state as this peer has it now. Live: it moves between two calls. */
  view(): View;
  leader(): NodeId | undefined;
  voters(): readonly NodeId[];
  /** Whether this peer hears that one now, as far as it can tell. */
  reachable(id: NodeId): boolean;
  /**
   * Resolves when view() holds everything that was acknowledged before the call. Bounded: where no
   * leader answers, it resolves with the copy as it is. Never rejects.
   */
  fresh(): Promise<void>;
  /**
   * Resolves when the changes are applied on this peer.
   * Errors: GamError STALE_VERSION, NAME_IN_USE, NOT_FOUND, IN_USE, BAD_REQUEST, NO_LEADER.
   */
  propose(changes: readonly AskedChange[]): Promise<{ readonly index: number }>;
  /** 25 characters of base36 that nothing in this cluster has been called before. */
  mint(): string;
  /** Events of this peer's copy from now on, in order. Returns what ends the subscription. */
  subscribe(listener: (event: Event) => void): () => void;
  /** Errors: GamError REFUSED, BAD_REQUEST. */
  init(request: InitRequest): Promise<NodeId>;
  /** Resolves when this peer is a member and its node is in view(). Errors: BAD_TOKEN, UNREACHABLE, REFUSED. */
  join(request: SwarmJoinRequest): Promise<void>;
  /**
   * Only asked while active: finds the other members again where the token says, when all of them have
   * new addresses. False for a token of another cluster. Errors: BAD_TOKEN, UNREACHABLE.
   */
  meet(request: Pick<SwarmJoinRequest, "token" | "addresses">): Promise<boolean>;
  /** `force` leaves even if the others cannot be told, or if this is the last one. */
  leave(force: boolean): Promise<void>;
  /**
   * As propose(), and in the same write the cluster's root key begins to be replaced by one made here,
   * and there are new tokens.
   * Errors: NOT_SUPPORTED on a worker; those of propose().
   */
  rotateRoot(changes: readonly AskedChange[]): Promise<void>;
  /**
   * As propose(), and in the same write there are new tokens of these roles. Old ones are refused then.
   * Errors: NOT_SUPPORTED on a worker; those of propose().
   */
  rotateTokens(roles: readonly NodeRole[], changes: readonly AskedChange[]): Promise<void>;
  /** Join tokens, whole. Only asked while active. Errors: NOT_SUPPORTED on a worker. */
  tokens(): JoinTokens;
  /**
   * The raw engine log stream of a task's container (frames of 8-byte header and payload, without
   * frames if it has a tty), wherever the task runs.
   * Errors: GamError NOT_FOUND (no container), UNREACHABLE, ENGINE_MISSING.
   */
  containerLogs(task: Task, options: LogsOptions): Promise<Readable>;
  /**
   * Resolves when the local engine has a network that stands for this one, with this node's gateway and
   * all that joins it to the other nodes. Asked only after the leader has given the gateway. Bounded.
   * Errors: GamError NOT_SUPPORTED (this node takes no part in networks), ENGINE_MISSING, ENGINE_FAILED.
   */
  ensureNetwork(id: NetworkId): Promise<void>;
  /** Answer of `GET /gam/v1/status`. */
  status(): GamStatus;
}
