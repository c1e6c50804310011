export { endedLog, FakeDoor, nodeCalled } from "./fake-door.ts";
export { FakeEngine, json } from "./fake-engine.ts";
export { type Answered, Rig } from "./rig.ts";
