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
export { type PoolUsage, poolUsage } from "./pool-usage.ts";
export { type SubnetClash, subnetClashes } from "./subnet.ts";
