export type {
  ActionId,
  ActionOutcome,
  ContainerState,
  EngineAction,
  Failure,
} from "./action.ts";
export {
  type ContainerPlan,
  type ContainerSurroundings,
  type NetworkJoin,
  type Planned,
  planContainer,
  templateContext,
} from "./container-plan.ts";
export type { WorkerEffect } from "./effect.ts";
export type { Assignment, WorkerInput } from "./input.ts";
export { label } from "./label.ts";
export { type WorkerLimits, workerLimitsDefault } from "./limits.ts";
export {
  bridgeName,
  mayTunnel,
  mtuOf,
  type NetworkPlan,
  planNetwork,
  tunnelBytes,
} from "./network-plan.ts";
export { checkTemplate, expandTemplate, type TemplateContext } from "./template.ts";
export { Worker, type WorkerFaults } from "./worker.ts";
