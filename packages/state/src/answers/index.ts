/**
 * Answers: what gam's own calls (/gam/v1) answer, in JSON. One contract of the agent and the gam command.
 *
 * A door of its own, so that the gam command does not load the checks of the whole state.
 */
export { checkDoctorReport, type DoctorCheck, type DoctorReport } from "./doctor.ts";
export { checkRecoverReport, type RecoverHost, type RecoverReport } from "./recover.ts";
export {
  checkStatus,
  type GamStatus,
  type NodeSummary,
  type Pools,
} from "./status.ts";
export { checkJoinTokens, type JoinTokens } from "./tokens.ts";
