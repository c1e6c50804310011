/**
 * Own plan: this node's network plan, whatever the state holds.
 *
 * If the plan throws on an object, the object is left out and reported; the rest is planned without it.
 */
import { messageOf, type NodeId } from "@gam/core";
import { type NodePlan, planNode } from "@gam/network";
import type { View } from "@gam/state";
import type { Tell } from "../access/troubles.ts";

/** Returns: undefined if this node has no part in networks across hosts. */
export function ownPlan(view: View, self: NodeId, tell: Tell): NodePlan | undefined {
  const failed = (object: string, thrown: unknown): void => {
    const text = "Left an object out of this host's networks";
    tell(`network ${object}`, text, { object, reason: messageOf(thrown) });
  };
  try {
    return planNode(view, self, { skips: () => false, failed });
  } catch (thrown) {
    // Catches all: a bad object in the state must not end every agent.
    failed("all", thrown);
    return undefined;
  }
}
