export { Allocator, type AllocatorFaults } from "./allocation/allocator.ts";
export { poolUsage } from "./allocation/pool-usage.ts";
export {
  type AcmeOrder,
  type AcmeSettings,
  acmeFailure,
  failureLabels,
  planAcme,
  renewAtMs,
  wantsAcme,
} from "./http/acme-plan.ts";
export { type CertificatePair, caddyAdminHost, caddyConfig } from "./http/caddy-config.ts";
export {
  type HttpCertificate,
  type HttpPlan,
  type HttpSite,
  planHttp,
  planSites,
} from "./http/http-plan.ts";
export {
  addressesIn,
  backendsIn,
  type DnsPlan,
  type DnsZone,
  type NetworkPlane,
  type NodePlan,
  type TunnelPlan,
  type Walls,
} from "./plan/node-plan.ts";
export { planNode } from "./plan/plan-node.ts";
export {
  type DeviceName,
  deviceName,
  type Ip4,
  ip4,
  port as safePort,
  type Unsafe,
} from "./plan/safe-values.ts";
export { isIn, numberOf, type Span, spanOf, subnetClashes } from "./plan/subnet.ts";
export { unroutedPairs } from "./plan/unrouted-pairs.ts";
export { containerTable } from "./tables/container-table.ts";
export {
  type FastPlace,
  fastPathTable,
  goneAddresses,
  newLease,
  renewedLease,
} from "./tables/fast-path-table.ts";
export { hostTable } from "./tables/host-table.ts";
export {
  type NftTable,
  refilledTable,
  tableChange,
  tableName,
  wholeTable,
} from "./tables/nft-table.ts";
export {
  deafTo,
  type EngineResolver,
  type InnerPorts,
  type ResolverRoute,
  resolverRoute,
} from "./tables/resolver-route.ts";
export { wallTable6 } from "./tables/walls.ts";
