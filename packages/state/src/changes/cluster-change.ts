/** Cluster change: the effect of each change on the cluster, and why a change is refused. */
import { unreachable } from "@gam/core";
import type { ChangeOf, Refusal } from "../log/change.ts";
import { born, moved, type Occasion } from "../log/occasion.ts";
import type { View } from "../log/view.ts";
import type { Cluster } from "../objects/cluster.ts";
import { stale } from "./refusal.ts";
import { areSealed, nodesWithoutNextRoot, withNextRoot } from "./root-rotation.ts";

const otherRoot: Refusal = { code: "STALE_VERSION", message: "the root key is another by now" };

export function clusterRefusal(
  { cluster }: View,
  change: ChangeOf<"cluster">,
): Refusal | undefined {
  switch (change.kind) {
    case "createCluster":
      return cluster === undefined
        ? undefined
        : { code: "IN_USE", message: "there is a cluster already" };
    case "updateCluster":
      return stale(cluster, change.basedOn, "cluster");
    case "rotateTokens": {
      const roots = [cluster?.RootPublicKey, cluster?.NextRoot?.PublicKey];
      return areSealed([change.worker, change.manager], roots) ? undefined : otherRoot;
    }
    case "rotateRoot": {
      const { Worker, Manager } = change.tokens;
      const holds =
        cluster?.RootPublicKey === change.root &&
        areSealed([Worker, Manager], [change.root, change.next.PublicKey]);
      return holds ? undefined : otherRoot;
    }
    case "endRootRotation":
      return undefined;
    default:
      unreachable(change);
  }
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
    case "updateCluster":
      return { ...next, Spec: change.spec };
    case "rotateTokens": {
      const { Worker, Manager } = cluster.Tokens;
      const Tokens = { Worker: change.worker ?? Worker, Manager: change.manager ?? Manager };
      return { ...next, Tokens };
    }
    case "rotateRoot":
      return { ...next, NextRoot: change.next, Tokens: change.tokens };
    case "endRootRotation": {
      if (cluster.NextRoot?.PublicKey !== change.publicKey) return cluster;
      if (nodesWithoutNextRoot(on.view).length > 0) return cluster;
      return withNextRoot(next, change.publicKey);
    }
    default:
      unreachable(change);
  }
}
