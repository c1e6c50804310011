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
} from "./container-plan.ts";
export type { WorkerEffect } from "./effect.ts";
export type { Assignment, WorkerInput } from "./input.ts";
export { type WorkerLimits, workerLimitsDefault } from "./limits.ts";
export { Worker, type WorkerFaults } from "./worker.ts";
