export { defaultConfig } from "./config.ts";
export type { MembershipFaults } from "./faults.ts";
export { type Input, Membership } from "./membership.ts";
export { checkMessage, checkRumour, type Message, type Rumour } from "./message.ts";
export type { Verdict } from "./peer-record.ts";
export { checkSightings, type Sightings } from "./sightings.ts";
