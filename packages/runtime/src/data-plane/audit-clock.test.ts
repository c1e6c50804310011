import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { AuditClock } from "./audit-clock.ts";

test("a change by somebody else is audited soon, together with its group", () => {
  const clock = new AuditClock();
  assert.equal(clock.heard({ nowMs: 0, busy: false }), 100);
  assert.equal(clock.heard({ nowMs: 10, busy: false }), undefined);
  assert.equal(clock.heard({ nowMs: 20, busy: true }), undefined);
  clock.begun();
  assert.equal(clock.heard({ nowMs: 30, busy: false }), 100);
});

const delays: readonly { auditMs: number; want: number }[] = [
  { auditMs: 0, want: 500 },
  { auditMs: 20, want: 500 },
  { auditMs: 50, want: 1_000 },
  { auditMs: 100, want: 2_000 },
  { auditMs: 10_000, want: 2_000 },
];
for (const { auditMs, want } of delays) {
  test(`after an audit of ${auditMs} ms, gam's own changes are audited after ${want} ms`, () => {
    const clock = new AuditClock();
    clock.took(auditMs);
    assert.equal(clock.heard({ nowMs: 0, busy: true }), want);
  });
}

test("what gam changed a moment ago counts as its own, later changes do not", () => {
  const clock = new AuditClock();
  clock.touched(1_000);
  assert.equal(clock.heard({ nowMs: 1_099, busy: false }), 500);
  clock.begun();
  assert.equal(clock.heard({ nowMs: 1_100, busy: false }), 100);
});

test("a change by somebody else replaces a delayed audit, not the reverse", () => {
  const clock = new AuditClock();
  assert.equal(clock.heard({ nowMs: 0, busy: true }), 500);
  assert.equal(clock.heard({ nowMs: 10, busy: true }), undefined);
  assert.equal(clock.heard({ nowMs: 20, busy: false }), 100);
  assert.equal(clock.heard({ nowMs: 30, busy: true }), undefined);
});

test("each change is followed by an audit within two seconds", () => {
  const step = fc.record({
    afterMs: fc.nat(3_000),
    busy: fc.boolean(),
    touches: fc.boolean(),
    tookMs: fc.option(fc.nat(5_000), { nil: undefined }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 50 }), (steps) => {
      const clock = new AuditClock();
      let nowMs = 0;
      let dueMs = Number.POSITIVE_INFINITY;
      for (const { afterMs, busy, touches, tookMs } of steps) {
        nowMs += afterMs;
        if (dueMs <= nowMs) {
          clock.begun();
          dueMs = Number.POSITIVE_INFINITY;
        }
        if (touches) clock.touched(nowMs);
        if (tookMs !== undefined) clock.took(tookMs);
        const delayMs = clock.heard({ nowMs, busy });
        if (delayMs !== undefined) dueMs = nowMs + delayMs;
        assert.ok(dueMs - nowMs <= 2_000);
      }
    }),
  );
});
