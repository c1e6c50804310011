import type { Labels, Meta } from "./meta.ts";

/** Fields that clients send and expect back; those without a meaning here are kept as they came. */
export interface ClusterSpec {
  readonly Name: string;
  readonly Labels: Labels;
  readonly Orchestration: {
    /** Tasks kept for each slot, the running one included. */
    readonly TaskHistoryRetentionLimit: number;
  };
  readonly Raft: Readonly<Record<string, number>>;
  readonly Dispatcher: {
    /** Nanoseconds. */
    readonly HeartbeatPeriod: number;
  };
  readonly CAConfig: Readonly<Record<string, unknown>>;
  readonly TaskDefaults: Readonly<Record<string, unknown>>;
  readonly EncryptionConfig: { readonly AutoLockManagers: boolean };
}

export interface NextRoot {
  /** Ed25519, base64. */
  readonly PublicKey: string;
  /** Of the key that it replaces, over this one; base64. */
  readonly Signature: string;
}

/** What the cluster keeps of a join token: enough to verify a joiner, and nothing to join with. */
export interface JoinToken {
  /** Ed25519, base64. Who joins by this token signs with its other half. */
  readonly PublicKey: string;
  /** What the token is made of, sealed to whoever has a root key: by root key (base64), opaque. */
  readonly Sealed: Readonly<Record<string, string>>;
}

/** There is exactly one. */
export interface Cluster extends Meta {
  readonly Spec: ClusterSpec;
  readonly Tokens: { readonly Worker: JoinToken; readonly Manager: JoinToken };
  /** The cluster's Ed25519 public key, base64. */
  readonly RootPublicKey: string;
  /** While that key is being replaced: by which. It is, once every node has a certificate of the new one. */
  readonly NextRoot?: NextRoot;
  /** Ranges (CIDR) that networks without a subnet of their own get one from. */
  readonly DefaultAddrPool: readonly string[];
  /** Prefix length of such a subnet. */
  readonly SubnetSize: number;
  /** UDP port of VXLAN. */
  readonly DataPathPort: number;
}

/** What a cluster's networks are made of when its maker said nothing. As in Swarm. */
export const dataPathDefault = {
  DefaultAddrPool: ["10.0.0.0/8"],
  SubnetSize: 24,
  DataPathPort: 4789,
} as const;

/** The spec of a cluster whose maker said nothing. */
export const clusterSpecDefault: ClusterSpec = {
  Name: "default",
  Labels: {},
  Orchestration: { TaskHistoryRetentionLimit: 5 },
  Raft: {
    SnapshotInterval: 10000,
    KeepOldSnapshots: 0,
    LogEntriesForSlowFollowers: 500,
    ElectionTick: 10,
    HeartbeatTick: 1,
  },
  Dispatcher: { HeartbeatPeriod: 5_000_000_000 },
  CAConfig: { NodeCertExpiry: 7_776_000_000_000_000 },
  TaskDefaults: {},
  EncryptionConfig: { AutoLockManagers: false },
};
