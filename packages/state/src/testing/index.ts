export {
  aCluster,
  aConfig,
  aNetwork,
  aNode,
  aNodeNetwork,
  aRollout,
  aSeal,
  aSealingKey,
  aSecret,
  aService,
  aTask,
  aToken,
  keyId,
  type ServiceWish,
  type TaskWish,
  withFiles,
} from "./objects.ts";
export { TestLog } from "./test-log.ts";
