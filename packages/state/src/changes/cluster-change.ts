/** Cluster change: the effect of each change on the cluster, and why a change is refused. */
import { unreachable } from "@gam/core";
import type { ChangeOf, Refusal } from "../log/change.ts";
import { born, moved, type Occasion } from "../log/occasion.ts";
import type { View } from "../log/view.ts";
import type { Cluster } from "../objects/cluster.ts";
import { rebalanceAsked, rebalanceNoted } from "./rebalance-change.ts";
import { stale } from "./refusal.ts";
import { areSealed, areSealedFor, nodesWithoutNextRoot, withNextRoot } from "./root-rotation.ts";
import { canFollow, usedKeys } from "./sealing-keys.ts";

const noUnlockKey: Refusal = {
  code: "BAD_REQUEST",
  message: "managers cannot be locked without an unlock key",
};
const otherRoot: Refusal = { code: "STALE_VERSION", message: "the root key is another by now" };

export function clusterRefusal(view: View, change: ChangeOf<"cluster">): Refusal | undefined {
  const { cluster } = view;
  switch (change.kind) {
    case "createCluster":
      return cluster === undefined
        ? undefined
        : { code: "IN_USE", message: "there is a cluster already" };
    case "updateCluster": {
      const refusal = stale(cluster, change.basedOn, "cluster");
      if (refusal !== undefined) return refusal;
      const { unlockKey, spec } = change;
      if (!areSealed([unlockKey], rootsOf(cluster))) return otherRoot;
      if (!spec.EncryptionConfig.AutoLockManagers) return undefined;
      return (unlockKey ?? cluster?.UnlockKey) === undefined ? noUnlockKey : undefined;
    }
    case "setPolicy":
      return stale(cluster, change.basedOn, "cluster");
    case "rotateTokens": {
      const { worker, manager } = change;
      const newest = cluster?.NextRoot?.PublicKey ?? cluster?.RootPublicKey;
      return areSealedFor([worker?.Sealed, manager?.Sealed], newest) ? undefined : otherRoot;
    }
    case "rotateRoot": {
      const { tokens, root, keys, unlockKey } = change;
      const next = change.next.PublicKey;
      // Somebody has locked the managers, or unlocked them, since this change was made.
      const isOutdated = (cluster?.UnlockKey === undefined) !== (unlockKey === undefined);
      const holds =
        cluster?.RootPublicKey === root &&
        !isOutdated &&
        areSealed([unlockKey], [root, next]) &&
        areSealedFor([tokens.Worker.Sealed, tokens.Manager.Sealed], next) &&
        canFollow(view, keys, { root, next });
      return holds ? undefined : otherRoot;
    }
    case "endRootRotation":
    case "dropSealingKey":
    case "askRebalance":
    case "noteRebalance":
      return undefined;
    default:
      unreachable(change);
  }
}

function rootsOf(cluster: Cluster | undefined): readonly (string | undefined)[] {
  return [cluster?.RootPublicKey, cluster?.NextRoot?.PublicKey];
}

/** As TableRule.after. */
export function clusterAfter(
  cluster: Cluster | undefined,
  change: ChangeOf<"cluster">,
  on: Occasion,
): Cluster | undefined {
  if (change.kind === "createCluster") return { ...change.cluster, ...born(on) };
  if (cluster === undefined) return undefined;
  const next = { ...cluster, ...moved(on) };
  switch (change.kind) {
    case "updateCluster": {
      const { UnlockKey: before, ...rest } = next;
      const isLocked = change.spec.EncryptionConfig.AutoLockManagers;
      const UnlockKey = isLocked ? (change.unlockKey ?? before) : undefined;
      return { ...rest, Spec: change.spec, ...(UnlockKey !== undefined && { UnlockKey }) };
    }
    case "setPolicy":
      return { ...next, Policy: change.policy };
    case "rotateTokens": {
      const { Worker, Manager } = cluster.Tokens;
      const Tokens = { Worker: change.worker ?? Worker, Manager: change.manager ?? Manager };
      return { ...next, Tokens };
    }
    case "rotateRoot": {
      const { next: NextRoot, tokens: Tokens, keys: SealingKeys, unlockKey: UnlockKey } = change;
      return {
        ...{ ...next, NextRoot, Tokens, SealingKeys },
        ...(UnlockKey !== undefined && { UnlockKey }),
      };
    }
    case "dropSealingKey": {
      if (usedKeys(on.view).has(change.id)) return cluster;
      const SealingKeys = cluster.SealingKeys.filter(({ ID }) => ID !== change.id);
      const isAbsent = SealingKeys.length === cluster.SealingKeys.length;
      // Not `next`: for clients the cluster stays the same.
      return isAbsent ? cluster : { ...cluster, SealingKeys };
    }
    case "askRebalance":
      return rebalanceAsked(cluster, change);
    case "noteRebalance":
      return rebalanceNoted(cluster, change);
    case "endRootRotation": {
      const { NextRoot } = cluster;
      if (NextRoot?.PublicKey !== change.publicKey) return cluster;
      if (nodesWithoutNextRoot(on.view).length > 0) return cluster;
      return withNextRoot(next, NextRoot);
    }
    default:
      unreachable(change);
  }
}
