export { endedLog, FakeDoor, nodeCalled } from "./fake-door.ts";
export { type Answered, Rig } from "./rig.ts";
