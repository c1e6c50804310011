export { anyPlans } from "./any-cluster.ts";
export { asSafe } from "./as-safe.ts";
export { keyOf, TestCluster } from "./test-cluster.ts";
