export type { EngineNews, LogsOptions } from "./container-engine.ts";
export { DataPlane } from "./data-plane/data-plane.ts";
export { lineOf } from "./data-plane/host-line.ts";
export {
  HostTrials,
  lookAtHostNetwork,
} from "./data-plane/host-network.ts";
export { checkTrialSources, PortEar, type TrialSource } from "./data-plane/port-ear.ts";
export { type PortToProbe, probePort } from "./data-plane/probe-port.ts";
export { TunnelKeys } from "./data-plane/tunnel-keys.ts";
export { DnsServer } from "./dns/dns-server.ts";
export { type PathResult, type PathToProbe, probePath } from "./dns/probe-path.ts";
export { Engine } from "./engine.ts";
export { isInSwarm } from "./engine-swarm.ts";
