export { nodeCalled } from "./fake-door.ts";
export { Rig } from "./rig.ts";
