export type { ContainerEngine, EngineNews, LogsOptions } from "./container-engine.ts";
export { Engine, type EngineOptions } from "./engine.ts";
