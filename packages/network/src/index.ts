export type {
  DnsPlan,
  DnsZone,
  NetworkPlane,
  NodePlan,
  PortPlane,
  ServicePlane,
  TunnelPlan,
} from "./node-plan.ts";
