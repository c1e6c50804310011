export { FakeEngine, type FakeProgram } from "./fake-engine.ts";
export { aNetwork, aNode, anOverlay, aTask } from "./objects.ts";
