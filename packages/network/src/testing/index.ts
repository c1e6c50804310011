export { anyPlans } from "./any-cluster.ts";
export { asSafe } from "./as-safe.ts";
export { evenView, type OddRows, oddView, oddViews } from "./odd-view.ts";
export { keyOf, TestCluster, withRollout } from "./test-cluster.ts";
