import assert from "node:assert/strict";
import { test } from "node:test";
import type { UpgradeHost } from "@gam/state/answers";
import { anUpgradeHost, anUpgradeReport, aPackage, upgraded } from "../testing/an-upgrade.ts";
import {
  backVersion,
  holdsBack,
  type UpgradeGoal,
  unsettled,
  upgradePlan,
} from "./upgrade-plan.ts";

const toB: UpgradeGoal = {
  ...{ kind: "to", version: "0.1.0+b" },
  packages: [aPackage("b"), aPackage("b", { machine: "arm64" }), aPackage("b", { kind: "tar" })],
};
const backToA: UpgradeGoal = { kind: "back", version: "0.1.0+a" };

function rows(
  hosts: readonly UpgradeHost[],
  goal: UpgradeGoal,
  skipped: readonly string[] = [],
): string[] {
  return upgradePlan(anUpgradeReport(hosts), goal, skipped).map(
    ({ host, does, wanted, why }) =>
      `${host.hostname} ${does}${wanted ? ` ${wanted.name}` : ""}${why && `: ${why}`}`,
  );
}

test("upgradePlan() takes workers and standbys first, then voters, the leader, and the asked host", () => {
  const hosts = [
    anUpgradeHost(1),
    anUpgradeHost(2, { role: "leader" }),
    anUpgradeHost(3),
    anUpgradeHost(4, { role: "worker" }),
    anUpgradeHost(5, { role: "learner" }),
  ];
  const order = upgradePlan(anUpgradeReport(hosts), toB, []).map(({ host }) => host.hostname);
  assert.deepEqual(order, ["host4", "host5", "host3", "host2", "host1"]);
  const asked = anUpgradeReport(hosts, { self: hosts[1]?.id ?? hosts[0]?.id });
  assert.equal(upgradePlan(asked, toB, []).at(-1)?.host.hostname, "host2");
});

const wants: readonly (readonly [string, UpgradeHost, UpgradeGoal, RegExp])[] = [
  ["installs the package for its machine", anUpgradeHost(1), toB, /install gam_0.1.0_amd64.deb/],
  [
    "installs the package for another machine",
    anUpgradeHost(1, { gam: { machine: "arm64" } }),
    toB,
    /install gam_0.1.0_arm64.deb/,
  ],
  [
    "installs the tarball where gam came by one",
    anUpgradeHost(1, { gam: { kind: "tar" } }),
    toB,
    /install gam-0.1.0-linux-amd64.tar.gz/,
  ],
  ["has nothing to do", anUpgradeHost(1, { gam: { version: "0.1.0+b" } }), toB, /done$/],
  [
    "names the package that it lacks",
    anUpgradeHost(1, { gam: { kind: "tar", machine: "arm64" } }),
    toB,
    /cannot: it is for amd64, and the host is arm64. Add the package for arm64/,
  ],
  [
    "leaves checkouts alone",
    anUpgradeHost(1, { gam: { kind: "other" } }),
    toB,
    /cannot: gam is not installed there by a package/,
  ],
  [
    "refuses a package that cannot read the log",
    anUpgradeHost(1, { gam: { dialect: 2 } }),
    toB,
    /cannot: gam 0.1.0\+b reads dialect 1 of the log, and the host has written dialect 2/,
  ],
  [
    "says that a host is silent",
    anUpgradeHost(1, { gam: null }),
    toB,
    /cannot: it does not answer/,
  ],
  [
    "goes back by the kept package",
    anUpgradeHost(1, { gam: upgraded("a", "b") }),
    backToA,
    /install gam_0.1.0_amd64.deb/,
  ],
  [
    "does not go back over a dialect",
    anUpgradeHost(1, { gam: { ...upgraded("a", "b"), dialect: 2 } }),
    backToA,
    /cannot: .* has written dialect 2/,
  ],
  [
    "does not go back without the package",
    anUpgradeHost(1, { gam: { version: "0.1.0+b", kept: [aPackage("b")] } }),
    backToA,
    /cannot: it does not keep the package of 0.1.0\+a/,
  ],
];

for (const [name, host, goal, want] of wants) {
  test(`upgradePlan() ${name}`, () => {
    assert.match(rows([host], goal)[0] ?? "", want);
  });
}

