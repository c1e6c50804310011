import assert from "node:assert/strict";
import { test } from "node:test";
import { base64, type NodeId } from "@gam/core";
import { testId } from "@gam/core/testing";
import { type Credentials, createCluster, makeIdentity } from "@gam/mesh";
import { aNode, TestLog } from "@gam/state/testing";
import { ClusterKeys } from "./cluster-keys.ts";
import { makeTokens } from "./join-tokens.ts";
import { newestRootOf } from "./root-seals.ts";
import { makeSealingKey } from "./sealing-keys.ts";
import { newUnlockKey, unlockKeyIn } from "./unlock-keys.ts";

const self = testId<NodeId>("self");
const manager = createCluster(await makeIdentity(), 0);

function keysOf(
  role: "manager" | "worker",
  credentials: Credentials,
  isLocked = true,
): ClusterKeys {
  const log = new TestLog();
  const cluster = {
    ...{ ID: manager.clusterId, Spec: { Name: "default" } as never },
    RootPublicKey: base64(manager.rootPublicKey),
    Tokens: makeTokens(manager),
    SealingKeys: [makeSealingKey(testId("key1"), newestRootOf(manager))],
    ...{ DefaultAddrPool: [], SubnetSize: 24, DataPathPort: 4789 },
    ...(isLocked && { UnlockKey: unlockKey }),
  };
  log.write({ kind: "createCluster", cluster });
  log.write({ kind: "joinNode", node: aNode(self, { spec: { Role: role } }) });
  const keys = new ClusterKeys({
    mesh: { credentials, addresses: () => [], offerNextRoot: () => assert.fail() },
    self,
    view: () => log.store,
    mint: () => assert.fail(),
    propose: () => assert.fail(),
  });
  keys.fresh();
  return keys;
}

const unlockKey = newUnlockKey(manager);
const { rootPrivateKey: _, ...rest } = manager;
const worker: Credentials = { ...rest, rootPrivateKey: undefined };

test("a host is locked as long as it has the root key on its disk", () => {
  const key = unlockKeyIn(manager, unlockKey);
  assert.deepEqual(keysOf("manager", manager).ownLock(), key);
  assert.equal(keysOf("manager", worker).ownLock(), "unknown", "the root key is on its way");
  assert.equal(keysOf("worker", worker).ownLock(), "none");
  assert.deepEqual(keysOf("worker", manager).ownLock(), key, "demoted, and not a worker yet");
  assert.equal(keysOf("manager", manager, false).ownLock(), "none");
  assert.equal(keysOf("worker", manager, false).ownLock(), "none");
});
