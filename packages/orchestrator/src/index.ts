export type { Faults } from "./fault.ts";
export { Orchestrator } from "./orchestrator.ts";
export { planVoters, type Seats } from "./voters.ts";
