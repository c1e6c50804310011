export { judgeNodes, type NodeVerdict } from "./judge.ts";
export { planPlacement } from "./placement.ts";
export { planMoves, type RebalanceFacts } from "./rebalance.ts";
