import assert from "node:assert/strict";
import { test } from "node:test";
import { GamError } from "@gam/core";
import { diskFailed } from "./disk-failed.ts";

function systemError(code: string, path?: string): Error {
  return Object.assign(new Error(`${code}: no words for people, write`), { code, path });
}

const cases: readonly [thrown: unknown, want: string][] = [
  [systemError("ENOSPC"), 'Cannot write to "/d": the disk is full. Make room'],
  [systemError("EROFS", "/d"), 'Cannot write to "/d": the file system is read-only. Mount it so'],
  [
    systemError("EACCES", "/d/lock"),
    'Cannot write to "/d": /d/lock: this user may not do that. Run',
  ],
  [new Error("16 MiB are needed"), 'Cannot write to "/d": 16 MiB are needed'],
];

for (const [thrown, want] of cases) {
  test(`diskFailed() of ${String(thrown)}`, () => {
    const { code, message } = diskFailed("/d", thrown);
    assert.equal(code, "DISK_FAILED");
    assert.ok(message.startsWith(want), message);
  });
}

test("diskFailed() keeps an error that has words already", () => {
  const known = new GamError("CORRUPT_FILE", "Cannot read it");
  assert.equal(diskFailed("/d", known), known);
});
