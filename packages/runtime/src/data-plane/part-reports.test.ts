import assert from "node:assert/strict";
import { test } from "node:test";
import { BrokenInvariant } from "@gam/core";
import { PartReports } from "./part-reports.ts";

const works = async (): Promise<void> => undefined;
const failing = (message: string) => async (): Promise<void> => {
  throw new Error(message);
};

function reports(): { reports: PartReports; lines: string[] } {
  const lines: string[] = [];
  const log = (level: string, text: string, fields: Readonly<Record<string, unknown>>): void => {
    lines.push(`${level} ${text} ${Object.values(fields).join(" ")}`);
  };
  return { reports: new PartReports(log), lines };
}

test("a problem is logged when it begins, changes and ends", async () => {
  const { reports: made, lines } = reports();
  await made.try("links", works);
  assert.deepEqual(lines.splice(0), []);
  await made.try("links", failing("no ip"));
  await made.try("links", failing("no ip"));
  assert.deepEqual(lines.splice(0), ["warn Could not apply part of data plane links no ip"]);
  await made.try("links", failing("no right"));
  assert.deepEqual(made.problems, ["no right"]);
  await made.try("links", works);
  assert.deepEqual(made.problems, []);
  assert.deepEqual(lines.splice(0), [
    "warn Could not apply part of data plane links no right",
    "info Part of data plane works again links",
  ]);
});

const cases = [
  { part: "links", shown: true, steers: true },
  { part: "packet filter", shown: true, steers: false },
  { part: "IPv6 filter", shown: true, steers: true },
  { part: "fast path", shown: false, steers: false },
  { part: "containers", shown: false, steers: true },
  { part: "default routes", shown: false, steers: true },
] as const;

for (const { part, shown, steers } of cases) {
  test(`a failure of ${part}: shown ${shown}, steers ${steers}`, async () => {
    const { reports: made } = reports();
    await made.try(part, failing("it failed"));
    assert.deepEqual(made.problems, shown ? ["it failed"] : []);
    assert.equal(made.steers, steers);
  });
}

test("a broken invariant is no problem of the host", async () => {
  const { reports: made } = reports();
  const broken = new BrokenInvariant("two lanes at once");
  await assert.rejects(
    made.try("links", async () => {
      throw broken;
    }),
    broken,
  );
});

test("repairs are logged once each, and not more than 20", () => {
  const { reports: made, lines } = reports();
  made.mended([]);
  assert.deepEqual(lines.splice(0), []);
  made.mended(["a", "b", "a"]);
  assert.deepEqual(lines.splice(0), ["warn Repaired data plane a,b 2"]);
  made.mended(Array.from({ length: 25 }, (_, n) => `x${n}`));
  assert.match(lines[0] ?? "", /x19 25$/);
});
