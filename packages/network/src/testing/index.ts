export { anyPlans } from "./any-cluster.ts";
export { TestCluster } from "./test-cluster.ts";
