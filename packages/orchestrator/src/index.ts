export type { Fault, Faults } from "./fault.ts";
export { type Judgement, planNodes } from "./nodes.ts";
export { type Facts, Orchestrator } from "./orchestrator.ts";
export { planVoters, type Seats, type VotersFacts, type Voting } from "./voters.ts";
