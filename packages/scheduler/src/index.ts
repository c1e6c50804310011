export { type PlacementFacts, placementsMax, planPlacement } from "./placement.ts";
