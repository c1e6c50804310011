/**
 * Change: the changes that a log entry may hold, and the objects that they are about.
 *
 * A log entry is a proposal: changes that are applied together or not at all. A change from a client names the
 * version it was based on, and refuses the whole proposal when the object has changed since. A change from the
 * cluster itself is conditional on its own: it is void when its condition no longer holds (a task that was
 * removed, a state that has been passed). The other changes still apply, because the planner will look again.
 */
import type {
  ConfigId,
  NetworkId,
  NodeId,
  ProposalId,
  SecretId,
  ServiceId,
  TaskId,
  VolumeName,
} from "@gam/core";
import type { AutoscaleAdvice } from "../objects/autoscale.ts";
import type {
  Cluster,
  ClusterSpec,
  JoinToken,
  NextRoot,
  SealedForRoots,
  SealingKey,
} from "../objects/cluster.ts";
import type { Config, ConfigSpec } from "../objects/config.ts";
import type { ConfigContent, Sealed, SecretContent } from "../objects/content.ts";
import type { Labels } from "../objects/meta.ts";
import type { Network } from "../objects/network.ts";
import type {
  EngineHealth,
  GenericResource,
  Node,
  NodeDescription,
  NodeNetwork,
  NodeSpec,
  NodeStatus,
} from "../objects/node.ts";
import type { Policy } from "../objects/policy.ts";
import type { RebalanceMemory } from "../objects/rebalance.ts";
import type { Rollout, RolloutAction } from "../objects/rollouts/rollout.ts";
import type { Secret, SecretSpec } from "../objects/secret.ts";
import type {
  CronEnd,
  CronMiss,
  Endpoint,
  Service,
  ServiceSpec,
  UpdateStatus,
} from "../objects/service.ts";
import type { DesiredState, Task, TaskAttachment, TaskStatus } from "../objects/task.ts";
import type { Backup, BackupEnd } from "../objects/volumes/backup.ts";
import type { VolumeRecord } from "../objects/volumes/volume.ts";

/**
 * The replicated objects by table name. To add a kind of object, begin here; the compiler names the other
 * places.
 */
export interface Rows {
  readonly cluster: Cluster;
  readonly node: Node;
  readonly service: Service;
  readonly task: Task;
  readonly network: Network;
  readonly secret: Secret;
  readonly config: Config;
  readonly volume: VolumeRecord;
}

export type TableName = keyof Rows;

type New<T> = Omit<T, "Version" | "CreatedAt" | "UpdatedAt">;

export type NewNode = New<Node>;
export type NewTask = New<Task>;
export type NewNetwork = Omit<Network, "Version" | "Created">;

