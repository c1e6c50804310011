/**
 * Shares on a real kernel: 10,000 connections to a service of which two versions run, by a container's own table, and by
 * a published port in the host's table.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import type { NetworkId } from "@gam/core";
import { affinityOfGroups } from "../plan/affinity.ts";
import type { NodePlan, PortPlane, ServicePlane } from "../plan/node-plan.ts";
import type { Unsafe } from "../plan/safe-values.ts";
import { partsOf } from "../plan/shares.ts";
import { asSafe } from "../testing/index.ts";
import { containerTable } from "./container-table.ts";
import { hostTable } from "./host-table.ts";
import { type NftTable, wholeTable } from "./nft-table.ts";

const isAble = spawnSync("unshare", ["--net", "nft", "list", "ruleset"]).status === 0;
const skip = isAble ? false : "needs root, nft(8) and unshare";

const network = "front" as NetworkId;
const vip = "10.0.1.1";
const published = 8000;
const target = 80;
const connections = 10_000;
/** What was asked for, give or take so much. */
const pointsMax = 2;

/** Five standard deviations, and what 256 slots round; less than pointsMax for small shares. */
function near(percent: number): number {
  return Math.min(pointsMax, 0.2 + 5 * Math.sqrt((percent * (100 - percent)) / connections));
}

interface Versions {
  /** Percent of the new one. */
  readonly weight: number;
  /** Tasks of each. */
  readonly fresh: number;
  readonly old: number;
}

/** A task of either version. */
type Backend = Readonly<Record<"id" | "address", string>>;

function tasksOf(version: 2 | 3, count: number): Backend[] {
  return Array.from({ length: count }, (_, n) => {
    const address = `10.0.${version}.${n + 1}`;
    return { id: `task ${address}`, address };
  });
}

function choiceOf({ weight, fresh, old }: Versions, isSticky: boolean) {
  const [news, olds] = [tasksOf(3, fresh), tasksOf(2, old)];
  const backends = [...olds, ...news].map(({ address }) => address);
  const parts = partsOf([
    ...olds.map(() => (100 - weight) * fresh),
    ...news.map(() => weight * old),
  ]);
  const affinity = affinityOfGroups("web", [
    { weight, backends: news },
    { weight: 100 - weight, backends: olds },
  ]);
  return { backends, ...(isSticky ? { affinity } : parts && { parts }) };
}

function tableOf(versions: Versions, way: "service" | "port", isSticky: boolean): NftTable {
  const choice = choiceOf(versions, isSticky);
  const service: Unsafe<ServicePlane> = { key: "web", network, vip, ...choice };
  const port: Unsafe<PortPlane> = {
    ...{ key: "tcp8000", protocol: "tcp", published, target, others: [] },
    ...choice,
  };
  const walls = { tunnelPort: 51820, members: [], guests: [], doors: [], doors6: [], ownDoors: [] };
  const plan: Partial<Unsafe<NodePlan>> = {
    ...{ underlay: "10.2.0.1", vxlanPort: 4789, networks: [], neighbours: [], walls },
    ...(way === "service" ? { services: [service], ports: [] } : { services: [], ports: [port] }),
  };
  const safe = asSafe<Partial<NodePlan>>(plan) as NodePlan;
  return way === "service" ? containerTable(safe, [network]) : hostTable(safe);
}

/** Connects so often, from a different address each time, and counts the connections of each task. */
const connecting = `const [, host, port, count] = process.argv;
const net = require("node:net");
const counts = {};
const server = net.createServer((one) => {
  counts[one.localAddress] = (counts[one.localAddress] ?? 0) + 1;
  one.end();
});
const ask = (n) => new Promise((resolve) => {
  const localAddress = "10.9." + (n >> 8) + "." + (n & 255);
  const one = net.connect({ host, port: Number(port), localAddress });
  one.on("error", (error) => { counts[error.code] = (counts[error.code] ?? 0) + 1; });
  one.on("close", resolve).resume();
});
server.listen(${target}, "0.0.0.0", 4096, async () => {
  let next = 0;
  const ask1 = async () => { while (next < count) await ask(++next); };
  await Promise.all(Array.from({ length: 64 }, ask1));
  console.log(JSON.stringify(counts));
  process.exit();
});`;

function countsOf(table: NftTable, port: number): Readonly<Record<string, number>> {
  const script = [
    "ip link set lo up",
    // Every address of these is the machine's own, as those of containers are on their hosts.
    ...["10.0.0.0/14", "10.9.0.0/16"].map((range) => `ip route add local ${range} dev lo`),
    `nft -f - <<'END'\n${wholeTable(table)}\nEND`,
    `exec '${process.execPath}' -e '${connecting}' ${vip} ${port} ${connections}`,
  ].join("\n");
  const { status, stdout, stderr } = spawnSync("unshare", ["--net", "sh", "-ec", script], {
    ...{ encoding: "utf8", timeout: 60_000 },
  });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
}

const cases: readonly (readonly [Versions, "service" | "port", sticky: boolean])[] = [
  [{ weight: 10, fresh: 1, old: 3 }, "service", false],
  [{ weight: 1, fresh: 2, old: 20 }, "service", false],
  [{ weight: 50, fresh: 9, old: 1 }, "service", false],
  [{ weight: 90, fresh: 3, old: 7 }, "port", false],
  [{ weight: 25, fresh: 1, old: 5 }, "port", false],
  [{ weight: 10, fresh: 1, old: 3 }, "service", true],
  [{ weight: 60, fresh: 4, old: 2 }, "port", true],
];

for (const [versions, way, isSticky] of cases) {
  const { weight, fresh, old } = versions;
  const clients = isSticky ? "clients that stick" : "connections";
  test(`${weight} % of ${clients} to a ${way} go to ${fresh} new tasks beside ${old} old ones`, {
    skip,
  }, () => {
    const table = tableOf(versions, way, isSticky);
    const counts = countsOf(table, way === "service" ? target : published);
    const share = (version: 2 | 3, count: number): number[] =>
      tasksOf(version, count).map(({ address }) => (100 * (counts[address] ?? 0)) / connections);
    const [news, olds] = [share(3, fresh), share(2, old)];
    const sum = (shares: readonly number[]): number => shares.reduce((all, one) => all + one, 0);
    const said = JSON.stringify(counts);
    assert.ok(Math.abs(sum(news) + sum(olds) - 100) < 1e-9, `all are answered by tasks: ${said}`);
    assert.ok(Math.abs(sum(news) - weight) <= near(weight), `${sum(news)} % of ${weight}: ${said}`);
    if (isSticky) return;
    const [eachNew, eachOld] = [weight / fresh, (100 - weight) / old];
    for (const one of news) assert.ok(Math.abs(one - eachNew) <= near(eachNew), said);
    for (const one of olds) assert.ok(Math.abs(one - eachOld) <= near(eachOld), said);
  });
}

test("the test sees a share that is not kept", { skip }, () => {
  const { backends } = choiceOf({ weight: 10, fresh: 1, old: 3 }, false);
  const service: Unsafe<ServicePlane> = { key: "web", network, vip, backends };
  const plan = asSafe<Partial<NodePlan>>({ services: [service] }) as NodePlan;
  const counts = countsOf(containerTable(plan, [network]), target);
  assert.ok((counts["10.0.3.1"] ?? 0) > connections / 5, JSON.stringify(counts));
});
