export { FakeEngine, type FakeEngineOptions, type FakeProgram } from "./fake-engine.ts";
export { aNetwork, aNode, aTask } from "./objects.ts";
