export { aNetwork, aNode, anOverlay, aTask, withFiles } from "./objects.ts";
export { type FakeProgram, SimEngine } from "./sim-engine.ts";
