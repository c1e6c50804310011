/** Laws for every kind of table that is made from a plan, checked with the kernel's listing. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import fc from "fast-check";
import type { NodePlan, PortPlane } from "../plan/node-plan.ts";
import type { DeviceName, Unsafe } from "../plan/safe-values.ts";
import { anyPlans, asSafe } from "../testing/index.ts";
import { containerTable } from "./container-table.ts";
import { type FastPlace, fastPathTable, newLease } from "./fast-path-table.ts";
import { hostTable } from "./host-table.ts";
import { type NftTable, refilledTable, tableChange, wholeTable } from "./nft-table.ts";
import { wallTable6 } from "./walls.ts";

const anyPlan = anyPlans.map(([plan]) => {
  assert.ok(plan !== undefined);
  return plan;
});

const devices = Array.from({ length: 8 }, (_, n) => asSafe<DeviceName>(`port${n}`));

/** The containers of a plan, one link for each address, as many as there are devices. */
function placesOf({ networks }: NodePlan): FastPlace[] {
  const all = networks.flatMap(({ id, locals }) =>
    locals.map((address) => ({ network: id, address })),
  );
  return devices.flatMap((device, n) => {
    const place = all[n];
    return place === undefined ? [] : [{ ...place, device }];
  });
}

const kinds: readonly (readonly [string, (plan: NodePlan) => NftTable])[] = [
  ["a host", hostTable],
  [
    "a container",
    (plan) =>
      containerTable(
        plan,
        plan.networks.slice(0, 2).map(({ id }) => id),
      ),
  ],
  ["a host's walls of IPv6", wallTable6],
  ["the fast path", (plan) => fastPathTable(plan, placesOf(plan))],
];

/** Devices that tables may name: enough for any two plans. */
function setting(...plans: readonly NodePlan[]): string[] {
  const overlays = plans.flatMap(({ networks }) =>
    networks.map(({ vxlan, vni }) => ({ vxlan, vni })),
  );
  const unique = new Map(overlays.map(({ vxlan, vni }) => [vxlan, vni]));
  return [
    ...devices.map((device) => `ip link add ${device} type veth peer name to${device}`),
    ...[...unique].map(([vxlan, vni]) => `ip link add ${vxlan} type vxlan id ${vni} dstport 4789`),
  ];
}

/** Runs shell lines in a network namespace of their own. */
function run(lines: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  const input = ["set -e", ...lines].join("\n");
  return spawnSync("unshare", ["--net", "sh"], { input, encoding: "utf8" });
}

const load = (transaction: string): string => `nft -f - <<'END'\n${transaction}END`;

const skip =
  run([load("table ip gam {\n}\n")]).status === 0
    ? false
    : "needs root, nft(8) and a kernel with nftables";

/** The listing of a table after these transactions, without traces of how it was made. */
function tableAfter(
  family: NftTable["family"],
  lines: readonly string[],
  ...transactions: readonly string[]
): string[] {
  const { status, stdout, stderr } = run([
    ...lines,
    ...transactions.map(load),
    `nft --json list table ${family} gam`,
  ]);
  assert.equal(status, 0, `${stderr}\n${transactions.join("\n")}`);
  const bare = JSON.stringify(JSON.parse(stdout), (key, value: unknown) => {
    if (key === "handle") return undefined;
    if (key !== "elem" || !Array.isArray(value)) return value;
    return value.map((one) => JSON.stringify(one)).sort();
  });
  const { nftables } = JSON.parse(bare) as { nftables: readonly Record<string, unknown>[] };
  // The order of rules has a meaning only inside of one chain.
  const listed = nftables.map((one) => JSON.stringify(one));
  const inOrder = new Map<string, string[]>();
  for (const line of listed) {
    const chain = /^{"rule":.*?"chain":"([^"]*)"/.exec(line)?.[1] ?? line;
    inOrder.set(chain, [...(inOrder.get(chain) ?? []), line]);
  }
  return [...inOrder.keys()].sort().flatMap((key) => inOrder.get(key) ?? []);
}

function listingAfter(table: NftTable, lines: readonly string[]): string {
  const { status, stdout, stderr } = run([
    ...lines,
    load(wholeTable(table)),
    `nft list table ${table.family} gam`,
  ]);
  assert.equal(status, 0, stderr);
  return stdout;
}

