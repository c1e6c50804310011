export { planPlacement } from "./placement.ts";
