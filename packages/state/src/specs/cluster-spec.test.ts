import assert from "node:assert/strict";
import { test } from "node:test";
import { clusterSpecDefault } from "../objects/cluster.ts";
import { certificateLifeMs, readClusterSpec } from "./cluster-spec.ts";
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

test("readClusterSpec() refuses another name, and certificates of less than an hour", () => {
  assert.throws(() => readClusterSpec({ Name: "other" }), {
    code: "BAD_REQUEST",
    message: 'swarm spec must be named "default"',
  });
  for (const NodeCertExpiry of [1, 3_599e9, -1]) {
    assert.throws(() => readClusterSpec({ CAConfig: { NodeCertExpiry } }), {
      code: "BAD_REQUEST",
      message: "minimum certificate expiry time must be: 1h0m0s",
    });
  }
  assert.throws(() => readClusterSpec({ CAConfig: { NodeCertExpiry: "1h" } }), {
    code: "BAD_REQUEST",
  });
});

test("certificateLifeMs() is what the cluster says, and 90 days by default", () => {
  const day = 86_400_000;
  assert.equal(certificateLifeMs(undefined), 90 * day);
  assert.equal(certificateLifeMs(readClusterSpec({ CAConfig: { NodeCertExpiry: 0 } })), 90 * day);
  const month = readClusterSpec({ CAConfig: { NodeCertExpiry: 30 * 86_400e9 } });
  assert.equal(certificateLifeMs(month), 30 * day);
});

test("readNodeSpec() reads a node's spec and refuses unknown words", () => {
  const spec = { Labels: { zone: "a" }, Role: "worker", Availability: "drain" };
  assert.deepEqual(readNodeSpec(spec), spec);
  assert.throws(() => readNodeSpec({ ...spec, Role: "boss" }), { message: 'invalid Role: "boss"' });
  assert.throws(() => readNodeSpec({ ...spec, Availability: "asleep" }), {
    message: 'invalid Availability: "asleep"',
  });
});
