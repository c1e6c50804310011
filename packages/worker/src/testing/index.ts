export { FakeEngine, type FakeEngineOptions, type FakeProgram } from "./fake-engine.ts";
export { aNetwork, aNode, anOverlay, aTask } from "./objects.ts";
