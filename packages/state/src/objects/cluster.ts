import type { Labels, Meta } from "./meta.ts";
import type { Policy } from "./policy.ts";
import type { RebalanceMemory } from "./rebalance.ts";
import type { LogDriver } from "./service.ts";

/** Fields that clients send and expect back. Fields without a meaning here are kept unchanged. */
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
  readonly TaskDefaults: {
    /** For tasks whose spec names no log driver. */
    readonly LogDriver?: LogDriver;
  };
  readonly EncryptionConfig: { readonly AutoLockManagers: boolean };
}

export interface NextRoot {
  /** Ed25519, base64. */
  readonly PublicKey: string;
  /** Signature by the key that it replaces, over this one; base64. */
  readonly Signature: string;
  /** As Cluster.RootSelfSignature, of this key. */
  readonly SelfSignature?: string;
}

/** A secret that only the holders of a root key can read: by root key (base64), opaque. */
export type SealedForRoots = Readonly<Record<string, string>>;

/**
 * A key with which secrets, registry credentials and the like are sealed: 32 random bytes that only managers have.
 * The state holds it sealed for the holders of root keys, as it holds join tokens.
 */
export interface SealingKey {
  readonly ID: string;
  readonly Sealed: SealedForRoots;
}

/** What the cluster stores of a join token: enough to verify a joiner, but not enough to join. */
export interface JoinToken {
  /** Ed25519, base64. A joiner signs with the private half. */
  readonly PublicKey: string;
  /** The token's secret. */
  readonly Sealed: SealedForRoots;
}

/** There is exactly one. */
export interface Cluster extends Meta {
  readonly Spec: ClusterSpec;
  readonly Tokens: { readonly Worker: JoinToken; readonly Manager: JoinToken };
  /** The cluster's Ed25519 public key, base64. */
  readonly RootPublicKey: string;
  /**
   * The root key's signature over its own X.509 certificate, base64: clients see the certificate. Absent in
   * clusters of older releases until the root key is replaced.
   */
  readonly RootSelfSignature?: string;
  /** While managers are locked (autolock): the key that unlocks them. */
  readonly UnlockKey?: SealedForRoots;
  /** Which services may have power over their hosts. Absent: as Swarm. */
  readonly Policy?: Policy;
  /** During a rotation: the key that replaces the root key once every node has a certificate of it. */
  readonly NextRoot?: NextRoot;
  /** The keys that seal secrets and registry credentials. What is written now is sealed with the last one. */
  readonly SealingKeys: readonly SealingKey[];
  /** Ranges (CIDR) from which networks without a subnet of their own get one. */
  readonly DefaultAddrPool: readonly string[];
  /** Prefix length of such a subnet. */
  readonly SubnetSize: number;
  /** UDP port of VXLAN. */
  readonly DataPathPort: number;
  /** Absent until somebody asks for it. */
  readonly Rebalance?: RebalanceMemory | undefined;
}

/** Defaults for a cluster's networks, as in Swarm. */
export const dataPathDefault = {
  DefaultAddrPool: ["10.0.0.0/8"],
  SubnetSize: 24,
  DataPathPort: 4789,
} as const;

/** Default spec of a cluster. */
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
