export { StableCopy, type Write } from "./stable-copy.ts";
export { firstViolation, Storm, stormConfig } from "./storm.ts";
export { Violation, Witness } from "./witness.ts";
