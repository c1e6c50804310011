export { planPlacement } from "./placement.ts";
export { planMoves, type RebalanceFacts } from "./rebalance.ts";
