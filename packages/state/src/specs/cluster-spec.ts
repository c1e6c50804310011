import { GamError } from "@gam/core";
import { type ClusterSpec, clusterSpecDefault } from "../objects/cluster.ts";
import {
  flag,
  labels,
  list,
  readBody,
  signed,
  signedOrZero,
  struct,
  text,
  unsigned,
} from "./json-shape.ts";

export const clusterShape = struct("Spec", {
  Name: text,
  Labels: labels,
  Orchestration: struct("OrchestrationConfig", { TaskHistoryRetentionLimit: signedOrZero }),
  Raft: struct("RaftConfig", {
    SnapshotInterval: signed,
    KeepOldSnapshots: signedOrZero,
    LogEntriesForSlowFollowers: signed,
    ElectionTick: signed,
    HeartbeatTick: signed,
  }),
  Dispatcher: struct("DispatcherConfig", { HeartbeatPeriod: signed }),
  CAConfig: struct("CAConfig", {
    NodeCertExpiry: signed,
    ExternalCAs: list(
      struct("ExternalCA", { Protocol: text, URL: text, Options: labels, CACert: text }),
      {},
      "*swarm.ExternalCA",
    ),
    SigningCACert: text,
    SigningCAKey: text,
    ForceRotate: unsigned,
  }),
  TaskDefaults: struct("TaskDefaults", {
    LogDriver: struct("Driver", { Name: text, Options: labels }),
  }),
  EncryptionConfig: struct("EncryptionConfig", { AutoLockManagers: flag }),
});

/** Nanoseconds: an hour, as in Swarm. */
const certExpiryMin = 3_600e9;

/** Returns: how long a node's certificate is valid, in milliseconds. `spec`: undefined before there is a state. */
export function certificateLifeMs(spec: ClusterSpec | undefined): number {
  const { NodeCertExpiry } = (spec ?? clusterSpecDefault).CAConfig;
  const usual = clusterSpecDefault.CAConfig.NodeCertExpiry;
  return Math.floor(Number(NodeCertExpiry || usual) / 1e6);
}

/**
 * Returns: the cluster's spec in its stored form. Absent and zero values become a fresh cluster's defaults,
 *         because `docker swarm init` sends zeros.
 *
 * Errors: GamError BAD_REQUEST in Swarm's words; NOT_SUPPORTED for what gam does not do yet.
 */
export function readClusterSpec(body: unknown): ClusterSpec {
  const read = readBody(clusterShape, body);
  const usual = clusterSpecDefault;
  if (read.Name !== undefined && read.Name !== usual.Name) {
    throw new GamError("BAD_REQUEST", `swarm spec must be named "${usual.Name}"`);
  }
  const history = read.Orchestration?.TaskHistoryRetentionLimit;
  if (history !== undefined && history < 0) {
    throw new GamError("BAD_REQUEST", "invalid TaskHistoryRetentionLimit: cannot be negative");
  }
  const place = { struct: "CAConfig", path: "CAConfig.NodeCertExpiry" };
  const expiry = signed(read.CAConfig?.NodeCertExpiry, place);
  if (expiry !== undefined && expiry < certExpiryMin) {
    throw new GamError("BAD_REQUEST", "minimum certificate expiry time must be: 1h0m0s");
  }
  return {
    Name: usual.Name,
    Labels: read.Labels ?? {},
    Orchestration: { ...usual.Orchestration, ...read.Orchestration },
    Raft: { ...usual.Raft, ...read.Raft },
    Dispatcher: { ...usual.Dispatcher, ...read.Dispatcher },
    CAConfig: { ...usual.CAConfig, ...read.CAConfig },
    TaskDefaults: read.TaskDefaults ?? {},
    EncryptionConfig: { ...usual.EncryptionConfig, ...read.EncryptionConfig },
  } as ClusterSpec;
}
