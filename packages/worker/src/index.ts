export type { ActionOutcome, ContainerState, EngineAction, Failure } from "./action.ts";
export { type ContainerPlan, type NetworkJoin, planContainer } from "./container-plan.ts";
export type { WorkerInput } from "./input.ts";
export { workerLimitsDefault } from "./limits.ts";
export { filesOf, type TaskFile } from "./task-files.ts";
export { Worker, type WorkerFaults } from "./worker.ts";
