/**
 * Change: the words of the log, and the objects that they are about.
 *
 * An entry of the log is a proposal: changes that are applied together or not at all. Changes that a
 * client asked for name the version they were based on and refuse the whole proposal when it has
 * moved. Changes that the cluster makes itself are conditional one by one: each is void when its
 * ground is gone (a task that was removed, a state that has been passed), and the rest holds, because
 * whoever planned them will look again.
 */
import type { NetworkId, NodeId, ProposalId, ServiceId, TaskId } from "@gam/core";
import type { Cluster, ClusterSpec, JoinToken, NextRoot } from "../objects/cluster.ts";
import type { Network } from "../objects/network.ts";
import type {
  EngineHealth,
  Node,
  NodeDescription,
  NodeNetwork,
  NodeSpec,
  NodeStatus,
} from "../objects/node.ts";
import type { Endpoint, Service, ServiceSpec, UpdateStatus } from "../objects/service.ts";
import type { DesiredState, Task, TaskAttachment, TaskStatus } from "../objects/task.ts";

/** The replicated objects by the names of their tables. A new object begins here; the compiler names the rest. */
export interface Rows {
  readonly cluster: Cluster;
  readonly node: Node;
  readonly service: Service;
  readonly task: Task;
  readonly network: Network;
}

export type TableName = keyof Rows;

type New<T> = Omit<T, "Version" | "CreatedAt" | "UpdatedAt">;

export type NewNode = New<Node>;
export type NewTask = New<Task>;
export type NewNetwork = Omit<Network, "Version" | "Created">;

/** Asked for by clients and by peers that join or leave. */
export type AskedChange =
  | { readonly kind: "createCluster"; readonly cluster: New<Cluster> }
  | { readonly kind: "updateCluster"; readonly spec: ClusterSpec; readonly basedOn: number }
  /** Refused unless each is sealed under every root key that counts. */
  | {
      readonly kind: "rotateTokens";
      readonly worker: JoinToken | undefined;
      readonly manager: JoinToken | undefined;
    }
  /**
   * Begins to replace the root key `root`. A replacement that is under way is given up for this one. Whoever
   * should not know the root key may know the tokens too, so they are made anew.
   */
  | {
      readonly kind: "rotateRoot";
      readonly root: string;
      readonly next: NextRoot;
      readonly tokens: Cluster["Tokens"];
    }
  /** A node that is known already keeps its spec, and gets the rest anew. */
  | { readonly kind: "joinNode"; readonly node: NewNode }
  | {
      readonly kind: "updateNode";
      readonly id: NodeId;
      readonly spec: NodeSpec;
      readonly basedOn: number;
    }
  /**
   * Leaves a tombstone, so that the peer cannot come back without a token. What the node held in networks
   * is free: its bridges' addresses and those of its plain containers. Refused unless the node is still what
   * `onlyIf` says: down, or without a description of its host.
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
      readonly registryAuth: string;
    }
  | {
      readonly kind: "updateService";
      readonly id: ServiceId;
      /** "previous": back to the spec before, with its credentials. Refused when there is none. */
      readonly spec: ServiceSpec | "previous";
      /** As in createService. Absent: the service keeps the credentials that `registryAuthFrom` names. */
      readonly registryAuth?: string | undefined;
      /** Of which of its specs; "spec" when absent. */
      readonly registryAuthFrom?: "spec" | "previous-spec" | undefined;
      readonly basedOn: number;
    }
  | { readonly kind: "removeService"; readonly id: ServiceId }
  | { readonly kind: "createNetwork"; readonly network: NewNetwork }
  | { readonly kind: "removeNetwork"; readonly id: NetworkId }
  /**
   * Wants an address for a container that is no task: `wish`, or any. Refused unless the network is
   * attachable, and when the wish is no address of it or somebody holds it.
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
  /** The container of an attachment is gone. */
  | { readonly kind: "detachContainer"; readonly network: NetworkId; readonly key: string };

/** Made by a node's own peer. */
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
    }
  | { readonly kind: "reportTask"; readonly id: TaskId; readonly status: TaskStatus };

/** Made by the leader's plans, and void in a term that has ended. */
export type PlannedChange =
  | { readonly kind: "judgeNode"; readonly id: NodeId; readonly status: Omit<NodeStatus, "Addr"> }
  | { readonly kind: "createTask"; readonly task: NewTask }
  /** The next root key is the root key. Void while a node has no certificate of it. */
  | { readonly kind: "endRootRotation"; readonly publicKey: string }
  /** Void for a task that has another node already (global ones are made for one), or was assigned. */
  | {
      readonly kind: "assignTask";
      readonly id: TaskId;
      readonly node: NodeId;
      readonly status: TaskStatus;
    }
  /** Why a task still waits. Void once it is assigned. */
  | { readonly kind: "explainTask"; readonly id: TaskId; readonly status: TaskStatus }
  | { readonly kind: "desireTask"; readonly id: TaskId; readonly desired: DesiredState }
  /** The node is gone for good, so nobody else will say how the task ended. */
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
  /** Back to the spec before, because the update failed. Void as progressUpdate is. */
  | {
      readonly kind: "rollbackService";
      readonly id: ServiceId;
      readonly basedOn: number;
      readonly message: string;
    }
  /** Void when another service has got one of its ports meanwhile. */
  | { readonly kind: "setEndpoint"; readonly id: ServiceId; readonly endpoint: Endpoint }
  /** Void when the network has a VNI already, or another one overlaps meanwhile. */
  | {
      readonly kind: "allocateNetwork";
      readonly id: NetworkId;
      readonly vni: number;
      readonly config: Network["IPAM"]["Config"];
    }
  /** Addresses of nodes' bridges; "" takes a node's away. Void for nodes that are gone. */
  | {
      readonly kind: "setGateways";
      readonly id: NetworkId;
      readonly gateways: Readonly<Record<string, string>>;
    }
  /**
   * Void once the task was assigned. Then all its addresses may still be taken away ([]) as long as
   * nobody wants it any more and its node is down or gone: they are another's from then on, whatever
   * becomes of the task.
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
  /** The address that it wishes was given to another: the attachment is gone. */
  | { readonly kind: "refuseAttachment"; readonly id: NetworkId; readonly key: string }
  | { readonly kind: "setTunnel"; readonly id: NodeId; readonly address: string };

export type Change = AskedChange | ReportedChange | PlannedChange;

/** The table with the object that a change is about. */
export const tableOf = {
  createCluster: "cluster",
  updateCluster: "cluster",
  rotateTokens: "cluster",
  rotateRoot: "cluster",
  endRootRotation: "cluster",

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
  setEndpoint: "service",

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
} as const satisfies Record<Change["kind"], TableName>;

/** Kinds of the changes of one table's objects. */
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
  "setEndpoint",
  "allocateNetwork",
  "setGateways",
  "attachTask",
  "setAttachment",
  "refuseAttachment",
  "setTunnel",
]);

/** Only a leader makes such changes, from its own plans, and never for another peer. */
export function isPlanned(change: Change): change is PlannedChange {
  return planned.has(change.kind);
}

/** One entry of the log. */
export interface Proposal {
  readonly id: ProposalId;
  /** Wall clock of the peer that proposed it, in milliseconds since 1970: the objects' times. */
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