test("upgradePlan() leaves out hosts by name and by id", () => {
  const hosts = [anUpgradeHost(1), anUpgradeHost(2, { gam: null }), anUpgradeHost(3)];
  assert.deepEqual(rows(hosts, toB, ["host2", hosts[2]?.id ?? ""]), [
    "host2 skip",
    "host3 skip",
    "host1 install gam_0.1.0_amd64.deb",
  ]);
});

const backs: readonly (readonly [string, readonly UpgradeHost[], string | undefined])[] = [
  ["is what all ran before", [host(1, "a", "b"), host(2, "a", "b")], "0.1.0+a"],
  [
    "is what the hosts run that were not upgraded yet",
    [host(1, "z", "a"), host(2, "a", "b")],
    "0.1.0+a",
  ],
  [
    "goes on where going back was interrupted",
    [anUpgradeHost(1), host(2, "a", "b"), host(3, "a", "b")],
    "0.1.0+a",
  ],
  ["does not go forward again", [anUpgradeHost(1), anUpgradeHost(2)], undefined],
  [
    "is unknown where hosts came from different ones",
    [host(1, "a", "b"), host(2, "z", "b")],
    undefined,
  ],
  [
    "is unknown where one host keeps nothing",
    [host(1, "a", "b"), anUpgradeHost(2, { gam: { version: "0.1.0+b" } })],
    undefined,
  ],
];

function host(number: number, from: string, to: string): UpgradeHost {
  return anUpgradeHost(number, { gam: upgraded(from, to) });
}

for (const [name, hosts, want] of backs) {
  test(`backVersion() ${name}`, () => assert.equal(backVersion(anUpgradeReport(hosts)), want));
}

const states: readonly (readonly [string, UpgradeHost, RegExp | undefined])[] = [
  ["accepts a ready host", anUpgradeHost(1), undefined],
  ["waits for an answer", anUpgradeHost(1, { gam: null }), /host1: it does not answer/],
  ["waits for a silent host", anUpgradeHost(1, { heard: false }), /host1 does not answer/],
  ["waits until it is ready", anUpgradeHost(1, { state: "down" }), /host1 is not ready: down/],
  [
    "accepts a host without an engine",
    anUpgradeHost(1, { state: "down", engine: false }),
    undefined,
  ],
  ["waits for an installation", anUpgradeHost(1, { gam: { installing: "x" } }), /is installing/],
  ["waits for the log", anUpgradeHost(1, { gam: { applied: 8 } }), /host1 has not caught up/],
];

for (const [name, one, want] of states) {
  test(`unsettled() ${name}`, () => {
    const reason = unsettled(one, anUpgradeReport([one]), 9);
    if (want === undefined) assert.equal(reason, undefined);
    else assert.match(reason ?? "", want);
  });
}

test("unsettled() waits for a leader", () => {
  const one = anUpgradeHost(1);
  assert.equal(unsettled(one, anUpgradeReport([one], { leader: null }), 9), "there is no leader");
});

test("holdsBack() waits for the other hosts, and not for the next one", () => {
  const [one, silent] = [anUpgradeHost(1), anUpgradeHost(2, { gam: null })];
  const report = anUpgradeReport([one, silent, anUpgradeHost(3)]);
  assert.match(
    holdsBack(one, report, { skipped: [], applied: 9 }) ?? "",
    /host2: it does not answer/,
  );
  assert.equal(holdsBack(silent, report, { skipped: [], applied: 9 }), undefined);
});

test("holdsBack() keeps a majority of voters when a host is left out", () => {
  const [one, silent] = [anUpgradeHost(1), anUpgradeHost(2, { gam: null })];
  const report = anUpgradeReport([one, silent, anUpgradeHost(3)]);
  const reason = holdsBack(one, report, { skipped: ["host2"], applied: 9 });
  assert.equal(reason, "without host1, only 1 of 3 voters would answer");
  const worker = anUpgradeHost(4, { role: "worker" });
  const more = anUpgradeReport([...report.hosts, worker]);
  assert.equal(holdsBack(worker, more, { skipped: ["host2"], applied: 9 }), undefined);
});

test("holdsBack() lets the only voter restart", () => {
  const one = anUpgradeHost(1);
  const report = anUpgradeReport([one, anUpgradeHost(2, { role: "learner" })]);
  assert.equal(holdsBack(one, report, { skipped: [], applied: 9 }), undefined);
});
