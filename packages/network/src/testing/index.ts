export { anyPlans } from "./any-cluster.ts";
export { asSafe } from "./as-safe.ts";
export { oddView, type Rows, withOddities } from "./odd-view.ts";
export { keyOf, TestCluster } from "./test-cluster.ts";
