export type { ContainerEngine, EngineNews, LogsOptions } from "./container-engine.ts";
export { type DnsLog, DnsServer, type DnsServerOptions } from "./dns/dns-server.ts";
export { Engine, type EngineOptions } from "./engine.ts";
