/** Check of the cluster: its changes and the whole object. */
import { type Check, check, type NodeId, type ServiceId, type TaskId } from "@gam/core";
import type { ChangeFields } from "../log/table-rule.ts";
import type { Cluster, JoinToken, NextRoot, SealedForRoots } from "../objects/cluster.ts";
import { type Policy, patternForm, patternsMax, powers } from "../objects/policy.ts";
import { openMovesMax, pastMovesMax } from "../objects/rebalance.ts";
import { readDataPath } from "../specs/data-path.ts";
import { anything, keeping } from "./check-parts.ts";
import { checkClusterSpec, readBy } from "./check-spec.ts";
import {
  aKey,
  aMessage,
  aMoment,
  anId,
  anIndex,
  aSignature,
  aText,
  aTime,
} from "./field-checks.ts";

const { boolean, id, integer, list, matching, optional, string, struct, where } = check;

/** Secrets are sealed under the root key, and during a rotation also under the next one. */
const rootsMax = 2;
const checkSealed = check.map(string(1024), rootsMax, aKey) as Check<SealedForRoots>;
const checkToken = struct({ PublicKey: aKey, Sealed: checkSealed }) as Check<JoinToken>;
const checkTokens = struct({ Worker: checkToken, Manager: checkToken }) as Check<Cluster["Tokens"]>;
const checkNextRoot = struct({
  PublicKey: aKey,
  Signature: aSignature,
  SelfSignature: optional(aSignature),
}) as Check<NextRoot>;
const sealingKeysMax = 16;
const checkSealingKeys = where(
  list(struct({ ID: anId, Sealed: checkSealed }), sealingKeysMax),
  (keys) => keys.length > 0 && new Set(keys.map(({ ID }) => ID)).size === keys.length,
  "at least one key, and each once",
) as Check<Cluster["SealingKeys"]>;

const move = {
  task: id<TaskId>(),
  service: id<ServiceId>(),
  from: id<NodeId>(),
  to: id<NodeId>(),
  reason: aText,
  successor: id<TaskId>(),
  basedOn: anIndex,
  atMs: aMoment,
};
const rebalance = {
  isAsked: boolean,
  open: list(struct(move), openMovesMax),
  past: list(struct({ ...move, endedAtMs: aMoment, problem: aMessage }), pastMovesMax),
  stopped: optional(struct({ atMs: aMoment, reason: aMessage })),
};
const checkPatterns = list(
  matching(patternForm, "a name of services, with * for any letters", 128),
  patternsMax,
);
const checkPolicy = struct(
  Object.fromEntries(powers.map((power) => [power, optional(checkPatterns)])),
) as unknown as Check<Policy>;

const parts = {
  ID: anId,
  Spec: checkClusterSpec,
  Tokens: checkTokens,
  RootPublicKey: aKey,
  RootSelfSignature: optional(aSignature),
  UnlockKey: optional(checkSealed),
  Policy: optional(checkPolicy),
  NextRoot: optional(checkNextRoot),
  SealingKeys: checkSealingKeys,
  DefaultAddrPool: list(string(64), 256),
  SubnetSize: integer(1, 32),
  DataPathPort: integer(1, 65_535),
  Rebalance: optional(struct({ ...rebalance, serial: anIndex, auto: boolean })),
};

/** Parsed by the same rules as when the cluster was created. */
const readPath = readBy(readDataPath);

function withDataPath<T extends object>(shape: Check<T>): Check<T> {
  return (value, path) => ({ ...shape(value, path), ...readPath(value, path) });
}

const checkNewCluster = withDataPath(struct(parts)) as Check<
  Omit<Cluster, "Version" | "CreatedAt" | "UpdatedAt">
>;

export const checkCluster = withDataPath(
  struct({ ...parts, Version: struct({ Index: anIndex }), CreatedAt: aTime, UpdatedAt: aTime }),
) as Check<Cluster>;

export const clusterParts = keeping({ SealingKeys: list(anything, sealingKeysMax) });

export const clusterFields: ChangeFields<"cluster"> = {
  createCluster: { cluster: checkNewCluster },
  updateCluster: { spec: checkClusterSpec, basedOn: anIndex, unlockKey: optional(checkSealed) },
  setPolicy: { policy: checkPolicy, basedOn: anIndex },
  rotateTokens: { worker: optional(checkToken), manager: optional(checkToken) },
  rotateRoot: {
    root: aKey,
    next: checkNextRoot,
    tokens: checkTokens,
    keys: checkSealingKeys,
    unlockKey: optional(checkSealed),
  },
  askRebalance: { auto: optional(boolean), run: optional(boolean) },
  noteRebalance: { ...rebalance, basedOn: anIndex },
  dropSealingKey: { id: anId },
  endRootRotation: { publicKey: aKey },
};
