import assert from "node:assert/strict";
import { test } from "node:test";
import { guard, init, running, until } from "../testing/running-agent.ts";

test("a rotation of the root key that was refused leaves nothing behind", guard, async (t) => {
  const a = await running(t);
  await a.door.init(init);
  const { cluster } = a.door.view();
  assert.ok(cluster);
  const stale = {
    kind: "updateCluster",
    spec: cluster.Spec,
    basedOn: cluster.Version.Index + 7,
  } as const;
  await assert.rejects(a.door.rotateRoot([stale]), { code: "STALE_VERSION" });
  const before = a.door.tokens().worker;
  await a.door.rotateTokens(["worker"], []);
  assert.notEqual(a.door.tokens().worker, before);
  await a.restart();
  await until("it leads again", () => a.agent.door().leader() === a.agent.door().self);
  await a.agent.door().fresh();
  await a.agent.door().rotateTokens(["worker"], []);
  const sealed = a.agent.door().newUnlockKey();
  assert.deepEqual(Object.keys(sealed), [cluster.RootPublicKey]);
  await a.agent.door().rotateRoot([]);
  await until(
    "the root key is replaced",
    () => a.agent.door().view().cluster?.RootPublicKey !== cluster.RootPublicKey,
  );
});
