/**
 * Own plan: what this node's networks must be, whatever the state holds.
 *
 * An object over which the plan throws is left out and named; the rest is planned as if it were not there.
 */
import { messageOf, type NodeId } from "@gam/core";
import { type NodePlan, planNode } from "@gam/network";
import type { View } from "@gam/state";
import type { Tell } from "../access/troubles.ts";

/** Undefined: this node has no part in networks across hosts. */
export function ownPlan(view: View, self: NodeId, tell: Tell): NodePlan | undefined {
  const failed = (object: string, thrown: unknown): void => {
    const text = "Left an object out of this host's networks";
    tell(`network ${object}`, text, { object, reason: messageOf(thrown) });
  };
  try {
    return planNode(view, self, { skips: () => false, failed });
  } catch (thrown) {
    // Catches all: what stands in the state must not end every agent.
    failed("all", thrown);
    return undefined;
  }
}
