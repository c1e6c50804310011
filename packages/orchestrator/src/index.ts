export { planAutoscale } from "./autoscale.ts";
export { Orchestrator } from "./orchestrator.ts";
export { isRebalancing, movesOf, planRebalance } from "./rebalance.ts";
export type { CheckFacts, ServiceAnswer } from "./rollout/analysis.ts";
export type { PlanFaults } from "./service/fault.ts";
export { planVoters, type Seats } from "./voters.ts";
