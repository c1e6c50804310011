export { defaultConfig, type MembershipConfig } from "./config.ts";
export type { Faults } from "./faults.ts";
export {
  type Effect,
  type Input,
  Membership,
  type Standing,
} from "./membership.ts";
export {
  checkMessage,
  checkRumour,
  healthMax,
  type Message,
  type Opinion,
  type Rumour,
} from "./message.ts";
export type { Verdict } from "./peer-record.ts";
export { checkSightings, type Sightings } from "./sightings.ts";
