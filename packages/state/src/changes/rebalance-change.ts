/** Rebalance change: what a person asks for, and what the leader remembers of its moves. */
import type { ChangeOf } from "../log/change.ts";
import type { Cluster } from "../objects/cluster.ts";
import { noRebalance } from "../objects/rebalance.ts";

/** The version stays, since a client's update of the cluster does not concern this. */
export function rebalanceAsked(
  cluster: Cluster,
  { auto, run }: Extract<ChangeOf<"cluster">, { kind: "askRebalance" }>,
): Cluster {
  const { stopped, ...before } = cluster.Rebalance ?? noRebalance;
  const goesOn = run === true || auto === true;
  const Rebalance = {
    ...before,
    serial: before.serial + 1,
    auto: auto ?? before.auto,
    isAsked: run ?? before.isAsked,
    ...(!goesOn && stopped && { stopped }),
  };
  return { ...cluster, Rebalance };
}

/** Void when somebody else wrote meanwhile. */
export function rebalanceNoted(
  cluster: Cluster,
  {
    basedOn,
    open,
    past,
    isAsked,
    stopped,
  }: Extract<ChangeOf<"cluster">, { kind: "noteRebalance" }>,
): Cluster {
  const { serial, auto } = cluster.Rebalance ?? noRebalance;
  if (serial !== basedOn) return cluster;
  const Rebalance = { serial: serial + 1, auto, isAsked, open, past, ...(stopped && { stopped }) };
  return { ...cluster, Rebalance };
}