/** Changes that clients ask for, and peers that join or leave. */
export type AskedChange =
  | { readonly kind: "createCluster"; readonly cluster: New<Cluster> }
  | {
      readonly kind: "updateCluster";
      readonly spec: ClusterSpec;
      readonly basedOn: number;
      /** A new unlock key, sealed under every present root key. Absent: the cluster keeps the one that it has. */
      readonly unlockKey?: SealedForRoots | undefined;
    }
  /** Replaces the whole policy. */
  | { readonly kind: "setPolicy"; readonly policy: Policy; readonly basedOn: number }
  /** Refused unless each token is sealed under the newest root key alone. */
  | {
      readonly kind: "rotateTokens";
      readonly worker: JoinToken | undefined;
      readonly manager: JoinToken | undefined;
    }
  /**
   * Begins to replace the root key `root`, and gives up a rotation that is in progress. The tokens are new too:
   * a person who must not know the root key may know the old ones.
   */
  | {
      readonly kind: "rotateRoot";
      readonly root: string;
      readonly next: NextRoot;
      readonly tokens: Cluster["Tokens"];
      /** The cluster's unlock key, sealed under both root keys. Absent if it has none. */
      readonly unlockKey?: SealedForRoots | undefined;
      /** The present sealing keys that are in use, and a new one at the end: canFollow(). */
      readonly keys: readonly SealingKey[];
    }
  /**
   * Begins or ends to move tasks to other nodes: by itself from now on (`auto`), or once (`run`). Absent: as
   * before. Moves that have begun are finished in any case.
   */
  | {
      readonly kind: "askRebalance";
      readonly auto?: boolean | undefined;
      readonly run?: boolean | undefined;
    }
  /** Void for a key that is in use, or the newest one. */
  | { readonly kind: "dropSealingKey"; readonly id: string }
  /** A known node keeps its spec; everything else is replaced. */
  | { readonly kind: "joinNode"; readonly node: NewNode }
  | {
      readonly kind: "updateNode";
      readonly id: NodeId;
      readonly spec: NodeSpec;
      readonly basedOn: number;
    }
  /**
   * Leaves a tombstone, so that the peer cannot come back without a token. Frees the node's addresses in
   * networks: those of its bridges and of its plain containers. Refused unless the node is still in the state
   * of `onlyIf`: down, or without a description of its host.
   */
  | {
      readonly kind: "removeNode";
      readonly id: NodeId;
      readonly onlyIf?: "down" | "undescribed" | undefined;
    }
  | {
      readonly kind: "createService";
      readonly id: ServiceId;
      readonly spec: ServiceSpec;
      /** Refused unless sealed with the newest key. Absent: pulls need no credentials. */
      readonly registryAuth?: Sealed | undefined;
    }
  | {
      readonly kind: "updateService";
      readonly id: ServiceId;
      /** "previous": restore the previous spec and its credentials. Refused when there is none. */
      readonly spec: ServiceSpec | "previous";
      /**
       * As in createService. Absent: the service keeps the credentials of the spec that `registryAuthFrom`
       * names.
       */
      readonly registryAuth?: Sealed | undefined;
      /** The spec whose credentials to keep; "spec" when absent. */
      readonly registryAuthFrom?: "spec" | "previous-spec" | undefined;
      readonly basedOn: number;
    }
  | { readonly kind: "removeService"; readonly id: ServiceId }
  /** Begins a run of a job now. Refused for a service that is no job, and while an active run forbids another. */
  | { readonly kind: "runJob"; readonly id: ServiceId }
  /**
   * Pauses, continues, finishes or undoes the rollout that is under way. Refused when it is of another version, or
   * when there is nothing to pause or to continue.
   */
  | {
      readonly kind: "steerRollout";
      readonly id: ServiceId;
      readonly version: number;
      readonly action: RolloutAction;
    }
  /** Seals credentials anew. Void unless they are sealed with the key `from`. */
  | {
      readonly kind: "resealCredentials";
      readonly id: ServiceId;
      readonly which: "spec" | "previous-spec";
      readonly from: string;
      readonly to: Sealed;
      readonly basedOn: number;
    }
  /** Refused unless the content has version 1 and is sealed with the newest key. */
  | {
      readonly kind: "createSecret";
      readonly id: SecretId;
      readonly spec: SecretSpec;
      readonly content: SecretContent;
    }
  /**
   * Absent content: it stays. New content is an update of all services that use the secret. Refused unless its
   * version is the next one and it is sealed with the newest key.
   */
  | {
      readonly kind: "updateSecret";
      readonly id: SecretId;
      readonly labels: Labels;
      readonly content?: SecretContent | undefined;
      readonly basedOn: number;
    }
  /** Refused while a service uses it. */
  | { readonly kind: "removeSecret"; readonly id: SecretId }
  /** Seals one version of a secret anew. Void unless it is sealed with the key `from`. */
  | {
      readonly kind: "resealSecret";
      readonly id: SecretId;
      readonly version: number;
      readonly from: string;
      readonly to: Sealed;
    }
  | {
      readonly kind: "createConfig";
      readonly id: ConfigId;
      readonly spec: ConfigSpec;
      readonly content: ConfigContent;
    }
  /** As updateSecret. */
  | {
      readonly kind: "updateConfig";
      readonly id: ConfigId;
      readonly labels: Labels;
      readonly content?: ConfigContent | undefined;
      readonly basedOn: number;
    }
  | { readonly kind: "removeConfig"; readonly id: ConfigId }
  | { readonly kind: "createNetwork"; readonly network: NewNetwork }
  | { readonly kind: "removeNetwork"; readonly id: NetworkId }
  /**
   * Asks for an address for a container that is not a task: `wish`, or any. Refused unless the network is
   * attachable. Also refused when the wish is not an address of the network, or is in use. For a known key it
   * only changes the names.
   */
  | {
      readonly kind: "attachContainer";
      readonly network: NetworkId;
      readonly key: string;
      readonly node: NodeId;
      readonly name: string;
      readonly wish?: string | undefined;
      readonly aliases?: readonly string[] | undefined;
    }
  /** The attachment's container is gone. */
  | { readonly kind: "detachContainer"; readonly network: NetworkId; readonly key: string }
  /** The node's engine has no volume of this name any more: no task has to go there for it. */
  | { readonly kind: "removeVolume"; readonly id: VolumeName; readonly node: NodeId }
  /** Begins to move the data of `from` to another node. Refused while a move is under way. */
  | {
      readonly kind: "moveVolume";
      readonly id: VolumeName;
      readonly move: string;
      readonly from: NodeId;
      readonly to: NodeId;
    }
  /** Ends the move without success: `from` stays the home. Void for another move than the present one. */
  | {
      readonly kind: "stopVolumeMove";
      readonly id: VolumeName;
      readonly move: string;
      readonly error: string;
    }
  /**
   * The new node begins to copy, once more if it was killed. Reports of its earlier copies are void from then on.
   * Void for another move than the present one.
   */
  | {
      readonly kind: "beginVolumeCopy";
      readonly id: VolumeName;
      readonly move: string;
      readonly copy: string;
    }
  /** How far the copy is. Void for another move or copy than the present one. */
  | {
      readonly kind: "reportVolumeMove";
      readonly id: VolumeName;
      readonly move: string;
      readonly copy: string;
      readonly bytes: number;
      readonly totalBytes: number;
    }
  /** The new node has all data, verified and on its disk: it is the home now. Void as reportVolumeMove is. */
  | {
      readonly kind: "endVolumeMove";
      readonly id: VolumeName;
      readonly move: string;
      readonly copy: string;
      readonly digest: string;
    }
  /** The node has removed what a move left there. */
  | {
      readonly kind: "dropVolumeLeftover";
      readonly id: VolumeName;
      readonly move: string;
      readonly node: NodeId;
    }
  /** Begins a backup of the node's data. Refused while another one of it is being made. */
  | { readonly kind: "backupVolume"; readonly id: VolumeName; readonly backup: BackupStart }
  /**
   * The backup has ended. `dropped`: earlier ones whose files were removed for it. Void for one that is not being made.
   */
  | {
      readonly kind: "endBackup";
      readonly id: VolumeName;
      readonly backup: string;
      readonly end: BackupEnd;
      readonly dropped: readonly string[];
    }
  /**
   * The node has verified data on its disk that replaces the volume's. Tasks stop for it. A volume without a record or
   * a home gets its home there.
   */
  | {
      readonly kind: "restoreVolume";
      readonly id: VolumeName;
      readonly restore: string;
      readonly node: NodeId;
      readonly source: string;
      readonly bytes: number;
      readonly digest: string;
    }
  /** The volume has the new data, or with `error` still the old one. Void for another restore than the present one. */
  | {
      readonly kind: "endVolumeRestore";
      readonly id: VolumeName;
      readonly restore: string;
      readonly error?: string | undefined;
    };

