export type { ContainerEngine, EngineNews, LogsOptions } from "./container-engine.ts";
export type { Endpoint } from "./data-plane/bridge-rescue.ts";
export {
  DataPlane,
  type DataPlaneLog,
  type DataPlaneOptions,
  type EngineNetworks,
} from "./data-plane/data-plane.ts";
export { lineOf } from "./data-plane/host-line.ts";
export {
  type HostNetworkOptions,
  HostTrials,
  lookAtHostNetwork,
} from "./data-plane/host-network.ts";
export { checkTrialSources, PortEar, type TrialSource } from "./data-plane/port-ear.ts";
export { type PortToProbe, probePort } from "./data-plane/probe-port.ts";
export { TunnelKeys } from "./data-plane/tunnel-keys.ts";
export { type DnsLog, DnsServer, type DnsServerOptions } from "./dns/dns-server.ts";
export { type PathResult, type PathToProbe, probePath } from "./dns/probe-path.ts";
export { Engine, type EngineOptions } from "./engine.ts";
export { isInSwarm } from "./engine-swarm.ts";
