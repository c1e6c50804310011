export {
  aCluster,
  aNetwork,
  aNode,
  aNodeNetwork,
  aService,
  aTask,
  aToken,
  type ServiceWish,
  type TaskWish,
} from "./objects.ts";
export { TestLog } from "./test-log.ts";