/** A backup that begins. */
export type BackupStart = Omit<Backup, "end" | "by">;

/** Changes that a node's own peer makes. */
export type ReportedChange =
  | {
      readonly kind: "describeNode";
      readonly id: NodeId;
      readonly description: NodeDescription;
      readonly addresses: readonly string[];
      readonly engine: EngineHealth;
      readonly network: NodeNetwork;
      readonly root?: string | undefined;
      /** As NodeExtra. Refused when it is lower than before. */
      readonly dialect?: number | undefined;
      readonly version?: string | undefined;
    }
  | { readonly kind: "reportTask"; readonly id: TaskId; readonly status: TaskStatus };

/** Changes that the leader's plans make; void in a term that has ended. */
export type PlannedChange =
  | { readonly kind: "judgeNode"; readonly id: NodeId; readonly status: Omit<NodeStatus, "Addr"> }
  /** Void when the state lacks a content that the task is to use. */
  | { readonly kind: "createTask"; readonly task: NewTask }
  /** The next root key becomes the root key. Void while a node has no certificate of it. */
  | { readonly kind: "endRootRotation"; readonly publicKey: string }
  /**
   * Void for a task that was assigned, or has another node (a global task is made for one node). Void too where
   * a local volume of the task is on another node. Otherwise the node becomes the home of the task's volumes.
   */
  | {
      readonly kind: "assignTask";
      readonly id: TaskId;
      readonly node: NodeId;
      readonly status: TaskStatus;
      /** What the task gets of the node's generic resources. */
      readonly generic?: readonly GenericResource[] | undefined;
    }
  /** Why a task still waits. Void once it is assigned. */
  | { readonly kind: "explainTask"; readonly id: TaskId; readonly status: TaskStatus }
  | { readonly kind: "desireTask"; readonly id: TaskId; readonly desired: DesiredState }
  /** The node is gone for good, so nobody else will report how the task ended. */
  | { readonly kind: "orphanTask"; readonly id: TaskId; readonly status: TaskStatus }
  | { readonly kind: "removeTask"; readonly id: TaskId }
  | {
      readonly kind: "progressUpdate";
      readonly id: ServiceId;
      /** Version of the service. Void when another write has changed the service since. */
      readonly basedOn: number;
      readonly status: UpdateStatus | undefined;
      readonly waveAtMs: number;
      readonly updated: readonly string[];
    }
  /**
   * Due times of a job were handled: those of `missed` have no run, `startMs` has one. Void when another write has
   * changed the service since, or when another leader has handled them.
   */
  | {
      readonly kind: "handleDue";
      readonly id: ServiceId;
      /** Version of the service. */
      readonly basedOn: number;
      /** Up to when due times had been handled, and up to when they are now. */
      readonly sinceMs?: number | undefined;
      readonly handledMs: number;
      readonly missed: readonly CronMiss[];
      readonly startMs?: number | undefined;
    }
  /** Void for a run that has ended, or that is not kept. */
  | {
      readonly kind: "endRun";
      readonly id: ServiceId;
      readonly iteration: number;
      readonly end: CronEnd;
    }
  /** Restores the previous spec because the update failed. Void as progressUpdate is. */
  | {
      readonly kind: "rollbackService";
      readonly id: ServiceId;
      readonly basedOn: number;
      readonly message: string;
    }
  /**
   * How far a rollout is. Its end, as completed, is that of the update too: the places of `updated` have their new
   * task. Void as progressUpdate is, and when the rollout has another serial number or another version.
   */
  | {
      readonly kind: "progressRollout";
      readonly id: ServiceId;
      readonly basedOn: number;
      /** With the serial number that it has now. */
      readonly rollout: Rollout;
      readonly status: UpdateStatus;
      readonly updated: readonly string[];
    }
  /** The moves that the leader has begun and ended. Void when the memory has another serial number. */
  | {
      readonly kind: "noteRebalance";
      readonly basedOn: number;
      readonly isAsked: boolean;
      readonly open: RebalanceMemory["open"];
      readonly past: RebalanceMemory["past"];
      readonly stopped?: RebalanceMemory["stopped"];
    }
  /**
   * What autoscaling decides: the number of replicas, and what it remembers. Void as progressUpdate is, for a
   * service that has not `from` replicas, and for a number outside of the service's bounds.
   */
  | {
      readonly kind: "scaleService";
      readonly id: ServiceId;
      readonly basedOn: number;
      readonly from: number;
      /** As `from`: only the advice changes. */
      readonly to: number;
      readonly reason: string;
      readonly advice: AutoscaleAdvice;
    }
  /** Deletes contents that nothing needs. Those that are needed stay. */
  | {
      readonly kind: "dropSecretContents";
      readonly id: SecretId;
      readonly versions: readonly number[];
    }
  | {
      readonly kind: "dropConfigContents";
      readonly id: ConfigId;
      readonly versions: readonly number[];
    }
  /** Void when another service got one of the ports meanwhile. */
  | { readonly kind: "setEndpoint"; readonly id: ServiceId; readonly endpoint: Endpoint }
  /**
   * Void when the network has a VNI already, or when another network got the VNI or an overlapping subnet
   * meanwhile.
   */
  | {
      readonly kind: "allocateNetwork";
      readonly id: NetworkId;
      readonly vni: number;
      readonly config: Network["IPAM"]["Config"];
    }
  /** Addresses of nodes' bridges; "" removes a node's address. Void for nodes that are gone. */
  | {
      readonly kind: "setGateways";
      readonly id: NetworkId;
      readonly gateways: Readonly<Record<string, string>>;
    }
  /**
   * Void once the task was assigned. After that, [] may still remove all addresses if the task is not wanted
   * and its node is down or gone. The task never gets them back, whatever becomes of it.
   */
  | {
      readonly kind: "attachTask";
      readonly id: TaskId;
      readonly attachments: readonly TaskAttachment[];
    }
  /** Void for an attachment that is gone or has an address. */
  | {
      readonly kind: "setAttachment";
      readonly id: NetworkId;
      readonly key: string;
      readonly address: string;
    }
  /** Its wished address went to another holder: removes the attachment. */
  | { readonly kind: "refuseAttachment"; readonly id: NetworkId; readonly key: string }
  | { readonly kind: "setTunnel"; readonly id: NodeId; readonly address: string }
  /** As stopVolumeMove, because the new node is down: the service goes on where the data is. */
  | {
      readonly kind: "abandonVolumeMove";
      readonly id: VolumeName;
      readonly move: string;
      readonly error: string;
    }
  /**
   * Due times of a volume's backups were handled: those of `missed` have none, `starts` begin now. Without a schedule
   * the volume's earlier one has ended. Void when another leader has handled them.
   */
  | {
      readonly kind: "handleBackupDue";
      readonly id: VolumeName;
      /** What the record has, and what it gets. */
      readonly sinceMs?: number | undefined;
      readonly handledMs?: number | undefined;
      readonly schedule?: string | undefined;
      readonly missed: readonly CronMiss[];
      readonly starts: readonly BackupStart[];
    };

