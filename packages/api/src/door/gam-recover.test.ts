import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { GamError } from "@gam/core";
import type { RecoverReport } from "@gam/state/answers";
import { Rig } from "../testing/rig.ts";

let rig: Rig;
before(async () => {
  rig = await Rig.start(1);
});
after(() => rig.stop());

const report: RecoverReport = {
  refusal: "",
  doubts: [],
  life: 1,
  leaderlessMs: 60_000,
  lastIndex: 9,
  unconfirmed: 0,
  skipped: [],
  writtenAtMs: 1,
  services: ["web"],
  tasks: 1,
  hosts: [],
};

test("GET /gam/v1/recover changes nothing", async () => {
  rig.door.recoverable = report;
  const { status, body } = await rig.call("GET", "/gam/v1/recover");
  assert.deepEqual([status, body], [200, report]);
  assert.deepEqual(rig.door.recovered, []);
});

test("POST /gam/v1/recover recovers, and forces only on request", async () => {
  for (const body of [{}, { force: true }]) {
    assert.equal((await rig.call("POST", "/gam/v1/recover", body)).status, 200);
  }
  assert.deepEqual(rig.door.recovered, [false, true]);
  const wrong = await rig.call("POST", "/gam/v1/recover", { forced: true });
  assert.equal(wrong.status, 400);
  assert.deepEqual(rig.door.recovered, [false, true]);
});

test("a refusal comes with its reason", async () => {
  rig.door.recover = async () => {
    throw new GamError("REFUSED", "Cannot recover: there is a leader");
  };
  const { status, body } = await rig.call("POST", "/gam/v1/recover", {});
  assert.ok(status >= 400);
  assert.equal(body.message, "Cannot recover: there is a leader");
});

test("a host in no mesh has nothing to recover", async () => {
  await rig.door.leave(true);
  for (const method of ["GET", "POST"]) {
    const { status } = await rig.call(
      method,
      "/gam/v1/recover",
      method === "POST" ? {} : undefined,
    );
    assert.ok(status >= 400);
  }
});
