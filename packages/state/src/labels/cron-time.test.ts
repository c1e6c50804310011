import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { cronTime, isKnownZone, readCron, readZone } from "./cron-time.ts";

const due: readonly (readonly [cron: string, zone: string, after: string, want: string])[] = [
  ["*/5 * * * *", "UTC", "2026-01-01T00:00:00.000Z", "2026-01-01T00:05:00.000Z"],
  ["*/5 * * * *", "UTC", "2026-01-01T00:04:59.999Z", "2026-01-01T00:05:00.000Z"],
  ["*/10 * * * * *", "UTC", "2026-01-01T00:00:00.500Z", "2026-01-01T00:00:10.000Z"],
  ["@hourly", "UTC", "2026-01-01T00:00:00.000Z", "2026-01-01T01:00:00.000Z"],
  ["0 0 29 2 *", "UTC", "2026-01-01T00:00:00.000Z", "2028-02-29T00:00:00.000Z"],
  ["0 9 * * MON-FRI", "UTC", "2026-01-02T09:00:00.000Z", "2026-01-05T09:00:00.000Z"],
  ["0 0 L * *", "UTC", "2026-02-01T00:00:00.000Z", "2026-02-28T00:00:00.000Z"],
  // 02:30 does not exist on that day: the clock goes from 02:00 to 03:00.
  ["30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00.000Z", "2026-03-29T01:00:00.000Z"],
  ["30 2,14 * * *", "Europe/Berlin", "2026-03-28T14:00:00.000Z", "2026-03-29T01:00:00.000Z"],
  // 02:30 comes twice.
  ["30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00.000Z", "2026-10-25T00:30:00.000Z"],
  ["30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00.000Z", "2026-10-26T01:30:00.000Z"],
  ["*/30 * * * *", "Europe/Berlin", "2026-10-25T00:30:00.000Z", "2026-10-25T01:00:00.000Z"],
];
for (const [cron, zone, after, want] of due) {
  test(`"${cron}" in ${zone} is due after ${after} at ${want}`, () => {
    const nextMs = cronTime(readCron(cron) ?? "", zone).next(Date.parse(after));
    assert.equal(new Date(nextMs ?? 0).toISOString(), want);
  });
}

const invalid = [
  ...[
    "",
    "* * * *",
    "* * * * * * *",
    "61 * * * *",
    "0 0 30 2 *",
    "? * * * *",
    "@reboot",
    "@every 5m",
  ],
  ...[
    "2027-01-01T00:00:00",
    "5/5 * * * *",
    "a b c d e",
    "*/0 * * * *",
    `${"1,".repeat(200)}1 * * * *`,
  ],
];
for (const text of invalid) {
  test(`"${text}" is no cron expression`, () => assert.equal(readCron(text), undefined));
}

test("a time zone has a name of the IANA database", () => {
  const names = ["Europe/Berlin", "UTC", "America/Argentina/Ushuaia", "Etc/GMT+5"];
  for (const zone of names) assert.deepEqual([readZone(zone), isKnownZone(zone)], [zone, true]);
  for (const zone of ["", "+02:00", "5", "../etc"]) assert.equal(readZone(zone), undefined);
});

test("a time zone that this peer does not know is read like any other, and never due", () => {
  const zone = "Mars/Base";
  assert.deepEqual([readZone(zone), isKnownZone(zone)], [zone, false]);
  assert.equal(cronTime("* * * * *", zone).next(0), undefined);
  assert.equal(cronTime("* * * * *", zone).last(0), undefined);
});

test("no text is more than refused, and each next moment is later and a whole second", () => {
  const field = fc.constantFrom(
    "*",
    "*/7",
    "0",
    "5",
    "1-5",
    "1,2",
    "L",
    "FRI#5",
    "15W",
    "x",
    "60",
    "?",
  );
  const text = fc.array(field, { minLength: 4, maxLength: 7 }).map((fields) => fields.join(" "));
  const zones = fc.constantFrom("UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/New_York");
  const moments = fc.integer({ min: 0, max: Date.UTC(2100, 0, 1) });
  fc.assert(
    fc.property(text, zones, moments, (text, zone, afterMs) => {
      const cron = readCron(text);
      if (cron === undefined) return;
      const nextMs = cronTime(cron, zone).next(afterMs) ?? Number.NaN;
      assert.ok(nextMs > afterMs && nextMs % 1000 === 0);
    }),
    { numRuns: 300 },
  );
});