for (const [name, tableOf] of kinds) {
  test(`every table of ${name} loads`, { skip }, () => {
    fc.assert(
      fc.property(anyPlan, (plan) => {
        const whole = wholeTable(tableOf(plan));
        const { status, stderr } = run([...setting(plan), load(whole)]);
        assert.equal(status, 0, `${stderr}\n${whole}`);
      }),
      { numRuns: 15 },
    );
  });

  test(`a change gives the same table of ${name} as a whole write`, { skip }, () => {
    fc.assert(
      fc.property(anyPlan, anyPlan, (before, after) => {
        const lines = setting(before, after);
        const [was, is] = [tableOf(before), tableOf(after)];
        const change = tableChange(was, is);
        const wanted = tableAfter(is.family, lines, wholeTable(is));
        const steps = [wholeTable(was), ...(change === "" ? [] : [change])];
        assert.deepEqual(tableAfter(is.family, lines, ...steps), wanted);
        const listing = listingAfter(was, lines);
        for (const again of [wholeTable(is, listing), refilledTable(is, listing)]) {
          assert.deepEqual(tableAfter(is.family, lines, wholeTable(was), again), wanted);
        }
      }),
      { numRuns: 12 },
    );
  });

  test(`an unchanged table of ${name} has an empty change`, () => {
    fc.assert(
      fc.property(anyPlan, (plan) => {
        const other = { ...plan };
        assert.equal(tableChange(tableOf(plan), tableOf(other)), "");
      }),
    );
  });
}

test("the comparison of tables sees an address that differs", { skip }, () => {
  fc.assert(
    fc.property(anyPlan, (plan) => {
      const other = asSafe<NodePlan>({ ...plan, neighbours: ["192.0.2.77"] });
      const after = (one: NodePlan): string[] => tableAfter("ip", [], wholeTable(hostTable(one)));
      assert.notDeepEqual(after(plan), after(other));
    }),
    { numRuns: 2 },
  );
});

test("elements that the kernel added survive a whole write", { skip }, () => {
  fc.assert(
    fc.property(anyPlan, (plan) => {
      const table = fastPathTable(plan, placesOf(plan));
      const noted = "add element netdev gam slow { 10.1.2.3 timeout 1h }\n";
      const listing = listingAfter(table, setting(plan));
      const steps = [wholeTable(table), newLease, noted, wholeTable(table, listing)];
      const found = tableAfter("netdev", setting(plan), ...steps).join("\n");
      assert.match(found, /10\.1\.2\.3/);
      assert.match(found, /timeout[^0-9]*30/);
    }),
    { numRuns: 2 },
  );
});

/** A host that publishes a port with that many backends on other hosts. With parts, they get different shares. */
function publishing(backends: number, hasParts = false): NftTable {
  const port = asSafe<PortPlane>({
    key: "udp9000",
    protocol: "udp",
    published: 9000,
    target: 80,
    others: [],
    backends: Array.from({ length: backends }, (_, n) => `10.2.0.${n + 8}`),
    ...(hasParts && { parts: Array.from({ length: backends }, (_, n) => n * 3 + 1) }),
  });
  const walls = { tunnelPort: 51820, members: [], guests: [], doors: [], doors6: [], ownDoors: [] };
  const none = { networks: [], services: [], neighbours: [], walls };
  const plan: Partial<Unsafe<NodePlan>> = { ...none, underlay: "10.2.0.1", vxlanPort: 4789 };
  return hostTable(asSafe<Partial<NodePlan>>({ ...plan, ports: [port] }) as NodePlan);
}

const flipSeconds = 4;
const ways: readonly (readonly [string, (was: NftTable, is: NftTable) => string])[] = [
  ["as they change", tableChange],
  // All versions have the same names, in the text as in a listing.
  ["as the table is filled anew", (was, is) => refilledTable(is, wholeTable(was))],
];
for (const [when, turn] of ways) {
  test(`no packet misses the backends ${when}`, { skip }, () => {
    const tables = [publishing(3), publishing(4), publishing(4, true), publishing(5, true)];
    const [first] = tables;
    assert.ok(first !== undefined);
    const turns = tables.map((was, n) => turn(was, tables[(n + 1) % tables.length] ?? first));
    // All packets are dropped, so each is the first of its flow.
    const counting = `table ip counting {
      counter found {
      }
      counter missed {
      }
      chain output {
        type filter hook output priority 0
        udp dport 80 counter name found drop
        udp dport 9000 counter name missed drop
      }
    }
`;
    const sender = `const socket = require("node:dgram").createSocket("udp4");
      const send = () => socket.send("?", 9000, "10.2.0.1", () => setImmediate(send));
      for (let n = 0; n < 64; n += 1) send();`;
    const { status, stdout, stderr } = run([
      "ip link set lo up",
      "ip link add port type veth peer name far && ip link set port up && ip link set far up",
      "ip addr add 10.2.0.1/24 dev port",
      load(wholeTable(first)),
      load(counting),
      `'${process.execPath}' -e '${sender}' & sender=$!`,
      "trap 'kill $sender' EXIT",
      `end=$(($(date +%s) + ${flipSeconds}))`,
      "while [ $(date +%s) -lt $end ]; do",
      ...turns.map(load),
      "done",
      "nft list counters table ip counting",
    ]);
    assert.equal(status, 0, stderr);
    const packets = [...stdout.matchAll(/packets (\d+)/g)].map(([, count]) => Number(count));
    const [found = 0, missed] = packets;
    assert.ok(found > 1000, `only ${found} were sent`);
    assert.equal(missed, 0, `of ${found}`);
  });
}
