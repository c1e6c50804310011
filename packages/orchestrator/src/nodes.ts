/**
 * Nodes: which state each node is in, by its watchers' verdict and its own peer's report.
 *
 *   unknown ------described------> ready <--engine is back-- disconnected --engineGraceMs--> down
 *   any state --lost--> down --engine is there--> ready
 *
 * A node that returns stays down until its own peer reports the engine. The peer first reports its tasks,
 * since until then the state shows them as they were before the loss.
 *
 * A host that refuses connections has lost its agent, not its containers. So its node keeps its state until
 * the verdict changes (membership turns a lasting refusal into a loss).
 */
import type { NodeId } from "@gam/core";
import {
  guarded,
  isDescribed,
  type Node,
  type NodeStatus,
  noGuard,
  type PlanGuard,
  type PlannedChange,
  type View,
} from "@gam/state";
import { hasPassed } from "./service/elapsed.ts";

/** Membership's verdict on a peer. */
export interface PeerHealth {
  readonly verdict: "alive" | "refused" | "lost";
  /** Empty when it is alive. */
  readonly reason: string;
}

/** How long a node without its engine keeps its tasks: enough to restart or upgrade the engine. */
const engineGraceMs = 15_000;

type Status = Omit<NodeStatus, "Addr">;

export interface NodesFacts {
  readonly verdicts: ReadonlyMap<NodeId, PeerHealth>;
  /** By the leader's clock, in milliseconds since 1970. */
  readonly nowMs: number;
  readonly guard?: PlanGuard;
}

export function planNodes(
  view: View,
  { verdicts, nowMs, guard = noGuard }: NodesFacts,
): PlannedChange[] {
  return view.nodes().flatMap((node) => {
    return guarded(guard, node.ID, () => judge(node, verdicts.get(node.ID), nowMs), []);
  });
}

function judge(node: Node, health: PeerHealth | undefined, nowMs: number): PlannedChange[] {
  if (health === undefined) return [];
  const status = statusOf(node, health, nowMs);
  const { State, Message } = node.Status;
  if (status.State === State && (status.Message ?? "") === (Message ?? "")) return [];
  return [{ kind: "judgeNode", id: node.ID, status }];
}

function statusOf(node: Node, { verdict, reason }: PeerHealth, nowMs: number): Status {
  if (verdict === "lost") return { State: "down", Message: reason };
  if (verdict === "refused") return node.Status;
  if (!isDescribed(node)) return { State: "unknown" };
  const { engine, engineLostAtMs } = node.Gam;
  if (engine.ready) return { State: "ready" };
  const grace = { sinceMs: engineLostAtMs || nowMs, waitMs: engineGraceMs };
  const isOver = node.Status.State === "down" || hasPassed(nowMs, grace);
  const State = isOver ? "down" : "disconnected";
  return { State, Message: engine.reason };
}
