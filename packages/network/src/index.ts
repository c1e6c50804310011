export { Allocator, type AllocatorFaults } from "./allocator.ts";
export { containerTable } from "./container-table.ts";
export {
  type FastPlace,
  fastPathTable,
  goneAddresses,
  newLease,
  renewedLease,
} from "./fast-path-table.ts";
export { hostTable } from "./host-table.ts";
export { refilledTable, type Table, tableChange, tableName, wholeTable } from "./nft-table.ts";
export {
  addressesIn,
  backendsIn,
  type DnsPlan,
  type DnsZone,
  type NetworkPlane,
  type NodePlan,
  type TunnelPlan,
  type Walls,
} from "./node-plan.ts";
export { planNode } from "./plan-node.ts";
export { poolUsage } from "./pool-usage.ts";
export {
  type DeviceName,
  deviceName,
  type Ip4,
  ip4,
  port as safePort,
  type Unsafe,
} from "./safe-values.ts";
export { isIn, numberOf, type Span, spanOf, subnetClashes } from "./subnet.ts";
export { unroutedPairs } from "./unrouted-pairs.ts";
export { wallTable6 } from "./walls.ts";
