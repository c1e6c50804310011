/**
 * Door: everything that the HTTP API needs from the agent. It knows nothing else of the agent.
 *
 * Decides nothing. The agent implements it over the peer and the mesh, tests over a store in memory.
 */
import type { Duplex, Readable } from "node:stream";
import type { NetworkId, NodeId, SecretId, ServiceId, TaskId, VolumeName } from "@gam/core";
import type {
  AskedChange,
  Availability,
  ClusterSpec,
  DataPath,
  Event,
  NodeRole,
  Outcome,
  RebalanceMove,
  Sealed,
  SealedForRoots,
  Secret,
  Usage,
  View,
} from "@gam/state";
import type {
  BackupManifest,
  GamPackage,
  GamStatus,
  GivenPackage,
  HttpReport,
  ImagePush,
  JoinTokens,
  PlanReport,
  PruneRow,
  UpgradeReport,
  WhyReport,
} from "@gam/state/answers";
import type { DoctorDoor } from "./doctor-facts.ts";
import type { RecoverDoor } from "./gam-recover.ts";

export interface InitRequest {
  /** `host:port`, an interface or a host, as the client wrote it; undefined if it sent none. */
  readonly listenAddr: string | undefined;
  readonly advertiseAddr: string | undefined;
  readonly availability: Availability;
  readonly spec: ClusterSpec;
  readonly dataPath: DataPath;
}

export interface SwarmJoinRequest {
  readonly token: string;
  /** `host:port` of peers to ask. Empty: those in the token. */
  readonly addresses: readonly string[];
  readonly listenAddr: string | undefined;
  readonly advertiseAddr: string | undefined;
  readonly availability: Availability;
}

export type ClusterState = "inactive" | "locked" | "active";
/**
 * Seals for the state what only managers may read. Errors: NOT_SUPPORTED on a worker; IN_USE while the root key is
 * replaced and this manager does not have the next one yet; REFUSED for what no key of this manager opens.
 */
export interface SecretSeals {
  sealSecret(id: SecretId, version: number, data: Uint8Array): Sealed;
  /** Returns: the data of that version. */
  openSecret(secret: Secret, version: number): Uint8Array;
  /** `text`: the client's `X-Registry-Auth`. */
  sealCredentials(service: ServiceId, text: string): Sealed;
}

export type WhySubject =
  | { readonly kind: "task"; readonly id: TaskId }
  | { readonly kind: "service"; readonly id: ServiceId }
  | { readonly kind: "node"; readonly id: NodeId };

/** A copy of the state to try changes on. */
export interface RehearsalDoor {
  readonly view: View;
  propose(changes: readonly AskedChange[]): Outcome;
  /** Returns: what would follow from the changes. Takes long where there are many tasks. */
  finish(): PlanReport;
}

/** A backup of a volume, on its way. */
export interface BackupStream {
  readonly tar: Readable;
  /** Called when `tar` has ended. Errors: GamError CORRUPT_FILE where something else arrived than was sent. */
  readonly manifest: (found: { readonly bytes: number; readonly sha256: string }) => BackupManifest;
}

export interface BackupSourceDoor {
  /** Errors: GamError NOT_FOUND, CORRUPT_FILE, REFUSED, UNREACHABLE. */
  manifest(file: string): Promise<BackupManifest>;
  read(file: string): Promise<Readable>;
}

export interface RestoreDoorWish {
  readonly volume: VolumeName;
  readonly node: NodeId;
  /** For people: where the data comes from. */
  readonly source: string;
  readonly manifest?: BackupManifest | undefined;
  readonly tar: Readable;
}

export interface BackupDoor {
  /** Begins a backup of the node's volume. Errors: GamError UNREACHABLE, REFUSED; later ones end `tar`. */
  take(volume: VolumeName, node: NodeId): Promise<BackupStream>;
  /**
   * Where a backup can be read that was put to `to`; `maker` is the host that made it.
   * Errors: GamError NOT_FOUND, BAD_REQUEST, UNREACHABLE.
   */
  source(
    wish: { readonly to: string; readonly secret: SecretId | undefined },
    maker: NodeId,
  ): Promise<BackupSourceDoor>;
  /** Resolves to what a restore would find on the node. Errors: GamError UNREACHABLE, NOT_SUPPORTED. */
  look(
    volume: VolumeName,
    node: NodeId,
  ): Promise<{
    readonly exists: boolean;
    readonly presentBytes: number;
    readonly freeBytes: number;
    readonly blockers: readonly string[];
  }>;
  /** Resolves to the id of the restore when the node has the backup whole. Errors: GamError; nothing changes then. */
  restore(wish: RestoreDoorWish): Promise<string>;
}

/** Which gam runs on the hosts, and the installation of others. */
export interface UpgradeDoor {
  /** Resolves to what each host says; a host that does not answer has a problem. */
  report(): Promise<UpgradeReport>;
  /** Keeps a package on this host. Errors: GamError REFUSED for another sum, and for a file that is no package. */
  take(name: string, sha256: string, content: Readable): Promise<GamPackage>;
  /**
   * Sends a package that this host keeps to another. Resolves within some seconds, also while it goes on: call it
   * again then. Errors: GamError NOT_FOUND, UNREACHABLE.
   */
  give(node: NodeId, sha256: string): Promise<GivenPackage>;
  /**
   * Resolves when the installation has begun on that host. `back`: the host does not keep the present package as the
   * one to go back to. Errors: GamError NOT_FOUND, NOT_SUPPORTED, IN_USE, UNREACHABLE.
   */
  install(node: NodeId, sha256: string, back: boolean): Promise<void>;
}