export type Change = AskedChange | ReportedChange | PlannedChange;

/** The table of the object that a change is about. */
export const tableOf = {
  createCluster: "cluster",
  updateCluster: "cluster",
  setPolicy: "cluster",
  rotateTokens: "cluster",
  rotateRoot: "cluster",
  endRootRotation: "cluster",
  askRebalance: "cluster",
  noteRebalance: "cluster",
  dropSealingKey: "cluster",

  joinNode: "node",
  updateNode: "node",
  removeNode: "node",
  describeNode: "node",
  judgeNode: "node",
  setTunnel: "node",

  createService: "service",
  updateService: "service",
  removeService: "service",
  progressUpdate: "service",
  rollbackService: "service",
  steerRollout: "service",
  progressRollout: "service",
  runJob: "service",
  handleDue: "service",
  endRun: "service",
  scaleService: "service",
  setEndpoint: "service",
  resealCredentials: "service",

  createTask: "task",
  assignTask: "task",
  attachTask: "task",
  explainTask: "task",
  desireTask: "task",
  reportTask: "task",
  orphanTask: "task",
  removeTask: "task",

  createNetwork: "network",
  removeNetwork: "network",
  allocateNetwork: "network",
  setGateways: "network",
  attachContainer: "network",
  detachContainer: "network",
  setAttachment: "network",
  refuseAttachment: "network",

  createSecret: "secret",
  updateSecret: "secret",
  removeSecret: "secret",
  resealSecret: "secret",
  dropSecretContents: "secret",

  createConfig: "config",
  updateConfig: "config",
  removeConfig: "config",
  dropConfigContents: "config",

  removeVolume: "volume",
  moveVolume: "volume",
  stopVolumeMove: "volume",
  abandonVolumeMove: "volume",
  beginVolumeCopy: "volume",
  reportVolumeMove: "volume",
  endVolumeMove: "volume",
  dropVolumeLeftover: "volume",
  backupVolume: "volume",
  endBackup: "volume",
  handleBackupDue: "volume",
  restoreVolume: "volume",
  endVolumeRestore: "volume",
} as const satisfies Record<Change["kind"], TableName>;

