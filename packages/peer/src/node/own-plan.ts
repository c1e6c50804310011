/**
 * Own plan: this node's network plan and HTTP plan, whatever the state holds.
 *
 * If the plan throws on an object, the object is left out and reported; the rest is planned without it.
 */
import { messageOf, type NodeId } from "@gam/core";
import { type HttpPlan, type NodePlan, planHttp, planNode } from "@gam/network";
import type { View } from "@gam/state";
import type { Tell } from "../access/troubles.ts";

/** Returns: undefined if this node has no part in networks across hosts. `http`: only where a proxy is wanted. */
export function ownPlans(
  view: View,
  self: NodeId,
  tell: Tell,
): { readonly plan: NodePlan; readonly http?: HttpPlan } | undefined {
  const plan = ownPlan(view, self, tell);
  if (plan === undefined) return undefined;
  const http = ownHttpPlan(view, tell);
  return { plan, ...(http && { http }) };
}

/** As ownPlans(). */
function ownPlan(view: View, self: NodeId, tell: Tell): NodePlan | undefined {
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

/** Returns: undefined where no proxy is wanted. */
function ownHttpPlan(view: View, tell: Tell): HttpPlan | undefined {
  const failed = (object: string, thrown: unknown): void => {
    const text = "Left a service out of the HTTP proxy";
    tell(`http ${object}`, text, { object, reason: messageOf(thrown) });
  };
  try {
    return planHttp(view, { skips: () => false, failed });
  } catch (thrown) {
    // Catches all: as above.
    failed("all", thrown);
    return undefined;
  }
}
