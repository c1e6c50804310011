export { aNetwork, aNode, anOverlay, aTask } from "./objects.ts";
export { type FakeProgram, SimEngine } from "./sim-engine.ts";
