/**
 * Nodes: what state each node is in, from what its watchers and its own peer say.
 *
 *   unknown ------described------> ready <--engine is back-- disconnected --engineGraceMs--> down
 *   any state --lost--> down --engine is there--> ready
 *
 * A node that is back is down until its own peer says that its engine is there, which it does after it
 * has said what became of the tasks. What the state shows of them until then is from before the loss.
 *
 * A peer that refuses connections has lost its agent, not its containers: its node stays what it is
 * until somebody knows better (membership turns a refusal that lasts into a loss).
 */
import type { NodeId } from "@gam/core";
import type { Node, NodeStatus, PlannedChange, View } from "@gam/state";
import { hasPassed } from "./elapsed.ts";

/** What membership says of a peer. */
export interface Judgement {
  readonly verdict: "alive" | "refused" | "lost";
  /** Empty when it is alive. */
  readonly reason: string;
}

/** A node without its engine keeps its tasks this long: enough to restart or to upgrade it. */
const engineGraceMs = 15_000;

type Status = Omit<NodeStatus, "Addr">;

export function planNodes(
  view: View,
  verdicts: ReadonlyMap<NodeId, Judgement>,
  nowMs: number,
): PlannedChange[] {
  const changes: PlannedChange[] = [];
  for (const node of view.nodes()) {
    const judgement = verdicts.get(node.ID);
    if (judgement === undefined) continue;
    const status = statusOf(node, judgement, nowMs);
    const { State, Message } = node.Status;
    if (status.State === State && (status.Message ?? "") === (Message ?? "")) continue;
    changes.push({ kind: "judgeNode", id: node.ID, status });
  }
  return changes;
}

function statusOf(node: Node, { verdict, reason }: Judgement, nowMs: number): Status {
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

/** Its own peer has said what it is. No host has no CPU. */
export function isDescribed(node: Node): boolean {
  return node.Description.Resources.NanoCPUs > 0;
}
