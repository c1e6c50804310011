export { ScriptWorld } from "./script-world.ts";
export { StableCopy, type Write } from "./stable-copy.ts";
export { firstViolation, Storm, type StormOptions, stormConfig, type Weather } from "./storm.ts";
export { Violation, Witness } from "./witness.ts";
