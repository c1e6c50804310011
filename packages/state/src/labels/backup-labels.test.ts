import assert from "node:assert/strict";
import { test } from "node:test";
import { backupFile, backupFileForm, readBackupPlace } from "../objects/volumes/backup.ts";
import { aService } from "../testing/objects.ts";
import { backupHooks, backupSchedule, backupsKept, backupTarget } from "./backup-labels.ts";
import { serviceLabelProblem, zoneProblem } from "./service-labels.ts";

const Mounts = [{ Type: "volume" as const, Source: "data", Target: "/data" }];
const template = { ContainerSpec: { Image: "db:1", Mounts } };
const daily = { "gam.backup.schedule": "@daily", "gam.backup.to": "/srv/backups" };

const problems: readonly (readonly [
  title: string,
  labels: Record<string, string>,
  want: RegExp | undefined,
])[] = [
  ["a schedule to a folder", daily, undefined],
  ["to a folder of a host", { ...daily, "gam.backup.to": "host3:/srv/b" }, undefined],
  [
    "to a bucket",
    { ...daily, "gam.backup.to": "s3://backups/shop", "gam.backup.secret": "s3" },
    undefined,
  ],
  ["only hooks", { "gam.backup.pre": "pg_dump shop > /data/dump" }, undefined],
  ["only a place", { "gam.backup.to": "/srv/b" }, undefined],
  [
    "a schedule without a place",
    { "gam.backup.schedule": "@daily" },
    /no effect without "gam.backup.to"/,
  ],
  ["a bucket without a secret", { "gam.backup.to": "s3://backups" }, /add "gam.backup.secret"/],
  [
    "a secret without a bucket",
    { ...daily, "gam.backup.secret": "s3" },
    /no effect without a bucket/,
  ],
  ["how many without a schedule", { "gam.backup.keep": "3" }, /no effect without a schedule/],
  ["a place that is none", { "gam.backup.to": "srv/b" }, /use \/folder, host:\/folder or s3:/],
  [
    "a schedule that is none",
    { ...daily, "gam.backup.schedule": "daily" },
    /use a cron expression/,
  ],
  ["too many", { ...daily, "gam.backup.keep": "101" }, /a whole number from 1 to 100/],
];

for (const [title, Labels, want] of problems) {
  test(`backup labels: ${title}`, () => {
    const problem = serviceLabelProblem(aService("db", { template, spec: { Labels } }).spec);
    if (want === undefined) assert.equal(problem, undefined);
    else assert.match(problem ?? "", want);
  });
}

test("backups are for services with a volume that stays", () => {
  const spec = { Labels: daily };
  const without = serviceLabelProblem(aService("web", { spec }).spec);
  assert.match(without ?? "", /no effect on a service without a named volume/);
  const global = aService("agent", { mode: { Global: {} }, template, spec }).spec;
  assert.match(serviceLabelProblem(global) ?? "", /the service is global/);
});

test("a time zone that this host does not know is said", () => {
  const { spec } = aService("db", {
    template,
    spec: { Labels: { ...daily, "gam.backup.timezone": "Mars/Olympus" } },
  });
  assert.equal(serviceLabelProblem(spec), undefined);
  assert.match(zoneProblem(spec) ?? "", /"gam.backup.timezone" has the value "Mars\/Olympus"/);
});

test("what labels say, and what holds without them", () => {
  const { spec } = aService("db", { template, spec: { Labels: {} } });
  assert.deepEqual(backupHooks(spec), { pre: undefined, post: undefined, mayChange: false });
  assert.deepEqual(
    [backupsKept(spec), backupSchedule(spec), backupTarget(spec)],
    [7, undefined, undefined],
  );
  const Labels = {
    ...daily,
    "gam.backup.timezone": "Europe/Berlin",
    "gam.backup.changes": "allow",
    "gam.backup.pre": "freeze",
  };
  assert.deepEqual(backupHooks({ Labels }), { pre: "freeze", post: undefined, mayChange: true });
  const schedule = backupSchedule({ Labels });
  assert.equal(schedule?.key, "@daily Europe/Berlin");
  assert.equal(schedule?.time.next(Date.UTC(2026, 0, 1)), Date.UTC(2026, 0, 1, 23));
});

const places: readonly (readonly [text: string, want: string])[] = [
  ["/srv/backups", "- /srv/backups"],
  ["/srv//backups/", "- /srv/backups"],
  ["host3:/srv", "host3 /srv"],
  ["s3://backups", "s3 backups "],
  ["s3://backups/a b//c", "s3 backups a b/c/"],
  ["/", "none"],
  ["/srv/../etc", "none"],
  ["host3:srv", "none"],
  ["s3://B", "none"],
  ["s3://backups/../other", "none"],
  ["/srv/a\nb", "none"],
  [`/${"a".repeat(2000)}`, "none"],
];

for (const [text, want] of places) {
  test(`the place ${text.slice(0, 30)} is ${want}`, () => {
    const place = readBackupPlace(text);
    if (place === undefined) assert.equal(want, "none");
    else if (place.kind === "s3") assert.equal(`s3 ${place.bucket} ${place.prefix}`, want);
    else assert.equal(`${place.host ?? "-"} ${place.folder}`, want);
  });
}

test("a backup's file has one name, whatever its host is called", () => {
  const backup = { id: "abcdefghij", dueMs: Date.UTC(2026, 0, 2, 3, 4, 5) };
  assert.equal(backupFile(backup, "shop_db", "host1"), "shop_db-host1-20260102T030405Z-abcdef.tar");
  for (const host of ["a/b", "../x", "höst", "x".repeat(300), ""]) {
    assert.match(backupFile(backup, "shop_db", host), backupFileForm);
  }
});
