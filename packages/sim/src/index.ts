export { Breach } from "./checkers.ts";
export { type FaultName, planted } from "./faults.ts";
export { calmMsMax, type History, live } from "./storm.ts";
export { World } from "./world.ts";