/** Kinds of changes of one table's objects. */
export type KindOf<Name extends TableName> = {
  [Kind in Change["kind"]]: (typeof tableOf)[Kind] extends Name ? Kind : never;
}[Change["kind"]];

export type ChangeOf<Name extends TableName> = Extract<Change, { readonly kind: KindOf<Name> }>;

const planned: ReadonlySet<Change["kind"]> = new Set<PlannedChange["kind"]>([
  "judgeNode",
  "endRootRotation",
  "createTask",
  "assignTask",
  "explainTask",
  "desireTask",
  "orphanTask",
  "removeTask",
  "progressUpdate",
  "rollbackService",
  "progressRollout",
  "handleDue",
  "endRun",
  "scaleService",
  "noteRebalance",
  "setEndpoint",
  "allocateNetwork",
  "setGateways",
  "attachTask",
  "setAttachment",
  "refuseAttachment",
  "setTunnel",
  "dropSecretContents",
  "dropConfigContents",
  "abandonVolumeMove",
  "handleBackupDue",
]);

/** Whether only a leader may make the change, from its own plans and never for another peer. */
export function isPlanned(change: Change): change is PlannedChange {
  return planned.has(change.kind);
}

/** One entry of the log. */
export interface Proposal {
  readonly id: ProposalId;
  /** Wall clock of the proposing peer, in milliseconds since 1970. Objects get their times from it. */
  readonly atMs: number;
  /** The dialect of the log that its changes need (dialect.ts). Absent: the first. */
  readonly dialect?: number | undefined;
  readonly changes: readonly Change[];
}

export const refusalCodes = [
  "STALE_VERSION",
  "NAME_IN_USE",
  "IN_USE",
  "NOT_FOUND",
  "REFUSED",
  "BAD_REQUEST",
] as const;
export type RefusalCode = (typeof refusalCodes)[number];

export interface Refusal {
  readonly code: RefusalCode;
  readonly message: string;
}

export type Outcome =
  | { readonly kind: "applied"; readonly index: number }
  | ({ readonly kind: "refused" } & Refusal);
