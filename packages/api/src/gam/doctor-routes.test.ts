import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { GamError, type NodeId } from "@gam/core";
import { checkDoctorFixes, checkDoctorReport, type DoctorReport } from "@gam/state/answers";
import { Rig } from "../testing/rig.ts";

let rig: Rig;

before(async () => {
  rig = await Rig.start(1);
});
after(() => rig.stop());

const stopped = { state: "stopped", reason: "gone", version: "", inSwarm: false } as const;

async function report(): Promise<DoctorReport> {
  const { status, body } = await rig.call("GET", "/gam/v1/doctor");
  assert.equal(status, 200);
  return checkDoctorReport(body, "report");
}

function examine(): void {
  const { door } = rig;
  const log = { applied: 0, commit: 0, stopped: "" };
  const examination = {
    ...{ ...door.hostFacts, engine: stopped, log, wallMs: 0, tookMs: 0 },
    ...{ problems: [], connected: [], paths: [] },
  };
  const rest = { failure: "", clockAheadMs: 0, clockDoubtMs: 0 };
  door.examined = [{ node: door.self, examination, ...rest }];
}

test("the doctor judges what the hosts say of themselves", async () => {
  examine();
  const { healthy, findings } = await report();
  assert.equal(healthy, false);
  assert.deepEqual(
    findings.map(({ cause, fix }) => [cause, fix]),
    [["host1: Its engine does not run: gone", "start the engine of host1"]],
  );
});

test("only what is about the asked host is said where the client wants that", async () => {
  examine();
  const own = await rig.call("GET", "/gam/v1/doctor?paths=no&only=self");
  assert.equal(checkDoctorReport(own.body, "report").findings.length, 1);
  rig.door.examined = [];
  const silent = await rig.call("GET", "/gam/v1/doctor?only=self");
  assert.deepEqual(
    checkDoctorReport(silent.body, "report").findings.map(({ hosts }) => hosts),
    [["host1"]],
  );
  const other = { network: "lan", subnet: "10.0.0.0/24", route: "10.0.0.0/8" };
  const { examine: before } = rig.door;
  rig.door.examine = async () => ({
    ...(await before.call(rig.door)),
    clashes: [{ ...other, node: "other" as NodeId }],
  });
  const whole = await rig.call("GET", "/gam/v1/doctor");
  const filtered = await rig.call("GET", "/gam/v1/doctor?only=self");
  rig.door.examine = before;
  assert.equal(checkDoctorReport(whole.body, "report").findings.length, 2);
  assert.equal(checkDoctorReport(filtered.body, "report").findings.length, 1);
});

test("a host is asked to mend what it can, and why it could not is in the answer", async () => {
  examine();
  const fixed = async (): Promise<unknown> => {
    const { status, body } = await rig.call("POST", "/gam/v1/doctor/fix", {});
    assert.equal(status, 200);
    return checkDoctorFixes(body, "fixes");
  };
  const fix = "start the engine of host1";
  assert.deepEqual(await fixed(), [{ host: "host1", fix, done: "Done", failure: "" }]);
  assert.deepEqual(rig.door.mended, [`engine of ${rig.door.self}`]);
  rig.door.failure = new GamError("REFUSED", "there is no systemctl");
  assert.deepEqual(await fixed(), [
    { host: "host1", fix, done: "", failure: "there is no systemctl" },
  ]);
  rig.door.failure = undefined;
});

test("a host in no cluster examines itself", async () => {
  await rig.door.leave(true);
  rig.door.hostFacts = { ...rig.door.hostFacts, engine: stopped };
  const { findings } = await report();
  assert.deepEqual(
    findings.map(({ cause }) => cause),
    ["host1: Its engine does not run: gone"],
  );
  assert.equal((await rig.call("POST", "/gam/v1/doctor/fix", {})).status, 503);
});