export interface ClusterDoor extends DoctorDoor, RecoverDoor {
  /** This peer's id. It has one before it is in a cluster; "" while it is locked. */
  readonly self: NodeId;
  /** `inactive` before init or join, and after leave. `locked`: a manager that waits for unlock(). */
  state(): ClusterState;
  /** This peer's copy of the replicated state. Live: it changes between two calls. */
  view(): View;
  leader(): NodeId | undefined;
  voters(): readonly NodeId[];
  /** Whether this peer currently hears the other one, as far as it knows. */
  reachable(id: NodeId): boolean;
  /**
   * Resolves to true when view() holds everything that was acknowledged before the call. Takes bounded time: if
   * no leader answers, it resolves to false, and the copy may be old. Never rejects.
   */
  fresh(): Promise<boolean>;
  /**
   * Resolves when the changes are applied on this peer.
   * Errors: GamError STALE_VERSION, NAME_IN_USE, NOT_FOUND, IN_USE, BAD_REQUEST, NO_LEADER.
   */
  propose(changes: readonly AskedChange[]): Promise<{ readonly index: number }>;
  /** Returns: a new id, unique in this cluster: 25 characters of base36. */
  mint(): string;
  /** Subscribes to later events of this peer's copy, in order. Returns: a function that ends the subscription. */
  subscribe(listener: (event: Event) => void): () => void;
  /** Errors: GamError REFUSED, BAD_REQUEST. */
  init(request: InitRequest): Promise<NodeId>;
  /** Resolves when this peer is a member and its node is in view(). Errors: BAD_TOKEN, UNREACHABLE, REFUSED. */
  join(request: SwarmJoinRequest): Promise<void>;
  /**
   * Finds the other members at the addresses in the token, when all of them have new ones. Called only while
   * active.
   * Returns: false for a token of another cluster. Errors: BAD_TOKEN, UNREACHABLE.
   */
  meet(request: Pick<SwarmJoinRequest, "token" | "addresses">): Promise<boolean>;
  /**
   * `force` leaves even if the cluster cannot be informed, or if this is the last member.
   * Returns: whether others still list this host, because they could not be informed.
   */
  leave(force: boolean): Promise<boolean>;
  /**
   * Like propose(). The same write starts to replace the cluster's root key by one made here, and makes new
   * tokens.
   * Errors: NOT_SUPPORTED on a worker; those of propose().
   */
  rotateRoot(changes: readonly AskedChange[]): Promise<void>;
  /**
   * Like propose(). The same write makes new tokens of these roles, which invalidates the old ones.
   * Errors: NOT_SUPPORTED on a worker; those of propose().
   */
  rotateTokens(roles: readonly NodeRole[], changes: readonly AskedChange[]): Promise<void>;
  /** Returns: a new unlock key for an updateCluster. Called only while active. Errors: NOT_SUPPORTED on a worker. */
  newUnlockKey(): SealedForRoots;
  /** Returns: "" while managers are not locked. Called only while active. Errors: NOT_SUPPORTED on a worker. */
  unlockKey(): string;
  /**
   * Resolves when this host is a member again. Errors: BAD_REQUEST for a text that is no key, BAD_TOKEN for a wrong
   * one, IN_USE where nothing is locked; those of a start.
   */
  unlock(key: string): Promise<void>;
  /** Called only while active. */
  sealer(): SecretSeals;
  /** Returns: complete join tokens. Called only while active. Errors: NOT_SUPPORTED on a worker. */
  tokens(): JoinTokens;
  /**
   * Resolves to a connection to another host's ContainerServer. It ends when that host is lost.
   * Errors: GamError UNREACHABLE, REFUSED (this host is no manager), NOT_SUPPORTED (an older agent).
   */
  containersOf(node: NodeId): Promise<Duplex>;
  /** Returns: the latest usage of each host that is known here. */
  usage(): ReadonlyMap<NodeId, Usage>;
  /**
   * Resolves when the local engine has a network for this one, with this node's gateway and its links to the other
   * nodes. Called only after the leader has assigned the gateway. Takes bounded time.
   * Errors: GamError NOT_SUPPORTED (this node takes no part in networks), ENGINE_MISSING, ENGINE_FAILED.
   */
  ensureNetwork(id: NetworkId): Promise<void>;
  /**
   * Sends an image of this host's engine to others. Resolves within some seconds, also while it goes on: call it
   * again then. Errors: GamError NOT_FOUND, NOT_SUPPORTED, ENGINE_MISSING.
   */
  pushImage(image: string, nodes: readonly NodeId[]): Promise<ImagePush>;
  /** Resolves to what these hosts have deleted, or would delete without `apply`. */
  pruneImages(
    nodes: readonly NodeId[],
    wish: { readonly all: boolean; readonly apply: boolean },
  ): Promise<PruneRow[]>;
  /** Returns: tasks that would be better off on another node, the most useful first. Called only while active. */
  movesWanted(): readonly RebalanceMove[];
  /** Returns: what the HTTP proxy serves, from view(). Errors: NOT_SUPPORTED on a worker. */
  httpReport(): HttpReport;
  /** Returns: why it is as it is, from view(); undefined when there is no such object. */
  why(subject: WhySubject): WhyReport | undefined;
  rehearse(): RehearsalDoor;
  /** Called only while active. */
  backups(): BackupDoor;
  upgrades(): UpgradeDoor;
  /** Answer of `GET /gam/v1/status`. */
  status(): GamStatus;
}
