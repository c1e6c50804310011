import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "@gam/core";
import { Attendance, type Presence } from "./attendance.ts";

const [a, b] = ["a", "b"] as NodeId[] as [NodeId, NodeId];
const here: Presence = { answers: true, fit: true, lost: false };
const away: Presence = { answers: false, fit: false, lost: false };
const lost: Presence = { ...away, lost: true };

/** Looks every four ticks, as a leader does. */
class World {
  readonly attendance = new Attendance();
  nowTick = 0;

  look(ticks: number, presence: Presence): void {
    for (let n = 0; n < ticks; n += 4) {
      this.nowTick += 4;
      this.attendance.look(this.nowTick, [a, b], (id) => (id === a ? here : presence));
    }
  }

  get seen(): string {
    const { attendance } = this;
    return [attendance.answers(b) && "answers", attendance.fit(b) && "fit"]
      .filter((word) => word !== false)
      .join(" ");
  }
}

test("Attendance: silence of less than a second does not count, longer silence does", () => {
  const world = new World();
  world.look(40, here);
  world.look(12, away);
  assert.equal(world.seen, "answers fit");
  world.look(4, away);
  assert.equal(world.seen, "");
  world.look(4, here);
  assert.equal(world.seen, "answers fit");
});

test("Attendance: a lost peer is silent at once", () => {
  const world = new World();
  world.look(40, here);
  world.look(4, lost);
  assert.equal(world.seen, "");
});

test("Attendance: a peer that answers but lags behind soon becomes unfit", () => {
  const world = new World();
  world.look(40, here);
  world.look(16, { ...here, fit: false });
  assert.equal(world.seen, "answers");
});

test("Attendance: silence is counted from when a peer was last fit, or first looked at", () => {
  const world = new World();
  world.look(40, away);
  assert.equal(world.attendance.unfitTicks(b), 36);
  world.look(4, here);
  world.look(100, lost);
  assert.equal(world.attendance.unfitTicks(b), 100);
  assert.equal(world.attendance.unfitTicks(a), 0);
});

test("Attendance: a peer that is no member is forgotten", () => {
  const world = new World();
  world.look(40, away);
  world.attendance.look(world.nowTick + 4, [a], () => here);
  assert.equal(world.attendance.answers(b), false);
  world.look(4, away);
  assert.equal(world.attendance.unfitTicks(b), 0);
});
