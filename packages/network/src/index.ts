export {
  type AllocationFacts,
  Allocator,
  type AllocatorFaults,
  planAllocation,
} from "./allocator.ts";
export type {
  DnsPlan,
  DnsZone,
  NetworkPlane,
  NodePlan,
  PortPlane,
  ServicePlane,
  TunnelPlan,
} from "./node-plan.ts";
export { planNode } from "./plan-node.ts";
export { type PoolUsage, poolUsage } from "./pool-usage.ts";
export { ruleset, rulesetChange } from "./ruleset.ts";
export {
  isIn,
  numberOf,
  type Span,
  type SubnetClash,
  spanOf,
  subnetClashes,
} from "./subnet.ts";
export { unroutedPairs } from "./unrouted-pairs.ts";
