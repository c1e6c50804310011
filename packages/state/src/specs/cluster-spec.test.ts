import assert from "node:assert/strict";
import { test } from "node:test";
import { clusterSpecDefault } from "../objects/cluster.ts";
import { readClusterSpec } from "./cluster-spec.ts";
import { readNodeSpec } from "./node-spec.ts";

test("readClusterSpec() replaces the zeros that a client sends at init by defaults", () => {
  const body = {
    Labels: null,
    Orchestration: {},
    Raft: { ElectionTick: 0, HeartbeatTick: 0 },
    Dispatcher: {},
    CAConfig: {},
    TaskDefaults: {},
    EncryptionConfig: { AutoLockManagers: false },
  };
  assert.deepEqual(readClusterSpec(body), clusterSpecDefault);
});

test("readClusterSpec() keeps the values that a client sets", () => {
  const spec = { ...clusterSpecDefault, Orchestration: { TaskHistoryRetentionLimit: 0 } };
  assert.deepEqual(readClusterSpec(spec), spec);
});

test("readClusterSpec() refuses another name, and what gam cannot do", () => {
  assert.throws(() => readClusterSpec({ Name: "other" }), {
    code: "BAD_REQUEST",
    message: 'swarm spec must be named "default"',
  });
  assert.throws(() => readClusterSpec({ EncryptionConfig: { AutoLockManagers: true } }), {
    code: "NOT_SUPPORTED",
  });
});

test("readNodeSpec() reads a node's spec and refuses unknown words", () => {
  const spec = { Labels: { zone: "a" }, Role: "worker", Availability: "drain" };
  assert.deepEqual(readNodeSpec(spec), spec);
  assert.throws(() => readNodeSpec({ ...spec, Role: "boss" }), { message: 'invalid Role: "boss"' });
  assert.throws(() => readNodeSpec({ ...spec, Availability: "asleep" }), {
    message: 'invalid Availability: "asleep"',
  });
});
